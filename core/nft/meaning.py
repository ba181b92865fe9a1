"""What elements of our maps are for, read from their bytes.

The other half of core.nft.backend and core.nft.ports, which write them.

Law: an element that somebody else wrote into our maps may consist of any bytes; then it is for nothing
(None). Pure.
"""

from __future__ import annotations

from core.address import V4, V6, Cidr, family, network
from core.intent import Admitted, Fenced, Isolated, Masquerade, NoSpoof, Zoned
from core.nft.names import CONDITION_DIGITS, DASH, FAMILY_OF_TAG, PROTOCOLS, SPECIFIC, Element
from core.publication import Hairpin, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

PROTOCOL_OF = {number: name for name, number in PROTOCOLS.items()}
SERVICE_BYTES = 8  # protocol and port, padded, at the end of the key of every port


def understand(elements: Iterable[Element]) -> None:
    """Tell elements that were just read, and that nobody else has yet, what each of them is for."""
    readers: dict[str, Callable[[bytes, bytes, str], Any]] = {}
    for each in elements:
        read = readers.get(each.map) or readers.setdefault(each.map, reader(each.map))
        vars(each)["about"] = read(each.key, each.data, each.chain)


def reader(name: str) -> Callable[[bytes, bytes, str], Any]:
    """The function that tells what an element of the map *name* is for.

    It takes the key, the data and the name of the chain that the element jumps to.
    """
    base, *parts = name.split(DASH)
    stem, tag = base[:-1], base[-1:]
    if stem.removeprefix(SPECIFIC) == "hostports" and tag in FAMILY_OF_TAG:
        size = FAMILY_OF_TAG[tag].size
        return _port_reader(size if stem.startswith(SPECIFIC) else 0, size, parts)
    return READERS.get(base) or READERS.get(stem, _nothing)


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
    return Masquerade(_address(key), _network(key, chain))


def _hairpin(key: bytes, _data: bytes, chain: str) -> Hairpin | None:
    return Hairpin(_address(key), _network(key, chain))


def _address(key: bytes) -> bytes:
    """The container's address; behind it may stand that of its network."""
    return key[: len(key) // 2] if len(key) in (8, 32) else key


def _network(key: bytes, chain: str) -> Cidr | None:
    """The network of an address, whose length the name of the chain for its prefix tells."""
    length = chain.rpartition(DASH)[2]
    if len(key) not in (4, 16) or not length.isdecimal() or int(length) > 8 * family(key).size:
        return None
    return network(Cidr(key, int(length)))


def _no_spoof(key: bytes, _data: bytes, _chain: str) -> NoSpoof:
    return NoSpoof(_name(key), key[16:22])


def _admitted(key: bytes, _data: bytes, _chain: str) -> Admitted:
    return Admitted(key)


def _fenced(key: bytes, _data: bytes, _chain: str) -> Fenced:
    return Fenced(key)


def _isolated(key: bytes, _data: bytes, _chain: str) -> Isolated:
    return Isolated(_name(key))


def _name(key: bytes) -> str:
    return key[:16].rstrip(b"\0").decode("utf-8", "replace")


def _zoned(key: bytes, _data: bytes, _chain: str) -> Zoned | None:
    return Zoned(key) if len(key) in (V4.size, V6.size) else None


READERS: dict[str, Callable[[bytes, bytes, str], Any]] = {
    "masquerade": _masquerade,
    "inside": _masquerade,
    "hairpin": _hairpin,
    "near": _hairpin,
    "spoof": _no_spoof,
    "spoof_macs": _no_spoof,
    "zoned": _zoned,
    "admitted": _admitted,
    "fenced": _fenced,
    "alone": _isolated,
}
