"""The laws: every kind of record, and what has to be there before it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from core.address import V4, parse, parse_cidr
from core.attachment import host_ifname
from core.intent import ISOLATED, SAME_BRIDGE, Ingress
from core.nft import admission, backend, ports, zoned
from core.nft.conditions import compile_words
from core.nft.names import BRIDGE, INET, TABLES, Chain, Element
from core.nft.rules import conditional, members
from core.plan.localnet import LocalnetRouting
from core.plan.records import (
    CONTAINER,
    HOST,
    Address,
    Bridge,
    Gateway,
    NoAdvertisements,
    Port,
    Route,
    Sysctl,
    Up,
    veth,
)
from core.plan.shaping import Ifb, IngressHook, Queue, Redirect, TokenBucket
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.publication import Mapping
from core.record import OWNED, SHARED, replace

Factory = Callable[[], Any]  # opens a kernel of the world under test
OWNER, OTHER = "net/c1/eth0", "net/c2/eth0"
PORT = host_ifname(OWNER)
MAC = bytes.fromhex("020000000001")
VETH = veth(PORT, "eth0", OWNER, mac=MAC)
NET4, NET6 = parse_cidr("10.1.0.0/24"), parse_cidr("fd01::/64")
SPOOF_MAC, SPOOF = backend.spoof_elements(PORT, MAC, OWNER)
TAG = "0123abcd"  # of a condition
INET_TABLE, BRIDGE_TABLE = members(TABLES[INET]), members(TABLES[BRIDGE])
CONDITIONAL = conditional(V4, compile_words(["ip saddr 10.0.0.0/8"]), TAG, 1)
IFB = Ifb(HOST, "bwp0123456789a", "ifb", OWNER, mtu=1400)
BUCKET = TokenBucket(PORT, OWNER, 1_000_000, 225_000, 3_125_000)
HOOK = IngressHook(PORT, OWNER, IFB.name)
ADMISSION = (*INET_TABLE, *admission.admission())
FENCES = (*ADMISSION, Chain(INET, admission.STRANGERS), admission.fences())
FENCE, FENCE_ALONE = [admission.fence(each, "br0") for each in (SAME_BRIDGE, ISOLATED)]
IPV6_ON = Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0")
FILTERING = "bridge VLAN filtering"


class Law(NamedTuple):
    """A record and what has to be there before it.

    deletable: whether apply ever deletes it alone. needs: what this kernel may lack.
    """

    record: Any
    before: tuple[Any, ...] = ()
    deletable: bool = True
    needs: str = ""

    @property
    def exclusive(self) -> bool:
        """Whether a second one is EEXIST, as the record's own law says."""
        return self.record.lifecycle in (SHARED, OWNED)


BASE = (Bridge("br0"), Up(HOST, "br0"))
WIRED = (*BASE, VETH)


def kept(record: Any, before: tuple[Any, ...] = (), needs: str = "") -> Law:
    """Never deleted by itself."""
    return Law(record, before, deletable=False, needs=needs)


def port(
    number: int,
    container: str = "10.1.0.2",
    owner: str = OWNER,
    host_ip: str = "",
    protocol: str = "tcp",
    condition: str = "",
) -> Element:
    mapping = Mapping(protocol, parse(host_ip) if host_ip else b"", number, parse(container), 80, condition)
    return ports.port_element(mapping, owner)


LAWS: dict[str, Law] = {
    "bridge": Law(Bridge("br0")),
    "bridge with an MTU": Law(Bridge("br0", mtu=1400)),
    "bridge that filters VLANs": Law(Bridge("br0", vlan_filtering=True), needs=FILTERING),
    "bridge up": kept(Up(HOST, "br0"), (Bridge("br0"),)),
    "bridge deaf to routers": kept(NoAdvertisements("br0"), BASE),
    "promiscuous bridge": kept(Promiscuous("br0"), BASE),
    "IPv4 gateway": kept(Gateway("br0", parse_cidr("10.1.0.1/24")), BASE),
    "IPv6 gateway": kept(Gateway("br0", parse_cidr("fd01::1/64")), BASE),
    "host sysctl": kept(Sysctl(HOST, "net/ipv4/ip_forward", "1")),
    "sysctl of a link with a dot": kept(
        Sysctl(HOST, "net/ipv4/conf/br.0/arp_notify", "1"), (Bridge("br.0"),)
    ),
    "container sysctl": kept(Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0")),
    "veth": Law(VETH),
    "veth with everything": Law(veth(PORT, "eth0", OWNER, 1400, MAC)),
    "veth with an odd name": Law(
        veth("veth0123456789a", "e.th-0@x", "n" * 80 + "/" + "c" * 80 + "/" + "i" * 15)
    ),
    "port of a bridge": kept(Port(PORT, "br0"), WIRED),
    "port of a bridge with its flags": kept(Port(PORT, "br0", True, True, False), WIRED),
    "station behind a port": kept(Station(PORT, MAC), (*WIRED, Port(PORT, "br0", learning=False))),
    "VLAN gateway": Law(VlanGateway("br0.100", "br0", 100), BASE),
    "VLANs of a port": kept(
        PortVlans(PORT, ((100, True), (101, False))),
        (Bridge("br0", vlan_filtering=True), VETH, Port(PORT, "br0")),
        needs=FILTERING,
    ),
    "IPv4 address": kept(Address("eth0", parse_cidr("10.1.0.2/24")), WIRED),
    "IPv4 address of one": kept(Address("eth0", parse_cidr("10.1.0.2/32")), WIRED),
    "IPv6 address": kept(Address("eth0", parse_cidr("fd01::2/64")), (*WIRED, IPV6_ON)),
    "container link up": kept(Up(CONTAINER, "eth0"), WIRED),
    "table inet": kept(TABLES[INET]),
    "table bridge": kept(TABLES[BRIDGE]),
    **{
        f"member {number} of table inet": kept(member, INET_TABLE[:number])
        for number, member in enumerate(INET_TABLE)
        if number
    },
    **{
        f"member {number} of table bridge": kept(member, BRIDGE_TABLE[:number])
        for number, member in enumerate(BRIDGE_TABLE)
        if number
    },
    "outside chain": kept(backend.outside(NET4), INET_TABLE),
    "outside chain of IPv6": kept(backend.outside(NET6), INET_TABLE),
    "outside chain of whoever is alone": kept(backend.outside(parse_cidr("10.1.0.2/32")), INET_TABLE),
    "hairpin chain of IPv6": kept(ports.hairpin(NET6), INET_TABLE),
    "hairpin chain": kept(ports.hairpin(NET4), INET_TABLE),
    "hairpin for everybody": kept(ports.hairpin_any(), INET_TABLE),
    "conditional chain": kept(CONDITIONAL, INET_TABLE),
    "masquerade element": Law(
        backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0], (*INET_TABLE, backend.outside(NET4))
    ),
    "masquerade element of IPv6": Law(
        backend.masquerade_elements(parse_cidr("fd01::2/64"), OWNER)[0], (*INET_TABLE, backend.outside(NET6))
    ),
    "hairpin element": Law(
        ports.hairpin_any_element(parse("10.1.0.2"), OWNER), (*INET_TABLE, ports.hairpin_any())
    ),
    "network of an address": Law(
        backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[1], INET_TABLE
    ),
    "network of an IPv6 address": Law(
        ports.hairpin_elements(parse_cidr("fd01::2/128"), OWNER)[1], INET_TABLE
    ),
    "checked port": Law(SPOOF, BRIDGE_TABLE),
    "MAC of a checked port": Law(SPOOF_MAC, BRIDGE_TABLE),
    **{
        f"chain of admission {each.name}": kept(each, ADMISSION[: len(INET_TABLE) + number])
        for number, each in enumerate(admission.admission())
    },
    "chain of strangers": kept(Chain(INET, admission.STRANGERS), INET_TABLE),
    "fences": kept(admission.fences(), INET_TABLE),
    "fence of a bridge": kept(FENCE, FENCES),
    "fence of whoever is alone": kept(FENCE_ALONE, FENCES),
    "fence of a bridge with an odd name": kept(admission.fence(SAME_BRIDGE, 'a"b{;'), FENCES),
    "chain of a bridge's ports": kept(admission.bridged(), BRIDGE_TABLE),
    "admitted address": Law(admission.admitted_element(parse("10.1.0.2"), OWNER), ADMISSION),
    "admitted IPv6 address": Law(admission.admitted_element(parse("fd01::2"), OWNER), ADMISSION),
    "fenced address": Law(
        admission.fenced_element(parse("fd01::2"), Ingress(SAME_BRIDGE, "br0"), OWNER), (*FENCES, FENCE)
    ),
    "port that is alone": Law(admission.alone_element(PORT, OWNER), (*BRIDGE_TABLE, admission.bridged())),
    "port": Law(port(8080), INET_TABLE),
    "port of IPv6": Law(port(8080, "fd01::2", protocol="udp"), INET_TABLE),
    "port of one address": Law(port(8080, host_ip="127.0.0.1", protocol="sctp"), INET_TABLE),
    "port of one IPv6 address": Law(port(8080, "fd01::2", host_ip="2001:db8::1"), INET_TABLE),
    "port with a witness": Law(port(8080, owner=f"{OWNER} veth1234abcd"), INET_TABLE),
    "port with a condition": Law(port(8080, condition=TAG), (*INET_TABLE, CONDITIONAL)),
    "ifb": Law(IFB),
    "token bucket": Law(BUCKET, WIRED),
    "token bucket of many gigabytes a second": Law(
        replace(BUCKET, rate=5_000_000_000, limit=2**32 - 1, buffer=1), WIRED
    ),
    "queue": kept(Queue(PORT, 0x4321_0000, 131072), (*WIRED, BUCKET)),
    "ingress hook": Law(HOOK, WIRED),
    "redirection": kept(Redirect(PORT, IFB.name), (*WIRED, IFB, HOOK)),
    "what keeps a set of claims": kept(zoned.chain(parse("10.1.0.2")), INET_TABLE),
    "claim to an address in a zone": Law(
        zoned.element(parse("10.1.0.2"), OWNER), (*INET_TABLE, zoned.chain(parse("10.1.0.2")))
    ),
    "claim to an IPv6 address": Law(
        zoned.element(parse("fd01::2"), OWNER), (*INET_TABLE, zoned.chain(parse("fd01::2")))
    ),
    "route_localnet": kept(
        LocalnetRouting(parse("10.1.0.2"), ("br0",)), (*BASE, Gateway("br0", parse_cidr("10.1.0.1/24")))
    ),
}
ROUTED = (*WIRED, Address("eth0", parse_cidr("10.1.0.2/24")), Up(CONTAINER, "eth0"))
ROUTED6 = (*WIRED, IPV6_ON, Address("eth0", parse_cidr("fd01::2/64")), Up(CONTAINER, "eth0"))
for name, wanted in {
    "default route": Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")),
    "route on the link": Route("eth0", parse_cidr("10.2.0.0/16")),
    "route with everything": Route(
        "eth0", parse_cidr("10.3.0.0/16"), parse("10.1.0.9"), 1000, 0, 5, 1300, 1200
    ),
    "route of link scope": Route("eth0", parse_cidr("10.4.0.0/16"), scope=253),
    "route in table 0": Route("eth0", parse_cidr("10.5.0.0/16"), table=0),
}.items():
    LAWS[name] = kept(wanted, ROUTED)
LAWS["IPv6 default route"] = kept(Route("eth0", parse_cidr("::/0"), parse("fd01::1")), ROUTED6)
LAWS["IPv6 route with everything"] = kept(
    Route("eth0", parse_cidr("fd03::/48"), parse("fd01::9"), 1000, 0, 5, 1300, 1200), ROUTED6
)
