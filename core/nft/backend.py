"""The nft backend of the packet filter: what a plugin asks for, as tables, chains and elements.

Each function returns two tuples: what attachments share, and what is the owner's alone. Pure.
"""

from __future__ import annotations

from core import address
from core.attachment import hashed
from core.intent import Hairpin, Masquerade, NoSpoof
from core.nft.names import (
    ANYBODY,
    BRIDGE,
    CONDITION_DIGITS,
    DASH,
    HAIRPIN,
    INET,
    OUTSIDE,
    PROTOCOLS,
    SPECIFIC,
    TABLES,
    Chain,
    Element,
    Elements,
    suffix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.intent import Mapping, Publication
    from core.nft.expression import Rule

    Records = tuple[tuple[Any, ...], tuple[Any, ...]]


def masquerade(containers: list[Cidr], owner: str) -> Records:
    """What leaves the network of each container's address is masqueraded."""
    chains = dict.fromkeys([outside(each) for each in containers])
    return (TABLES[INET], *chains), tuple(
        [item for each in containers for item in masquerade_elements(each, owner)]
    )


def no_spoof(link: str, mac: bytes, owner: str) -> Records:
    """Frames that enter through the bridge port *link* carry *mac* or are dropped."""
    return (TABLES[BRIDGE],), spoof_elements(link, mac, owner)


def publish(wanted: Publication, owner: str) -> Records:
    """Ports of the host lead to ports of a container, from outside, from the host and from the container's neighbours."""
    shared: list[Any] = [TABLES[INET]]
    first = wanted.mappings[0]
    if wanted.condition or first.level > 1:
        from core.nft.rules import conditional  # late: nearly always nothing has to hold, on the first level

        shared.append(conditional(first.family, wanted.condition, first.condition, first.level))
    owned = [port_element(each, owner) for each in wanted.mappings]
    if wanted.hairpin and wanted.everybody:
        shared.append(hairpin_any())
        owned.append(hairpin_any_element(wanted.container.address, owner))
    elif wanted.hairpin:
        shared.append(hairpin(wanted.container))
        owned += hairpin_elements(wanted.container, owner)
    return tuple(shared), tuple(owned)


def condition(words: list[str], family: Family) -> tuple[Rule, str]:
    """What has to hold besides, in nft's words or in iptables' own, and its tag. Raises ValueError."""
    from core.nft.conditions import compile_words  # late: conditions are rare

    rule = compile_words(words)
    return rule, hashed(CONDITION_DIGITS, "", f"{family.tag} {rule.text}")


def footprint(intent: str, owner: str) -> tuple[Any, ...]:
    """What DEL deletes."""
    return (Elements(intent, owner),)


def _of_prefix(kind: str, network: Cidr) -> Chain:
    """The chain of all networks with a prefix of that length."""
    family = network.family
    mask = address.mask(network).to_bytes(family.size, "big")
    return Chain(INET, f"{kind}{family.tag}{DASH}{network.prefix_len}", kind=kind, mask=mask)


def outside(network: Cidr) -> Chain:
    """What a source in *network* sends to another unicast address is masqueraded."""
    return _of_prefix(OUTSIDE, network)


def hairpin(network: Cidr) -> Chain:
    """Neighbours in *network* and the host's loopback are masqueraded on their way to a published port."""
    return _of_prefix(HAIRPIN, network)


def hairpin_any() -> Chain:
    """Everybody is masqueraded on the way to a published port (masqAll)."""
    return Chain(INET, f"hairpin{DASH}any", kind=ANYBODY)


def masquerade_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """The container's address jumps to the chain of its prefix, which looks up the network that it lies in."""
    about = Masquerade(cidr.address, address.network(cidr))
    return _jump("masquerade", about, outside(cidr).name, owner), _in_network("inside", about, owner)


def hairpin_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """Translated connections to the container jump to the chain of its prefix, which looks its network up."""
    about = Hairpin(cidr.address, address.network(cidr))
    return _jump("hairpin", about, hairpin(cidr).name, owner), _in_network("near", about, owner)


def hairpin_any_element(container: bytes, owner: str) -> Element:
    """Translated connections to the container are masqueraded, whoever they come from."""
    return _jump("hairpin", Hairpin(container), hairpin_any().name, owner)


def _jump(name: str, about: Masquerade | Hairpin, chain: str, owner: str) -> Element:
    container = about.container
    text = f"{address.text(container)} : jump {chain}"
    return Element(INET, name + address.family(container).tag, container, b"", chain, owner, text, about)


def _in_network(name: str, about: Any, owner: str) -> Element:
    container, net = about.container, about.network.address
    text = f"{address.text(container)} . {address.text(net)}"
    return Element(INET, name + about.network.family.tag, container + net, b"", "", owner, text, about)


def spoof_elements(link: str, mac: bytes, owner: str) -> tuple[Element, ...]:
    """Frames that enter through *link* carry *mac* or are dropped."""
    name, about = link.encode().ljust(16, b"\0"), NoSpoof(link, mac)
    text = f'"{link}" . {mac.hex(":")}'
    allowed = Element(BRIDGE, "spoof_macs", name + mac + b"\0\0", b"", "", owner, text, about)
    return allowed, Element(BRIDGE, "spoof", name, b"", "", owner, f'"{link}"', about)


def port_map(mapping: Mapping) -> str:
    """The name of the map that a mapping stands in."""
    specific = SPECIFIC if mapping.host_address else ""
    return f"{specific}hostports{mapping.family.tag}{suffix(mapping.condition, mapping.level)}"


def port_element(mapping: Mapping, owner: str) -> Element:
    """A host port leads to a container's port."""
    service = bytes([PROTOCOLS[mapping.protocol], 0, 0, 0]) + _port(mapping.host_port)
    where = f"{address.text(mapping.host_address)} . " if mapping.host_address else ""
    to = f"{address.text(mapping.target)} . {mapping.port}"
    text = f"{where}{mapping.protocol} . {mapping.host_port} : {to}"
    data = mapping.target + _port(mapping.port)
    return Element(INET, port_map(mapping), mapping.host_address + service, data, "", owner, text, mapping)


def _port(port: int) -> bytes:
    return port.to_bytes(2, "big") + b"\0\0"


def port_maps_beginning(family: Family, condition: str, whole: bool) -> tuple[str, ...]:
    """What the names of the maps of one family and condition begin with: those for one address, and on further levels.

    whole: those of the first level for every address, too.
    """
    base = f"hostports{family.tag}{suffix(condition, 1)}"
    return SPECIFIC + base, base if whole else base + DASH
