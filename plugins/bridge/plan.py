"""The plan of one attachment to a bridge. Pure."""

from __future__ import annotations

from core import address
from core.address import V4, V6
from core.attachment import Attachment, hashed
from core.errors import INVALID_CONFIG, CNIError
from core.plan import filter as intents
from core.plan import from_ipam
from core.plan.records import CONTAINER, HOST, Bridge, Gateway, NoAdvertisements, Plan, Port, Sysctl, Up, veth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.result import Result
    from plugins.bridge.options import Options


def gateway_link(wanted: Options) -> str:
    """The host's link that carries the container's gateway, and so knows its neighbours."""
    return vlan_link(wanted) if wanted.layer3 and wanted.is_gateway and wanted.vlan else wanted.bridge


def vlan_link(wanted: Options) -> str:
    """The host's end of the veth pair that carries the gateway of the port's VLAN."""
    return f"{wanted.bridge}.{wanted.vlan}"


def plan(wanted: Options, attachment: Attachment, answer: Result, mac: bytes) -> Plan:
    """All that one attachment needs.

    *answer*: the completed IPAM result (no ips for layer 2); *mac*: the container's.
    """
    port, ifname = attachment.host_ifname, attachment.ifname
    shared: list[object] = [Bridge(wanted.bridge, wanted.mtu, wanted.vlan_filtering)]
    if wanted.promiscuous:
        from core.plan.switching import Promiscuous  # late: a bridge learns, as a rule

        shared.append(Promiscuous(wanted.bridge))
    shared += [Up(HOST, wanted.bridge, _speaks_ipv6(wanted, answer)), NoAdvertisements(wanted.bridge)]
    pair = veth(port, ifname, attachment.owner, wanted.mtu, mac, held=wanted.spoof_check)
    wired = Plan((), (Port(port, wanted.bridge, wanted.hairpin, wanted.isolated, not wanted.spoof_check),))
    if wanted.vlans:
        from core.plan.switching import PortVlans  # late: few networks have VLANs

        wired += Plan((), (PortVlans(port, wanted.vlans, wanted.keep_default_vlan),))
    if wanted.spoof_check:  # a bridge learns from frames to group 0e before any rule sees them
        from core.plan.switching import Station  # late: few networks check

        wired += Plan((), (Station(port, mac),))
    settings = Sysctl(HOST, f"net/ipv6/conf/{port}/accept_ra", "0", required=False)
    made = Plan(tuple(shared), (pair, settings))
    checked = _spoof_check(wanted, attachment, mac)
    gateway = _gateway(wanted, answer) if wanted.layer3 and wanted.is_gateway else Plan()
    rules = Plan()
    if wanted.layer3 and wanted.masquerade:
        leaving = [wanted.leaves(each) for each in from_ipam.cidrs(answer)]
        rules = intents.masquerade(wanted.backend.of(attachment), leaving, attachment.comment)
    container = _container(wanted, ifname, answer)
    if _comes_up_unheard(wanted, answer):
        return made + gateway + container + checked + rules + wired
    return made + checked + wired + gateway + rules + container


def _speaks_ipv6(wanted: Options, answer: Result) -> bool:
    """Whether the host has an IPv6 address on the bridge or its VLAN's gateway."""
    present = [cidr.family for cidr in from_ipam.cidrs(answer)] if wanted.layer3 else []
    return wanted.is_gateway and V6 in present


def _spoof_check(wanted: Options, attachment: Attachment, mac: bytes) -> Plan:
    """It stands before there is a port, and falls after it: no frame passes in between.

    It comes behind the veth, whose name the kernel gives to one attachment only: with the name goes the right
    to the elements that it is the key of, and what another has left there is stale (core.plan.taken).
    """
    if not wanted.spoof_check:
        return Plan()
    return intents.no_spoof(intents.NFT, attachment.host_ifname, mac, attachment.comment)


def _container(wanted: Options, ifname: str, answer: Result) -> Plan:
    """The container's end: settings, addresses, link up, routes."""
    if wanted.layer3:
        return from_ipam.addressing(ifname, answer, wanted.detect)
    if wanted.disabled:
        return Plan()
    before, after = from_ipam.detection(ifname, wanted.detect), from_ipam.announcements(ifname, {V4, V6})
    return Plan((), (*before, Up(CONTAINER, ifname), *after))


def _comes_up_unheard(wanted: Options, answer: Result) -> bool:
    """Whether the link may come up in the container before it is a port of the bridge.

    Then the frames that the kernel sends when a link comes up are flooded to no other port, which would cost
    more than all the rest on a bridge with many. Not so with IPv6, whose multicast groups the bridge has to
    learn; with duplicate address detection, which has to reach the others; and where a router on the bridge
    may answer a solicitation.
    """
    families = [cidr.family for cidr in from_ipam.cidrs(answer)]
    return wanted.layer3 and wanted.is_gateway and not wanted.detect and V6 not in families


def _gateway(wanted: Options, answer: Result) -> Plan:
    """The gateway addresses, on the bridge or on its VLAN's gateway, and forwarding."""
    shared: list[Any] = []
    link = gateway_link(wanted)
    if wanted.vlan:
        from core.plan.switching import PortVlans, VlanGateway  # late: as above

        access = PortVlans(hashed(15, "veth", link), ((wanted.vlan, True),))
        shared += [VlanGateway(link, wanted.bridge, wanted.vlan, wanted.mtu), access]
        shared.append(Up(HOST, link, _speaks_ipv6(wanted, answer)))
    for item in answer["ips"]:
        own, gateway = address.parse_cidr(item["address"]), address.parse(item["gateway"])
        if address.family(gateway) is not own.family:
            told = f"ips: gateway {item['gateway']} is not of the family of address {item['address']}"
            raise CNIError(INVALID_CONFIG, told)
        cidr = address.Cidr(gateway, own.prefix_len)
        shared.append(Gateway(link, cidr, wanted.force_address))
    return Plan((*dict.fromkeys(shared), *from_ipam.forwarding(answer)))
