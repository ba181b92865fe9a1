"""Masquerade and spoof check that a bridge configuration asks for, as whole plans."""

import pytest

from core.address import parse, parse_cidr
from core.intent import Masquerade, NoSpoof
from core.nft import backend, names
from core.nft.names import Element
from core.nft.rules import rules_of
from core.plan.records import Address, Plan
from core.plan.switching import Station
from core.record import replace
from tests.unit.bridge.planned import (
    BARE_PORT,
    BARE_SHARED,
    BARE_VETH,
    IPV6,
    LO_IPV6,
    MAC,
    NO_DAD,
    NOTIFY,
    OWNER,
    PORT,
    PORT_ACCEPT_RA,
    UP,
    answer,
    ipam,
    planned,
    wanted,
)


def test_the_spoof_check() -> None:
    """B-45: before there is a port, its name is checked, and may come with the container's MAC."""
    key = PORT.encode() + b"\0"
    assert planned(wanted(macspoofchk=True)) == Plan(
        shared=(*BARE_SHARED, names.TABLES["bridge"]),
        owned=(
            *(replace(BARE_VETH, held=True), PORT_ACCEPT_RA),
            Element(
                "bridge",
                "spoof_macs",
                key + MAC + b"\0\0",
                b"",
                "",
                OWNER,
                f'"{PORT}" . {MAC.hex(":")}',
                NoSpoof(PORT, MAC),
            ),
            Element("bridge", "spoof", key, b"", "", OWNER, f'"{PORT}"', NoSpoof(PORT, MAC)),
            *(replace(BARE_PORT, learning=False), Station(PORT, MAC)),
            *(NO_DAD, UP, *NOTIFY),
        ),
    )


def test_masquerade() -> None:
    """B-36 B-38: each address jumps to the chain of its prefix, and a set tells its network."""
    made = planned(wanted(**ipam(ipMasq=True)), answer("10.1.0.7/24", "10.1.0.8/24", "fd01::7/64"))
    chains = [backend.outside(parse_cidr("10.1.0.0/24")), backend.outside(parse_cidr("fd01::/64"))]
    assert [rule.text for chain in chains for rule in rules_of(chain)] == [
        *("ip saddr . ip daddr & 255.255.255.0 @inside4 return", "ip daddr 224.0.0.0/4 return", "masquerade"),
        *(
            "ip6 saddr . ip6 daddr & ffff:ffff:ffff:ffff:: @inside6 return",
            "ip6 daddr ff00::/8 return",
            "masquerade",
        ),
    ]
    assert made == Plan(
        shared=(*BARE_SHARED, names.TABLES["inet"], *chains, LO_IPV6),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT),
            *(jump("masquerade4", "10.1.0.7", "outside4-24"), inside("inside4", "10.1.0.7", "10.1.0.0")),
            *(jump("masquerade4", "10.1.0.8", "outside4-24"), inside("inside4", "10.1.0.8", "10.1.0.0")),
            *(jump("masquerade6", "fd01::7", "outside6-64"), inside("inside6", "fd01::7", "fd01::")),
            *(NO_DAD, *IPV6),
            *[Address("eth0", parse_cidr(each)) for each in ("10.1.0.7/24", "10.1.0.8/24", "fd01::7/64")],
            *(UP, *NOTIFY),
        ),
    )


def about(container: str) -> Masquerade:
    net = "fd01::/64" if ":" in container else "10.1.0.0/24"
    return Masquerade(parse(container), parse_cidr(net))


def inside(name: str, address: str, net: str) -> Element:
    return Element(
        "inet", name, parse(address) + parse(net), b"", "", OWNER, f"{address} . {net}", about(address)
    )


def jump(name: str, address: str, chain: str) -> Element:
    return Element(
        "inet", name, parse(address), b"", chain, OWNER, f"{address} : jump {chain}", about(address)
    )


@pytest.mark.parametrize("keys", [{"ipMasq": True}, {"isGateway": True}, {"isDefaultGateway": True}], ids=str)
def test_without_ipam_there_is_nothing_to_route_or_masquerade(keys: dict[str, bool]) -> None:
    """B-8: layer 2 stays layer 2."""
    assert planned(wanted(**keys)) == planned(wanted())
