"""Ranges of addresses and sets of them: canonical form, membership, overlap, and the order of trying.

Law: no range is ever walked address by address; what is to be tried is told as spans (low, high), both ends
allowed. In spans addresses are integers; their width (4 or 16 bytes) is that of the subnet. Pure.
"""

from __future__ import annotations

from core import address
from core.address import Cidr
from core.cni.config import Section
from core.cni.result import one_of_a_family
from core.errors import INVALID_CONFIG, CNIError
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    RangeSet = tuple["Range", ...]


class Range(Record):
    """The addresses *start* to *end* of *subnet* without its *gateway*; all are packed and of one family."""

    subnet: Cidr
    start: bytes
    end: bytes
    gateway: bytes

    def __contains__(self, packed: bytes) -> bool:
        return len(packed) == len(self.start) and self.start <= packed <= self.end

    def __str__(self) -> str:
        return f"{address.text(self.start)}-{address.text(self.end)}"


def parse(section: Section) -> Range:
    """The Range of subnet, rangeStart, rangeEnd and gateway.

    By default gateway and start are network + 1, and end is the last host (IPv4: broadcast - 1;
    IPv6: all ones). The gateway may lie outside of the subnet.
    Raises CNIError(INVALID_CONFIG) naming key and value.
    """
    subnet = section.cidr("subnet")
    if subnet is None:
        raise section.wrong("subnet", "an address with prefix length")
    bits = len(subnet.address) * 8
    if subnet.prefix_len > bits - 2:
        wanted = f"a network of at least four addresses (/{bits - 2}), this one is too small to allocate from"
        raise section.wrong("subnet", wanted)
    network = address.network(subnet)
    if network != subnet:
        raise section.wrong("subnet", f"the network address {network}, without host bits set")
    last = _last(subnet)
    start, end = section.address("rangeStart"), section.address("rangeEnd")
    for key, value in (("rangeStart", start), ("rangeEnd", end)):
        if value is not None and not address.contains(subnet, value):
            raise section.wrong(key, f"an address in {subnet}")
    if start is not None and end is not None and start > end:
        raise section.wrong("rangeEnd", f"an address not before rangeStart {address.text(start)}")
    first = address.first_host(subnet)
    start = first if start is None else start
    end = last if end is None else end
    if start > end:
        key = "rangeStart" if "rangeStart" in section else "rangeEnd"
        empty = f"{address.text(start)} to {address.text(end)}"
        raise section.wrong(key, f"a range with an address in it, not {empty}")
    gateway = section.address("gateway")
    return Range(subnet, start, end, first if gateway is None else gateway)


def _last(subnet: Cidr) -> bytes:
    """The last address to give away: IPv4 keeps the broadcast address back."""
    size = len(subnet.address)
    ones = int.from_bytes(subnet.address, "big") | ((1 << (size * 8 - subnet.prefix_len)) - 1)
    return (ones - (size == 4)).to_bytes(size, "big")


def configured(config: Section, wanted: str) -> tuple[RangeSet, ...]:
    """All range sets of a configuration: runtimeConfig.ipRanges, the legacy single range, ipam.ranges.

    wanted: cniVersion; before 0.3.0 a result holds one address a family, so there may be one set a family.
    Raises CNIError(INVALID_CONFIG), or INCOMPATIBLE_VERSION for too many sets.
    """
    ipam = config.section("ipam")
    sets = _sets(config.section("runtimeConfig"), "ipRanges")
    if ipam.text("subnet"):
        sets.append(("ipam", (parse(ipam),)))
    sets += _sets(ipam, "ranges")
    if not sets:
        hint = "set ipam.ranges or ipam.subnet"
        raise CNIError(INVALID_CONFIG, "ipam.ranges: no IP ranges specified", hint)
    for index, (name, one) in enumerate(sets):
        for other_name, other in sets[:index]:
            if overlap(one, other):
                msg = f"{name}: range set {text(one)} overlaps with {other_name}: {text(other)}"
                raise CNIError(INVALID_CONFIG, msg)
    one_of_a_family([one[0].start for _, one in sets], wanted)
    return tuple([one for _, one in sets])


def _sets(section: Section, key: str) -> list[tuple[str, RangeSet]]:
    """The range sets below *key*, a list of lists of objects, each with its name for messages."""
    found = []
    for number, members in enumerate(section.items(key)):
        name = f"{section.name(key)}[{number}]"
        if not isinstance(members, list) or not all([isinstance(member, dict) for member in members]):
            raise section.wrong(key, "a list of range sets, each a list of ranges")
        if not members:
            raise CNIError(INVALID_CONFIG, f"{name}: empty range set")
        one = tuple([parse(Section(member, f"{name}[{index}]")) for index, member in enumerate(members)])
        _check_set(name, one)
        found.append((name, one))
    return found


def _check_set(name: str, one: RangeSet) -> None:
    for index, member in enumerate(one):
        for other in one[:index]:
            if len(member.start) != len(other.start):
                msg = f"{name}: mixed address families: {other.subnet} and {member.subnet}"
                raise CNIError(INVALID_CONFIG, msg)
            if overlap((member,), (other,)):
                raise CNIError(INVALID_CONFIG, f"{name}: subnets {other} and {member} overlap")


def overlap(one: RangeSet, other: RangeSet) -> bool:
    """Whether two range sets share an address."""
    return any([a.start in b or b.start in a for a in one for b in other])


def find(one: RangeSet, packed: bytes) -> Range | None:
    """The first range that holds an address, the gateways not excepted."""
    for member in one:
        if packed in member:
            return member
    return None


def text(one: RangeSet) -> str:
    """The set as error messages name it."""
    return ",".join([str(member) for member in one])


def spans(one: RangeSet, after: bytes | None) -> Iterator[tuple[Range, int, int]]:
    """The addresses of a set in the order of trying, as spans (range, low, high): behind *after*, once round.

    after: the address reserved last; None, or one outside of the set, begins at the first range.
    It is round robin, so that a crash-looping container does not get its old address at once; *after* itself
    comes last.
    Each range's gateway is left out. Spec: section 4 "Plugin Delegation" leaves the order to the plugin.
    """
    begin = find(one, after) if after is not None else None
    if begin is None or after is None:
        for member in one:
            yield from _whole(member)
        return
    index, here = one.index(begin), int.from_bytes(after, "big")
    yield from _without_gateway(begin, here + 1, int.from_bytes(begin.end, "big"))
    for member in (*one[index + 1 :], *one[:index]):
        yield from _whole(member)
    yield from _without_gateway(begin, int.from_bytes(begin.start, "big"), here)


def _whole(member: Range) -> Iterator[tuple[Range, int, int]]:
    return _without_gateway(member, int.from_bytes(member.start, "big"), int.from_bytes(member.end, "big"))


def _without_gateway(member: Range, low: int, high: int) -> Iterator[tuple[Range, int, int]]:
    gateway = int.from_bytes(member.gateway, "big") if len(member.gateway) == len(member.start) else -1
    if not low <= gateway <= high:
        gateway = high + 1
    for first, last in ((low, gateway - 1), (gateway + 1, high)):
        if first <= last:
            yield member, first, last


def size(one: RangeSet) -> int:
    """How many addresses a set can give away."""
    return sum([high - low + 1 for _, low, high in spans(one, None)])
