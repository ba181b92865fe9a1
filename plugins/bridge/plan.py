"""What a bridge configuration asks for, and the plan that follows from it. Pure."""

from __future__ import annotations

from core import address
from core.attachment import Attachment, hashed
from core.cni.config import Section, cni_args
from core.cni.result import dns
from core.errors import INVALID_CONFIG, CNIError
from core.nft import names
from core.plan import from_ipam
from core.plan.records import (
    CONTAINER,
    HOST,
    Bridge,
    Gateway,
    NoAdvertisements,
    Plan,
    Port,
    PortVlans,
    Promiscuous,
    Station,
    Sysctl,
    Up,
    Veth,
    VlanGateway,
)
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.result import Result

LARGEST_MTU = 65535
LARGEST_VLAN = 4094


class Options(Record):
    """The keys of the configuration, checked. vlans: (id, native?) pairs of the port; dns: None when it overrides nothing."""

    bridge: str
    is_gateway: bool
    is_default_gateway: bool
    force_address: bool
    masquerade: bool
    mtu: int
    hairpin: bool
    promiscuous: bool
    vlan: int
    vlans: tuple[tuple[int, bool], ...]
    vlan_filtering: bool
    keep_default_vlan: bool
    spoof_check: bool
    detect: bool
    disabled: bool
    isolated: bool
    ipam: str
    dns: dict[str, Any] | None
    mac: bytes

    @property
    def layer3(self) -> bool:
        """Whether the container gets addresses."""
        return bool(self.ipam)

    def complete(self, ipam: Result) -> Result:
        """IPAM's result with what the configuration adds: gateways, default routes, dns."""
        answer = {**self.own(ipam), "routes": list(ipam["routes"])}
        if self.is_default_gateway:
            answer["routes"] += self._default_routes(answer)
        return answer if self.dns is None else {**answer, "dns": self.dns}

    def given(self, own: Result) -> Result:
        """Of a prevResult what ADD was given: where the bridge is the gateway, every address of ours got one, and a later plugin's may have none."""
        marked = [item for item in own["ips"] if "gateway" in item]
        return self.own({**own, "ips": marked if self.is_gateway and marked else own["ips"]})

    def own(self, source: Result) -> Result:
        """*source* with the container's interface index and, for a gateway bridge, a gateway at each address."""
        ips = []
        for item in source["ips"]:
            cidr = address.parse_cidr(item["address"])
            implied = {"gateway": address.text(address.first_host(cidr))} if self.is_gateway else {}
            ips.append({"interface": 2, "address": item["address"], **implied, **{key: item[key] for key in item if key != "interface"}})
        return {**source, "ips": ips}

    def _default_routes(self, answer: Result) -> list[dict[str, Any]]:
        """One through the bridge for each family that has an address and no default route with a gateway yet."""
        routed = {len(address.parse_cidr(item["dst"]).address) for item in answer["routes"] if item["dst"].endswith("/0") and "gw" in item}
        made = []
        for size, gateway in from_ipam.gateways(answer).items():
            if size not in routed:
                made.append({"dst": str(from_ipam.DEFAULT[size]), "gw": address.text(gateway)})
        return made


def options(config: Section, args: str) -> Options:
    """Read and check every key. Raises CNIError."""
    from_ipam.masquerade_backend(config)
    vlan = config.integer("vlan", 0, LARGEST_VLAN)
    trunk = _trunk(config)
    is_default_gateway = config.boolean("isDefaultGateway")
    wanted = Options(
        bridge=_bridge_name(config),
        is_gateway=config.boolean("isGateway") or is_default_gateway,
        is_default_gateway=is_default_gateway,
        force_address=config.boolean("forceAddress"),
        masquerade=config.boolean("ipMasq"),
        mtu=config.integer("mtu", 0, LARGEST_MTU),
        hairpin=config.boolean("hairpinMode"),
        promiscuous=config.boolean("promiscMode"),
        vlan=vlan,
        vlans=_port_vlans(vlan, trunk),
        vlan_filtering=bool(vlan) or "vlanTrunk" in config,
        keep_default_vlan=config.boolean("preserveDefaultVlan"),
        spoof_check=config.boolean("macspoofchk"),
        detect=config.boolean("enabledad"),
        disabled=config.boolean("disableContainerInterface"),
        isolated=config.boolean("portIsolation"),
        ipam=config.section("ipam").text("type"),
        dns=_dns(config),
        mac=from_ipam.container_mac(config, cni_args(args, ("MAC",))),
    )
    return _consistent(wanted)


def _consistent(wanted: Options) -> Options:
    if wanted.ipam and wanted.disabled:
        contradiction = f"disableContainerInterface: true contradicts ipam.type {wanted.ipam!r}"
        raise CNIError(INVALID_CONFIG, contradiction, "a link that stays down has no addresses")
    if wanted.hairpin and wanted.promiscuous:
        raise CNIError(INVALID_CONFIG, "hairpinMode: true contradicts promiscMode: true", "choose one of them")
    if 0 < wanted.mtu < 68 or (0 < wanted.mtu < 1280 and wanted.detect):
        raise CNIError(INVALID_CONFIG, f"mtu: want at least 68 (1280 with IPv6), found {wanted.mtu}")
    return wanted


def _bridge_name(config: Section) -> str:
    from core.cni.protocol import ifname_complaint  # loaded already; named here for the one rule on interface names

    name = config.text("bridge") or "cni0"
    complaint = ifname_complaint(name) or ("the kernel would take it as a pattern and make another one each time" if "%" in name else "")
    if complaint:
        raise CNIError(INVALID_CONFIG, f"bridge: want the name of an interface, found {name!r}: {complaint}")
    return name


def _dns(config: Section) -> dict[str, Any] | None:
    section = config.section("dns")
    return dns(section) if any([key in section for key in ("nameservers", "domain", "search", "options")]) else None


def _trunk(config: Section) -> list[int]:
    """The ids of vlanTrunk, sorted, each once. Raises CNIError."""
    ids: set[int] = set()
    for item in config.sections("vlanTrunk"):
        if "id" in item:
            ids.add(item.integer("id", 1, LARGEST_VLAN))
        low, high = item.integer("minID", 1, LARGEST_VLAN), item.integer("maxID", 1, LARGEST_VLAN)
        if bool(low) != bool(high) or low > high:
            raise CNIError(INVALID_CONFIG, f"{item.path}: want minID and maxID, the smaller first, found minID {low} and maxID {high}")
        ids.update(range(low, high + 1) if low else ())
    return sorted(ids)


def _port_vlans(vlan: int, trunk: list[int]) -> tuple[tuple[int, bool], ...]:
    """The native VLAN (1 for a trunk without one) and the tagged ones."""
    native = vlan or (1 if trunk else 0)
    tagged = tuple([(each, False) for each in trunk if each != native])
    return (((native, True),) if native else ()) + tagged


def vlan_gateway(wanted: Options) -> VlanGateway:
    """The veth pair that carries the gateway of the port's VLAN."""
    return VlanGateway(f"{wanted.bridge}.{wanted.vlan}", wanted.bridge, wanted.vlan, wanted.mtu)


def gateway_link(wanted: Options) -> str:
    """The host's link that carries the container's gateway, and so knows its neighbours."""
    return vlan_gateway(wanted).name if wanted.layer3 and wanted.is_gateway and wanted.vlan else wanted.bridge


def plan(wanted: Options, attachment: Attachment, answer: Result, mac: bytes) -> Plan:
    """All that one attachment needs. *answer*: the completed IPAM result (no ips for layer 2); *mac*: the container's."""
    port, ifname = attachment.host_ifname, attachment.ifname
    shared: list[object] = [Bridge(wanted.bridge, wanted.mtu, wanted.vlan_filtering)]
    shared += [Promiscuous(wanted.bridge)] if wanted.promiscuous else []
    shared += [Up(HOST, wanted.bridge, _speaks_ipv6(wanted, answer)), NoAdvertisements(wanted.bridge)]
    pair = Veth(port, ifname, attachment.owner, wanted.mtu, mac, held=wanted.spoof_check)
    wired = Plan((), (Port(port, wanted.bridge, wanted.hairpin, wanted.isolated, not wanted.spoof_check),))
    if wanted.vlans:
        wired += Plan((), (PortVlans(port, wanted.vlans, wanted.keep_default_vlan),))
    if wanted.spoof_check:  # a bridge learns from frames to group 0e before any rule sees them
        wired += Plan((), (Station(port, mac),))
    made = Plan(tuple(shared)) + _spoof_check(wanted, attachment, mac)
    made += Plan((), (pair, Sysctl(HOST, f"net/ipv6/conf/{port}/accept_ra", "0", required=False)))
    gateway = _gateway(wanted, answer) if wanted.layer3 and wanted.is_gateway else Plan()
    rules = from_ipam.masquerade(answer, attachment.comment) if wanted.layer3 and wanted.masquerade else Plan()
    container = _container(wanted, ifname, answer)
    if _comes_up_unheard(wanted, answer):
        return made + gateway + container + rules + wired
    return made + wired + gateway + rules + container


def _speaks_ipv6(wanted: Options, answer: Result) -> bool:
    """Whether the host has an IPv6 address on the bridge or its VLAN's gateway."""
    return wanted.layer3 and wanted.is_gateway and any([len(cidr.address) == 16 for cidr in from_ipam.cidrs(answer)])


def _spoof_check(wanted: Options, attachment: Attachment, mac: bytes) -> Plan:
    """It stands before there is a port, and falls after it: no frame passes in between."""
    if not wanted.spoof_check:
        return Plan()
    return Plan((names.TABLES[names.BRIDGE],), names.spoof_elements(attachment.host_ifname, mac, attachment.comment))


def _container(wanted: Options, ifname: str, answer: Result) -> Plan:
    """The container's end: settings, addresses, link up, routes."""
    if wanted.layer3:
        return from_ipam.addressing(ifname, answer, wanted.detect)
    if wanted.disabled:
        return Plan()
    return Plan((), (*from_ipam.detection(ifname, wanted.detect), Up(CONTAINER, ifname), *from_ipam.announcements(ifname, {4, 16})))


def _comes_up_unheard(wanted: Options, answer: Result) -> bool:
    """Whether the port may be wired last, so that what the kernel says when the container's link comes up is flooded to no other port.

    On a bridge with many ports that would cost more than all the rest. But IPv6 addresses want their multicast groups known, duplicate
    detection wants to be heard, and where the host is not the gateway a router may answer the solicitation.
    """
    return wanted.layer3 and wanted.is_gateway and not wanted.detect and all([len(cidr.address) == 4 for cidr in from_ipam.cidrs(answer)])


def _gateway(wanted: Options, answer: Result) -> Plan:
    """The gateway addresses, on the bridge or on its VLAN's gateway, and forwarding."""
    link, shared = wanted.bridge, []
    if wanted.vlan:
        pair = vlan_gateway(wanted)
        link = pair.name
        shared += [pair, PortVlans(hashed(15, "veth", pair.name), ((wanted.vlan, True),)), Up(HOST, link, _speaks_ipv6(wanted, answer))]
    for item in answer["ips"]:
        own, gateway = address.parse_cidr(item["address"]), address.parse(item["gateway"])
        if len(gateway) != len(own.address):
            raise CNIError(INVALID_CONFIG, f"ips: gateway {item['gateway']} is not of the family of address {item['address']}")
        cidr = address.Cidr(gateway, own.prefix_len)
        shared.append(Gateway(link, cidr, wanted.force_address))
    return Plan((*dict.fromkeys(shared), *from_ipam.forwarding(answer)))
