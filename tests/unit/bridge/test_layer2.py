"""Bridge, port and VLANs that a bridge configuration asks for, as whole plans."""

import hashlib
from typing import Any

import pytest

from core.address import parse_cidr
from core.cni.config import Section
from core.plan.records import HOST, Address, Bridge, Gateway, NoAdvertisements, Plan, Port, Up, veth
from core.plan.switching import PortVlans, Promiscuous, VlanGateway
from plugins.bridge.options import options
from plugins.bridge.plan import gateway_link
from tests.unit.bridge.planned import (
    BARE_PORT,
    BARE_SHARED,
    BARE_VETH,
    FORWARD4,
    MAC,
    NO_DAD,
    NOTIFY,
    NOTIFY4,
    OWNER,
    PORT,
    PORT_ACCEPT_RA,
    UP,
    answer,
    ipam,
    planned,
    wanted,
)


def test_the_smallest_plan() -> None:
    """B-1 B-8 B-15 B-48 B-67: layer 2; no VLAN filtering, isolation or duplicate detection unless asked."""
    assert planned(wanted()) == Plan(
        shared=BARE_SHARED,
        owned=(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, UP, *NOTIFY),
    )


def test_the_default_bridge_is_cni0() -> None:
    """B-1"""
    assert options(Section({}), "").bridge == "cni0"


def test_flags_of_bridge_and_port() -> None:
    """B-29 B-49 B-64: promiscuous bridge, isolated port, MTU on bridge and pair."""
    assert planned(wanted(promiscMode=True, portIsolation=True, mtu=1400)) == Plan(
        shared=(Bridge("br0", mtu=1400), Promiscuous("br0"), Up(HOST, "br0"), NoAdvertisements("br0")),
        owned=(
            veth(PORT, "eth0", OWNER, mtu=1400, mac=MAC),
            PORT_ACCEPT_RA,
            Port(PORT, "br0", isolated=True),
            NO_DAD,
            UP,
            *NOTIFY,
        ),
    )


def test_hairpin_mode() -> None:
    """The flag is written whatever it is; here it is on."""
    assert planned(wanted(hairpinMode=True)).owned[2] == Port(PORT, "br0", hairpin=True)


def test_a_container_interface_that_stays_down() -> None:
    """B-47: neither settings nor link up."""
    assert planned(wanted(disableContainerInterface=True)) == Plan(
        BARE_SHARED, (BARE_VETH, PORT_ACCEPT_RA, BARE_PORT)
    )


@pytest.mark.parametrize(
    ("keys", "vlans", "keep"),
    [
        ({"vlan": 100, "preserveDefaultVlan": True}, ((100, True),), True),  # B-9
        (
            {"vlanTrunk": [{"id": 101}, {"minID": 200, "maxID": 210}]},
            ((1, True), (101, False), *[(each, False) for each in range(200, 211)]),
            False,
        ),
        ({"vlan": 100, "vlanTrunk": [{"id": 101}]}, ((100, True), (101, False)), False),  # B-11
        ({"vlan": 100}, ((100, True),), False),  # B-12
        ({"vlan": 100, "vlanTrunk": [{"id": 100}, {"id": 101}]}, ((100, True), (101, False)), False),
        ({"vlanTrunk": [{"id": 1}, {"id": 7}]}, ((1, True), (7, False)), False),
        ({"vlan": 4094}, ((4094, True),), False),
    ],
    ids=str,
)
def test_vlans_of_the_port(keys: dict[str, Any], vlans: tuple[tuple[int, bool], ...], keep: bool) -> None:
    """B-9 B-10 B-11 B-12 B-15: access, trunk with native 1, both; the default VLAN removed or kept."""
    assert planned(wanted(**keys)) == Plan(
        shared=(Bridge("br0", vlan_filtering=True), Up(HOST, "br0"), NoAdvertisements("br0")),
        owned=(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, PortVlans(PORT, vlans, keep), NO_DAD, UP, *NOTIFY),
    )


@pytest.mark.parametrize(("trunk", "filtering"), [(None, False), ([], True)])
def test_a_trunk_that_is_empty_filters_but_has_no_vlans(trunk: list[Any] | None, filtering: bool) -> None:
    """B-15 B-51: a present vlanTrunk turns filtering on; null is absent."""
    made = planned(wanted(vlanTrunk=trunk))
    assert made.shared[0] == Bridge("br0", vlan_filtering=filtering)
    assert made.owned == (BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, UP, *NOTIFY)


@pytest.mark.parametrize(
    ("trunk", "ids"),
    [
        ([], []),
        ([{"minID": 10, "maxID": 13}], [10, 11, 12, 13]),
        ([{"id": 42}], [42]),
        ([{"id": 42}, {"minID": 40, "maxID": 43}, {"id": 7, "minID": 8, "maxID": 8}], [7, 8, 40, 41, 42, 43]),
        ([{"minID": 1, "maxID": 4094}], list(range(1, 4095))),
    ],
    ids=["empty", "range", "single", "mix", "all"],
)
def test_a_trunk_is_parsed(trunk: list[Any], ids: list[int]) -> None:
    """B-51: sorted, each once; with VLAN 5 the port's own."""
    assert [each for each, native in wanted(vlan=5, vlanTrunk=trunk).vlans if not native] == [
        each for each in ids if each != 5
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_the_gateway_of_a_vlan(keep: bool) -> None:
    """B-13 B-14: a veth br0.100 has the gateway, its peer is an access port.

    preserveDefaultVlan concerns the container's port.
    """
    wished = wanted(**ipam(isGateway=True, vlan=100, preserveDefaultVlan=keep))
    pair = VlanGateway("br0.100", "br0", 100)
    assert gateway_link(wished) == "br0.100"
    assert planned(wished, answer("10.1.0.7/24")) == Plan(
        shared=(
            *(Bridge("br0", vlan_filtering=True), Up(HOST, "br0"), NoAdvertisements("br0")),
            *(pair, PortVlans(vlan_port(pair), ((100, True),))),
            *(Up(HOST, "br0.100"), Gateway("br0.100", parse_cidr("10.1.0.1/24")), FORWARD4),
        ),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, NO_DAD, Address("eth0", parse_cidr("10.1.0.7/24")), UP, *NOTIFY4),
            *(BARE_PORT, PortVlans(PORT, ((100, True),), keep)),
        ),
    )


def vlan_port(pair: VlanGateway) -> str:
    """Said once more: the first 15 characters of veth and the SHA-512 of the pair's name."""
    return "veth" + hashlib.sha512(pair.name.encode()).hexdigest()[:11]


@pytest.mark.parametrize(
    ("keys", "addresses", "last"),
    [
        (ipam(isGateway=True), ["10.1.0.7/24"], True),
        # somebody else is the gateway, and may answer the router solicitation
        (ipam(), ["10.1.0.7/24"], False),
        (ipam(isGateway=True), ["10.1.0.7/24", "fd01::7/64"], False),  # its multicast groups have to be known
        # the question whether anybody has the address has to be heard
        (ipam(isGateway=True, enabledad=True), ["10.1.0.7/24"], False),
        ({"isGateway": True}, [], False),
    ],
    ids=str,
)
def test_the_port_joins_the_bridge_last_where_nobody_has_to_hear_the_link_come_up(
    keys: dict[str, Any], addresses: list[str], last: bool
) -> None:
    owned = planned(wanted(**keys), answer(*addresses)).owned
    assert (owned[-1] == BARE_PORT, owned[2] == BARE_PORT) == (last, not last)
