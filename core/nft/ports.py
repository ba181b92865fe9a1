"""Published ports in our nft tables: the maps and elements of portmap, and what leads their answers back.

Pure.
"""

from __future__ import annotations

from core import address
from core.attachment import hashed
from core.nft.names import (
    ANYBODY,
    CONDITION_DIGITS,
    DASH,
    HAIRPIN,
    INET,
    PROTOCOLS,
    SPECIFIC,
    TABLES,
    Chain,
    Element,
    in_network,
    jump,
    of_prefix,
    suffix,
)
from core.publication import Hairpin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.nft.backend import Records
    from core.nft.expression import Rule
    from core.publication import Mapping, Publication


def publish(wanted: Publication, owner: str) -> Records:
    """Ports of the host lead to ports of a container, from outside, the host and the neighbours."""
    shared: list[Any] = [TABLES[INET]]
    first = wanted.mappings[0]
    if wanted.condition or first.level > 1:
        from core.nft.rules import conditional  # late: nearly always nothing has to hold, on the first level

        shared.append(conditional(first.family, wanted.condition, first.condition, first.level))
    owned = [port_element(each, owner) for each in wanted.mappings]
    if wanted.hairpin and wanted.everybody:
        shared.append(hairpin_any())
        owned.append(hairpin_any_element(wanted.address.address, owner))
    elif wanted.hairpin:
        shared.append(hairpin(wanted.address))
        owned += hairpin_elements(wanted.address, owner)
    return tuple(shared), tuple(owned)


def condition(words: list[str], family: Family) -> tuple[Rule, str]:
    """What has to hold besides, in nft's words or in iptables' own, and its tag. Raises ValueError."""
    from core.nft.conditions import compile_words  # late: conditions are rare

    rule = compile_words(words)
    return rule, hashed(CONDITION_DIGITS, "", f"{family.tag} {rule.text}")


def hairpin(network: Cidr) -> Chain:
    """Neighbours in *network* and the host's loopback are masqueraded on their way to a published port."""
    return of_prefix(HAIRPIN, network)


def hairpin_any() -> Chain:
    """Everybody is masqueraded on the way to a published port (masqAll)."""
    return Chain(INET, f"hairpin{DASH}any", kind=ANYBODY)


def hairpin_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """Translated connections to the container jump to the chain of its prefix, which looks its network up."""
    about = Hairpin(cidr.address, address.network(cidr))
    return jump("hairpin", about, hairpin(cidr).name, owner), in_network("near", about, owner)


def hairpin_any_element(to: bytes, owner: str) -> Element:
    """Translated connections to the container are masqueraded, whoever they come from."""
    return jump("hairpin", Hairpin(to), hairpin_any().name, owner)


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
    """The beginnings of the names of maps for one family and condition.

    Those for one host address, and those on further levels.

    whole: those of the first level for every address, too.
    """
    base = f"hostports{family.tag}{suffix(condition, 1)}"
    return SPECIFIC + base, base if whole else base + DASH
