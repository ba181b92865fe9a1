"""The plan of all that publishes the ports of one attachment. Pure but for the clock of the verb."""

from __future__ import annotations

from core import address
from core.address import V4
from core.attachment import Attachment
from core.cni.result import host_links
from core.deadline import check as check_deadline
from core.errors import INVALID_CONFIG, CNIError
from core.plan import filter as intents
from core.plan.localnet import LocalnetRouting
from core.plan.records import Plan
from core.publication import Mapping, Publication
from core.record import replace
from plugins.portmap.options import Options, Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family
    from core.cni.result import Result


def container_addresses(prev_result: Result, ifname: str) -> dict[Family, address.Cidr]:
    """Family -> the container's first address.

    An address counts when its interface is unset, out of range, or the container's entry for *ifname*.
    """
    found: dict[Family, address.Cidr] = {}
    interfaces = prev_result["interfaces"]
    for item in prev_result["ips"]:
        index = item.get("interface", -1)
        entry = interfaces[index] if 0 <= index < len(interfaces) else {"name": ifname, "sandbox": "any"}
        if entry.get("name") == ifname and entry.get("sandbox"):
            cidr = address.parse_cidr(item["address"])
            found.setdefault(cidr.family, cidr)
    return found


def plan(
    wanted: Options, attachment: Attachment, prev_result: Result, witness: str = "", level: int = 1
) -> Plan:
    """All that publishes the ports of one attachment.

    witness: what core.kernel.witness knows; CHECK does without.
    level: on which maps; those of level 2 are looked up behind those of level 1, and so on.
    """
    owner = f"{attachment.owner} {witness}".strip()
    links = tuple(host_links(prev_result, attachment.ifname))
    localnet = LocalnetRouting(b"", links, not prev_result["interfaces"])
    backend, made = wanted.backend.of(attachment), Plan()
    for cidr in container_addresses(prev_result, attachment.ifname).values():
        ports = mappings(wanted, cidr, level)
        if not ports:
            continue
        rule, _ = wanted.conditions.get(cidr.family, (None, ""))
        asked = Publication(cidr, ports, wanted.snat, wanted.masquerade_all, rule, wanted.mappings)
        made += intents.publish(backend, asked, owner)
        if wanted.snat and cidr.family is V4:
            made += Plan((replace(localnet, destination=cidr.address),))
    return Plan(tuple(dict.fromkeys(made.shared)), made.owned)


def mappings_of(wanted: Options, attachment: Attachment, prev_result: Result) -> list[Mapping]:
    """The ports of one attachment in both families."""
    containers = container_addresses(prev_result, attachment.ifname).values()
    return [mapping for cidr in containers for mapping in mappings(wanted, cidr)]


def mappings(wanted: Options, container: address.Cidr, level: int = 1) -> tuple[Mapping, ...]:
    """The ports of one family, each once. Raises CNIError where one is asked for twice."""
    family = container.family
    _, tag = wanted.conditions.get(family, (None, ""))
    found: dict[tuple[object, ...], Mapping] = {}
    for item in wanted.mappings:
        check_deadline()
        if item.host_address is not None and address.family(item.host_address) is not family:
            continue
        mapping = _mapping(item, container.address, tag, level)
        place = mapping.protocol, mapping.host_address, mapping.host_port
        other = found.setdefault(place, mapping)
        if other != mapping:
            raise CNIError(INVALID_CONFIG, f"runtimeConfig.portMappings: {other} contradicts {mapping}")
    return tuple(found.values())


def _mapping(item: Wanted, target: bytes, tag: str, level: int) -> Mapping:
    host_address = item.host_address if item.host_address and any(item.host_address) else b""
    return Mapping(item.protocol, host_address, item.host_port, target, item.container_port, tag, level)
