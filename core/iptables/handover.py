"""What an attachment has in our nft maps, as the reference suite would have it in iptables. Pure.

For a node that goes back to the reference suite, whose DEL knows its own shapes alone. Its chains are shared
by all interfaces that a container has on a network, so the elements of all of them make one plan.
"""

from __future__ import annotations

from core import address
from core.address import Cidr
from core.intent import ADMIT, ISOLATE, MASQUERADE, OPEN, PUBLISH, ZONE, Ingress
from core.iptables.backend import Backend
from core.publication import Publication

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.iptables.backend import Records
    from core.publication import Mapping

    Elements = dict[str, list[Any]]  # intent -> elements of our maps

RAW = "raw"  # a table in which the reference has nothing


def movable(found: Elements) -> list[str]:
    """The intents whose elements have the same meaning in the reference's shapes.

    Not so ports under a condition, of which only a hash is known; fences, which are a bridge's there; and
    what firewalld was asked for besides, as the reference then writes no rules.
    """
    conditioned = any([getattr(each.about, "condition", "") for each in found[PUBLISH]])
    fenced = any([each.map.startswith("fenced") for each in found[ADMIT]])
    kept = {PUBLISH: conditioned, ADMIT: fenced or found[ISOLATE] or found[ZONE]}
    return [intent for intent in (MASQUERADE, PUBLISH, ADMIT) if found[intent] and not kept.get(intent)]


def records(found: Elements, attachment: Attachment) -> Records:
    """The chains and rules for what is movable: those that all share, and the container's own.

    attachment: the one whose chains they are, the container's first.
    """
    made: list[Records] = []
    backend = Backend().of(attachment)
    intents = movable(found)
    if MASQUERADE in intents:
        made.append(backend.masquerade(_masqueraded(found[MASQUERADE]), attachment.owner))
    if PUBLISH in intents:
        made += [backend.publish(each, attachment.owner) for each in _publications(found[PUBLISH])]
    if ADMIT in intents:
        admitted = [each.about.address for each in found[ADMIT] if each.about]
        made.append(backend.admit(list(dict.fromkeys(admitted)), Ingress(OPEN), attachment.owner))
    shared = [each for several, _ in made for each in several if each.table != RAW]
    return tuple(dict.fromkeys(shared)), tuple([each for _, several in made for each in several])


def _masqueraded(elements: list[Any]) -> list[Cidr]:
    """Each address with the length of its network's prefix."""
    told = [each.about for each in elements if each.about and each.about.network]
    return list(dict.fromkeys([Cidr(each.address, each.network.prefix_len) for each in told]))


def _publications(elements: list[Any]) -> list[Publication]:
    """The published ports in each family, of all levels."""
    told = [each.about for each in elements if hasattr(each.about, "host_port")]
    asked = tuple({(each.protocol, each.host_port): each for each in told}.values())
    families = dict.fromkeys([each.family for each in told])
    return [
        _publication([each for each in told if each.family is family], elements, asked) for family in families
    ]


def _publication(ports: list[Mapping], elements: list[Any], asked: tuple[Any, ...]) -> Publication:
    """What the map of hairpins says of their addresses: from where they are masqueraded, if at all."""
    targets = [each.target for each in ports]
    ways = [each for each in elements if each.map.startswith("hairpin") and each.about.address in targets]
    networks = [each.about.network for each in ways if each.about.network]
    own = Cidr(targets[0], networks[0].prefix_len) if networks else address.host_prefix(targets[0])
    return Publication(own, tuple(ports), bool(ways), bool(ways) and not networks, None, asked)
