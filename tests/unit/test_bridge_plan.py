"""What a bridge configuration asks for, as whole plans."""

import hashlib
from typing import Any

import pytest

from core.address import parse, parse_cidr
from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.intent import Masquerade, NoSpoof
from core.nft import backend, names
from core.nft.names import Element
from core.nft.rules import rules_of
from core.plan.records import (
    CONTAINER,
    HOST,
    Address,
    Bridge,
    Gateway,
    NoAdvertisements,
    Plan,
    Port,
    Route,
    Sysctl,
    Up,
    veth,
)
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.record import replace
from plugins.bridge.options import Options, options
from plugins.bridge.plan import gateway_link, plan

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
PORT = "vethdd6ccc806f7"
OWNER = "net/c1/eth0"
MAC = bytes.fromhex("020000000001")
PORT_ACCEPT_RA = Sysctl(HOST, f"net/ipv6/conf/{PORT}/accept_ra", "0", required=False)
FORWARD4, FORWARD6 = (
    Sysctl(HOST, "net/ipv4/ip_forward", "1"),
    Sysctl(HOST, "net/ipv6/conf/all/forwarding", "1"),
)
NO_DAD = Sysctl(CONTAINER, "net/ipv6/conf/eth0/accept_dad", "0", required=False)
DAD = (
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/enhanced_dad", "1", required=False),
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/accept_dad", "1", required=False),
)
NOTIFY4 = (Sysctl(CONTAINER, "net/ipv4/conf/eth0/arp_notify", "1", required=False),)
NOTIFY = (*NOTIFY4, Sysctl(CONTAINER, "net/ipv6/conf/eth0/ndisc_notify", "1", required=False))
LO_IPV6 = Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0", required=False)
IPV6 = (
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0"),
    Sysctl(CONTAINER, "net/ipv6/conf/eth0/keep_addr_on_down", "1", if_writable=True),
)
UP = Up(CONTAINER, "eth0")
DEFAULT4, DEFAULT6 = parse_cidr("0.0.0.0/0"), parse_cidr("::/0")
BARE_SHARED = (Bridge("br0"), Up(HOST, "br0"), NoAdvertisements("br0"))
BARE_SHARED6 = (Bridge("br0"), Up(HOST, "br0", ipv6=True), NoAdvertisements("br0"))
BARE_VETH = veth(PORT, "eth0", OWNER, mac=MAC)
BARE_PORT = Port(PORT, "br0")


def wanted(**keys: Any) -> Options:
    """The options of a configuration with bridge br0 and some keys."""
    return options(Section({"type": "bridge", "name": "net", "bridge": "br0", **keys}), "")


def answer(
    *addresses: str, routes: list[dict[str, Any]] | None = None, gateway: bool = False
) -> dict[str, Any]:
    """An IPAM result; with *gateway* each address tells one, the last of the usual networks (.254)."""
    ips = [
        {"address": each, **({"gateway": each.rpartition(".")[0] + ".254"} if gateway else {})}
        for each in addresses
    ]
    return result.parse({"ips": ips, "routes": routes or []}, "1.1.0")


def planned(wished: Options, ipam: dict[str, Any] | None = None) -> Plan:
    return plan(wished, ATTACHMENT, wished.complete(ipam or answer()), MAC)


def ipam(**keys: Any) -> dict[str, Any]:
    return {"ipam": {"type": "host-local"}, **keys}


def test_the_smallest_plan() -> None:
    """B-1 B-8 B-15 B-48 B-67: layer 2; no VLAN filtering, no isolation, no duplicate detection unless asked for."""
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
    """B-9 B-10 B-11 B-12 B-15: access, trunk with native 1, access and trunk, the port's default removed or kept."""
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


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"vlan": -100}, ["vlan", "-100"]),  # B-50
        ({"vlan": 5000}, ["vlan", "5000"]),  # B-50
        ({"vlan": 4095}, ["vlan", "4095"]),  # B-50
        ({"vlanTrunk": [{"minID": 10}]}, ["vlanTrunk[0]", "minID", "10"]),  # B-52
        ({"vlanTrunk": [{"id": 5}, {"maxID": 10}]}, ["vlanTrunk[1]", "maxID", "10"]),  # B-53
        ({"vlanTrunk": [{"minID": -1, "maxID": 10}]}, ["vlanTrunk[0].minID", "-1"]),  # B-54
        ({"vlanTrunk": [{"minID": 4095, "maxID": 4096}]}, ["vlanTrunk[0].minID", "4095"]),  # B-55
        ({"vlanTrunk": [{"minID": 10, "maxID": 5000}]}, ["vlanTrunk[0].maxID", "5000"]),  # B-56
        ({"vlanTrunk": [{"minID": 10, "maxID": -1}]}, ["vlanTrunk[0].maxID", "-1"]),  # B-57
        ({"vlanTrunk": [{"id": 5000}]}, ["vlanTrunk[0].id", "5000"]),  # B-58
        ({"vlanTrunk": [{"id": -1}]}, ["vlanTrunk[0].id", "-1"]),  # B-59
        ({"vlanTrunk": [{"minID": 20, "maxID": 10}]}, ["vlanTrunk[0]", "20", "10"]),  # B-60
        ({"vlanTrunk": [{"id": 0}]}, ["vlanTrunk[0].id", "0"]),
        ({"vlanTrunk": {"id": 1}}, ["vlanTrunk"]),
        ({"mtu": 67}, ["mtu", "67"]),
        ({"hairpinMode": True, "promiscMode": True}, ["hairpinMode", "promiscMode"]),  # B-61
        (ipam(disableContainerInterface=True), ["disableContainerInterface", "ipam.type"]),  # B-46
        ({"bridge": "no/name"}, ["bridge", "no/name"]),
        ({"ipMasqBackend": "ebtables"}, ["ipMasqBackend", "ebtables"]),  # B-40
        ({"args": {"cni": {"mac": "01:00:00:00:00:01"}}}, ["args.cni.mac", "01:00:00:00:00:01"]),
        ({"runtimeConfig": {"mac": "02:00:00:00:01"}}, ["runtimeConfig.mac", "02:00:00:00:01"]),
    ],
    ids=str,
)
def test_what_is_refused(keys: dict[str, Any], words: list[str]) -> None:
    """B-40 B-46 B-50 B-52 B-53 B-54 B-55 B-56 B-57 B-58 B-59 B-60 B-61: the error names key and value."""
    with pytest.raises(CNIError) as refused:
        wanted(**keys)
    assert refused.value.code == INVALID_CONFIG
    assert [word for word in words if word not in refused.value.msg] == []


def test_the_iptables_backend_is_not_there_yet() -> None:
    """B-37: until a later version brings it, a clear error."""
    with pytest.raises(CNIError, match='ipMasqBackend: "iptables"') as refused:
        wanted(ipMasqBackend="iptables")
    assert refused.value.code == UNSUPPORTED_FIELD


def test_ipv4_with_a_default_gateway() -> None:
    """B-3 B-16 B-17: the gateway is the first address of the network, and a default route leads through it.

    The port joins the bridge last, so that what the kernel says when the container's link comes up is not flooded.
    """
    assert planned(wanted(**ipam(isDefaultGateway=True)), answer("10.1.0.7/24")) == Plan(
        shared=(*BARE_SHARED, Gateway("br0", parse_cidr("10.1.0.1/24")), FORWARD4),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, NO_DAD),
            *(
                Address("eth0", parse_cidr("10.1.0.7/24")),
                UP,
                Route("eth0", DEFAULT4, parse("10.1.0.1")),
                *NOTIFY4,
                BARE_PORT,
            ),
        ),
    )


def test_ipv6_with_a_default_gateway() -> None:
    """B-4 B-16 B-17: IPv6 is switched on in the container, and its addresses survive link down."""
    assert planned(wanted(**ipam(isDefaultGateway=True)), answer("fd01::7/64")) == Plan(
        shared=(*BARE_SHARED6, Gateway("br0", parse_cidr("fd01::1/64")), FORWARD6, LO_IPV6),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, *IPV6),
            *(
                Address("eth0", parse_cidr("fd01::7/64")),
                UP,
                Route("eth0", DEFAULT6, parse("fd01::1")),
                *NOTIFY,
            ),
        ),
    )


def test_dual_stack_several_ranges_and_a_forced_gateway() -> None:
    """B-5 B-6 B-16 B-26: every address its gateway, one default route a family, in IPAM's order; forceAddress is handed on."""
    wished = wanted(**ipam(isDefaultGateway=True, forceAddress=True))
    assert planned(wished, answer("10.1.0.7/24", "fd01::7/64", "fd02::7/64")) == Plan(
        shared=(
            *BARE_SHARED6,
            *[
                Gateway("br0", parse_cidr(each), force=True)
                for each in ("10.1.0.1/24", "fd01::1/64", "fd02::1/64")
            ],
            *(FORWARD4, FORWARD6, LO_IPV6),
        ),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, *IPV6),
            *[Address("eth0", parse_cidr(each)) for each in ("10.1.0.7/24", "fd01::7/64", "fd02::7/64")],
            *(
                UP,
                Route("eth0", DEFAULT4, parse("10.1.0.1")),
                Route("eth0", DEFAULT6, parse("fd01::1")),
                *NOTIFY,
            ),
        ),
    )


def test_an_address_without_a_gateway_bridge() -> None:
    """Neither gateway nor forwarding; IPAM's own gateway is used for its routes."""
    routes: list[dict[str, Any]] = [
        {"dst": "10.0.0.0/8"},
        {"dst": "10.9.0.0/16", "gw": "10.1.0.9", "mtu": 1300, "priority": 5, "table": 100, "advmss": 1200},
    ]
    assert planned(wanted(**ipam()), answer("10.1.0.7/24", routes=routes, gateway=True)) == Plan(
        shared=BARE_SHARED,
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, Address("eth0", parse_cidr("10.1.0.7/24")), UP),
            Route("eth0", parse_cidr("10.0.0.0/8"), parse("10.1.0.254")),
            Route(
                "eth0",
                parse_cidr("10.9.0.0/16"),
                parse("10.1.0.9"),
                table=100,
                priority=5,
                mtu=1300,
                advmss=1200,
            ),
            *NOTIFY4,
        ),
    )


def test_a_given_gateway_is_kept_and_stands_on_the_bridge() -> None:
    """B-17: with the prefix length of the address."""
    made = planned(wanted(**ipam(isGateway=True)), answer("10.1.0.7/24", gateway=True))
    assert made.shared == (*BARE_SHARED, Gateway("br0", parse_cidr("10.1.0.254/24")), FORWARD4)
    assert [record for record in made.owned if isinstance(record, Route)] == []


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], [("0.0.0.0/0", "10.1.0.1")]),
        (
            [{"dst": "0.0.0.0/0"}],
            [("0.0.0.0/0", "10.1.0.1")],
        ),  # through the same gateway: one route, not EEXIST
        ([{"dst": "0.0.0.0/0", "gw": "10.1.0.9"}], [("0.0.0.0/0", "10.1.0.9")]),
        ([{"dst": "::/0", "gw": "fd01::1"}], [("::/0", "fd01::1"), ("0.0.0.0/0", "10.1.0.1")]),
    ],
    ids=str,
)
def test_a_default_route_is_added_where_ipam_has_none_with_a_gateway(
    routes: list[dict[str, str]], expected: list[tuple[str, str]]
) -> None:
    """B-16: once a family."""
    made = planned(wanted(**ipam(isDefaultGateway=True)), answer("10.1.0.7/24", routes=routes))
    found = [(str(record.dst), record.gateway) for record in made.owned if isinstance(record, Route)]
    assert found == [(dst, parse(gateway)) for dst, gateway in expected]


def test_a_route_of_link_scope_has_no_gateway() -> None:
    """U-8: scope link (253) means on-link."""
    made = planned(
        wanted(**ipam(isGateway=True)), answer("10.1.0.7/24", routes=[{"dst": "10.2.0.0/16", "scope": 253}])
    )
    assert Route("eth0", parse_cidr("10.2.0.0/16"), scope=253) in made.owned


def test_duplicate_address_detection() -> None:
    """B-67: asked for, it concerns IPv6 addresses only."""
    assert planned(wanted(**ipam(enabledad=True)), answer("10.1.0.7/24", "fd01::7/64")).owned == (
        *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, *DAD, *IPV6),
        *(
            Address("eth0", parse_cidr("10.1.0.7/24")),
            Address("eth0", parse_cidr("fd01::7/64"), detect=True),
            UP,
            *NOTIFY,
        ),
    )


@pytest.mark.parametrize("keep", [False, True])
def test_the_gateway_of_a_vlan(keep: bool) -> None:
    """B-13 B-14: a veth br0.100 with the gateway, its peer an access port; preserveDefaultVlan concerns the container's port."""
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


def test_the_spoof_check() -> None:
    """B-45: before there is a port, its name is checked, and may come with the container's MAC."""
    key = PORT.encode() + b"\0"
    assert planned(wanted(macspoofchk=True)) == Plan(
        shared=(*BARE_SHARED, names.TABLES["bridge"]),
        owned=(
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
            *(
                replace(BARE_VETH, held=True),
                PORT_ACCEPT_RA,
                replace(BARE_PORT, learning=False),
                Station(PORT, MAC),
            ),
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


@pytest.mark.parametrize(
    ("keys", "addresses", "last"),
    [
        (ipam(isGateway=True), ["10.1.0.7/24"], True),
        (
            ipam(),
            ["10.1.0.7/24"],
            False,
        ),  # somebody else is the gateway, and may answer the router solicitation
        (ipam(isGateway=True), ["10.1.0.7/24", "fd01::7/64"], False),  # its multicast groups have to be known
        (
            ipam(isGateway=True, enabledad=True),
            ["10.1.0.7/24"],
            False,
        ),  # the question whether anybody has the address has to be heard
        ({"isGateway": True}, [], False),
    ],
    ids=str,
)
def test_the_port_joins_the_bridge_last_where_nobody_has_to_hear_the_link_come_up(
    keys: dict[str, Any], addresses: list[str], last: bool
) -> None:
    owned = planned(wanted(**keys), answer(*addresses)).owned
    assert (owned[-1] == BARE_PORT, owned[2] == BARE_PORT) == (last, not last)


@pytest.mark.parametrize("keys", [{"ipMasq": True}, {"isGateway": True}, {"isDefaultGateway": True}], ids=str)
def test_without_ipam_there_is_nothing_to_route_or_masquerade(keys: dict[str, bool]) -> None:
    """B-8: layer 2 stays layer 2."""
    assert planned(wanted(**keys)) == planned(wanted())


@pytest.mark.parametrize(
    ("runtime", "args", "environment", "expected"),
    [
        ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "MAC=02:00:00:00:00:0c", "0a"),  # B-33
        (None, "02:00:00:00:00:0b", "MAC=02:00:00:00:00:0c", "0b"),  # B-31
        (None, None, "MAC=02-00-00-00-00-0C", "0c"),  # B-30
        ("02:00:00:00:00:0a", None, "", "0a"),  # B-32
        (None, None, "IgnoreUnknown=1;K8S_POD_NAME=x", ""),  # B-68
    ],
)
def test_who_says_the_mac(runtime: str | None, args: str | None, environment: str, expected: str) -> None:
    """B-30 B-31 B-32 B-33 B-68: runtimeConfig wins over args.cni, and that over CNI_ARGS."""
    config = Section({"runtimeConfig": {"mac": runtime}, "args": {"cni": {"mac": args}}})
    assert options(config, environment).mac == bytes.fromhex("0200000000" + expected if expected else "")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({}, None),
        ({"dns": {}}, None),
        ({"dns": {"nameservers": []}}, {}),
        ({"dns": {"domain": "x"}}, {"domain": "x"}),
    ],
    ids=str,
)
def test_dns_overrides_that_of_ipam_if_any_key_is_set(
    key: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    """B-7: an empty list included."""
    given = result.parse({"ips": [{"address": "10.1.0.7/24"}], "dns": {"nameservers": ["9.9.9.9"]}}, "1.1.0")
    assert wanted(**ipam(**key)).complete(given)["dns"] == (
        {"nameservers": ["9.9.9.9"]} if expected is None else expected
    )


def test_what_the_result_gains() -> None:
    """The container's index, implied gateways, default routes; what is unknown stays."""
    given = result.parse(
        {
            "ips": [{"address": "10.1.0.7/24", "x": 1}, {"address": "fd01::7/64", "gateway": "fd01::9"}],
            "y": 2,
        },
        "1.1.0",
    )
    assert wanted(**ipam(isDefaultGateway=True)).complete(given) == {
        "cniVersion": "1.1.0",
        "interfaces": [],
        "ips": [
            {"interface": 2, "address": "10.1.0.7/24", "x": 1, "gateway": "10.1.0.1"},
            {"interface": 2, "address": "fd01::7/64", "gateway": "fd01::9"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "::/0", "gw": "fd01::9"}],
        "dns": {},
        "y": 2,
    }
