"""Elements of our maps, read back from the kernel, with what they are for: the other half of core.nft.backend.

Law: an element that somebody else wrote into our maps may consist of any bytes; then it is for nothing (None). Pure but
for the clock of the verb.
"""

from __future__ import annotations

from core.address import Cidr, family, network
from core.deadline import check as check_deadline
from core.intent import Hairpin, Mapping, Masquerade, NoSpoof
from core.netlink.message import attribute_list, attributes, text
from core.nft import values
from core.nft.names import CONDITION_DIGITS, DASH, FAMILY_OF_TAG, PROTOCOLS, SPECIFIC, Element
from core.nft.values import NFGENMSG_BYTES, comment_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROTOCOL_OF = {number: name for name, number in PROTOCOLS.items()}
SERVICE_BYTES = 8  # protocol and port, padded, at the end of the key of every port


def decoded(table: str, name: str, payload: bytes, containing: bytes = b"") -> list[Element]:
    """The elements of the map *name* in one NFT_MSG_NEWSETELEM payload, of those whose bytes contain *containing*."""
    check_deadline()
    members = attributes(payload, NFGENMSG_BYTES).get(values.NFTA_SET_ELEM_LIST_ELEMENTS, b"")
    meaning = reader(name)
    found = [attributes(data) for _, data in attribute_list(members) if containing in data]
    return [_element(table, name, each, meaning) for each in found]


def _element(
    table: str, name: str, found: dict[int, bytes], meaning: Callable[[bytes, bytes, str], Any]
) -> Element:
    key = attributes(found.get(values.NFTA_SET_ELEM_KEY, b"")).get(values.NFTA_DATA_VALUE, b"")
    mapped = attributes(found.get(values.NFTA_SET_ELEM_DATA, b""))
    data = mapped.get(values.NFTA_DATA_VALUE, b"")
    chain = attributes(mapped.get(values.NFTA_DATA_VERDICT, b"")).get(values.NFTA_VERDICT_CHAIN, b"")
    owner = comment_text(found.get(values.NFTA_SET_ELEM_USERDATA, b""))
    jump = text(chain)
    return Element(table, name, key, data, jump, owner, "", meaning(key, data, jump))


def reader(name: str) -> Callable[[bytes, bytes, str], Any]:
    """The function that tells what an element of the map *name* is for, by its key, its data and the chain it jumps to."""
    base, *parts = name.split(DASH)
    stem, tag = base[:-1], base[-1:]
    if stem.removeprefix(SPECIFIC) == "hostports" and tag in FAMILY_OF_TAG:
        size = FAMILY_OF_TAG[tag].size
        return _port_reader(size if stem.startswith(SPECIFIC) else 0, size, parts)
    return READERS.get(base if base.startswith("spoof") else stem, _nothing)


def _nothing(_key: bytes, _data: bytes, _chain: str) -> None:
    return None


def _port_reader(host_bytes: int, size: int, parts: list[str]) -> Callable[[bytes, bytes, str], Any]:
    """A reader of ports: *host_bytes* of each key are the host's address, *size* of the data the container's.

    parts: what is behind the name of the map; the tag of a condition, a level, or both.
    """
    condition = parts[0] if parts and len(parts[0]) == CONDITION_DIGITS else ""
    numbers = parts[1:] if condition else parts
    if len(numbers) > 1 or not all([each.isdecimal() for each in numbers]):
        return _nothing
    level = int(numbers[0]) if numbers else 1

    def read(key: bytes, data: bytes, _chain: str) -> Mapping | None:
        protocol = PROTOCOL_OF.get(key[host_bytes]) if len(key) == host_bytes + SERVICE_BYTES else None
        if protocol is None or len(data) < size + 2:
            return None
        host_port, port = int.from_bytes(key[-4:-2], "big"), int.from_bytes(data[size : size + 2], "big")
        return Mapping(protocol, key[:host_bytes], host_port, data[:size], port, condition, level)

    return read


def _masquerade(key: bytes, _data: bytes, chain: str) -> Masquerade | None:
    return Masquerade(_container(key), _network(key, chain))


def _hairpin(key: bytes, _data: bytes, chain: str) -> Hairpin | None:
    return Hairpin(_container(key), _network(key, chain))


def _container(key: bytes) -> bytes:
    """The container's address; behind it may stand that of its network."""
    return key[: len(key) // 2] if len(key) in (8, 32) else key


def _network(key: bytes, chain: str) -> Cidr | None:
    """The network of an address, whose length the name of the chain for its prefix tells."""
    length = chain.rpartition(DASH)[2]
    if len(key) not in (4, 16) or not length.isdecimal() or int(length) > 8 * family(key).size:
        return None
    return network(Cidr(key, int(length)))


def _no_spoof(key: bytes, _data: bytes, _chain: str) -> NoSpoof:
    return NoSpoof(key[:16].rstrip(b"\0").decode("utf-8", "replace"), key[16:22])


READERS: dict[str, Callable[[bytes, bytes, str], Any]] = {
    "masquerade": _masquerade,
    "inside": _masquerade,
    "hairpin": _hairpin,
    "near": _hairpin,
    "spoof": _no_spoof,
    "spoof_macs": _no_spoof,
}
