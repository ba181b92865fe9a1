"""Ranges and range sets from text and as text, for the tests of their arithmetic."""

from typing import Any

from core import address
from core.cni.config import Section
from ipam.host_local import ranges
from ipam.host_local.ranges import Range

Keys = dict[str, Any]
RangeSet = tuple[Range, ...]


def one(subnet: str, start: str = "", end: str = "", gateway: str = "") -> Range:
    keys = {"subnet": subnet, "rangeStart": start, "rangeEnd": end, "gateway": gateway}
    return ranges.parse(Section(keys, "r"))


def a_set(*members: Range | str) -> RangeSet:
    return tuple(member if isinstance(member, Range) else one(member) for member in members)


def shown(member: Range) -> tuple[str, str, str, str]:
    return (
        str(member.subnet),
        address.text(member.start),
        address.text(member.end),
        address.text(member.gateway),
    )


def walked(of: RangeSet, after: str | None) -> list[str]:
    """The addresses in the order to try them."""
    packed = None if after is None else address.parse(after)
    return [
        address.text(number.to_bytes(len(member.start), "big"))
        for member, low, high in ranges.spans(of, packed)
        for number in range(low, high + 1)
    ]
