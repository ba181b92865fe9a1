"""The plan of one attachment to a bridge. Pure."""

from __future__ import annotations

from core import address
from core.address import V4, V6
from core.attachment import Attachment, hashed
from core.errors import INVALID_CONFIG, CNIError
from core.plan import filter as intents
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
    VlanGateway,
    veth,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cni.result import Result
    from plugins.bridge.options import Options


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
    pair = veth(port, ifname, attachment.owner, wanted.mtu, mac, held=wanted.spoof_check)
    wired = Plan((), (Port(port, wanted.bridge, wanted.hairpin, wanted.isolated, not wanted.spoof_check),))
    if wanted.vlans:
        wired += Plan((), (PortVlans(port, wanted.vlans, wanted.keep_default_vlan),))
    if wanted.spoof_check:  # a bridge learns from frames to group 0e before any rule sees them
        wired += Plan((), (Station(port, mac),))
    made = Plan(tuple(shared)) + _spoof_check(wanted, attachment, mac)
    made += Plan((), (pair, Sysctl(HOST, f"net/ipv6/conf/{port}/accept_ra", "0", required=False)))
    gateway = _gateway(wanted, answer) if wanted.layer3 and wanted.is_gateway else Plan()
    rules = Plan()
    if wanted.layer3 and wanted.masquerade:
        rules = intents.masquerade(wanted.backend, from_ipam.cidrs(answer), attachment.comment)
    container = _container(wanted, ifname, answer)
    if _comes_up_unheard(wanted, answer):
        return made + gateway + container + rules + wired
    return made + wired + gateway + rules + container


def _speaks_ipv6(wanted: Options, answer: Result) -> bool:
    """Whether the host has an IPv6 address on the bridge or its VLAN's gateway."""
    return (
        wanted.layer3 and wanted.is_gateway and any([cidr.family is V6 for cidr in from_ipam.cidrs(answer)])
    )


def _spoof_check(wanted: Options, attachment: Attachment, mac: bytes) -> Plan:
    """It stands before there is a port, and falls after it: no frame passes in between."""
    if not wanted.spoof_check:
        return Plan()
    return intents.no_spoof(
        intents.BACKENDS[intents.NFTABLES], attachment.host_ifname, mac, attachment.comment
    )


def _container(wanted: Options, ifname: str, answer: Result) -> Plan:
    """The container's end: settings, addresses, link up, routes."""
    if wanted.layer3:
        return from_ipam.addressing(ifname, answer, wanted.detect)
    if wanted.disabled:
        return Plan()
    return Plan(
        (),
        (
            *from_ipam.detection(ifname, wanted.detect),
            Up(CONTAINER, ifname),
            *from_ipam.announcements(ifname, {V4, V6}),
        ),
    )


def _comes_up_unheard(wanted: Options, answer: Result) -> bool:
    """Whether the port may be wired last, so that what the kernel says when the container's link comes up is flooded to no other port.

    On a bridge with many ports that would cost more than all the rest. But IPv6 addresses want their multicast groups known, duplicate
    detection wants to be heard, and where the host is not the gateway a router may answer the solicitation.
    """
    return (
        wanted.layer3
        and wanted.is_gateway
        and not wanted.detect
        and all([cidr.family is V4 for cidr in from_ipam.cidrs(answer)])
    )


def _gateway(wanted: Options, answer: Result) -> Plan:
    """The gateway addresses, on the bridge or on its VLAN's gateway, and forwarding."""
    link, shared = wanted.bridge, []
    if wanted.vlan:
        pair = vlan_gateway(wanted)
        link = pair.name
        shared += [
            pair,
            PortVlans(hashed(15, "veth", pair.name), ((wanted.vlan, True),)),
            Up(HOST, link, _speaks_ipv6(wanted, answer)),
        ]
    for item in answer["ips"]:
        own, gateway = address.parse_cidr(item["address"]), address.parse(item["gateway"])
        if address.family(gateway) is not own.family:
            raise CNIError(
                INVALID_CONFIG,
                f"ips: gateway {item['gateway']} is not of the family of address {item['address']}",
            )
        cidr = address.Cidr(gateway, own.prefix_len)
        shared.append(Gateway(link, cidr, wanted.force_address))
    return Plan((*dict.fromkeys(shared), *from_ipam.forwarding(answer)))
