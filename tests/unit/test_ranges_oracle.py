"""Ranges against netaddr and ipaddress: two independent opinions must agree."""

import ipaddress
from itertools import combinations

import netaddr
from hypothesis import assume, given
from hypothesis import strategies as st

from core import address
from core.cni.config import Section
from core.errors import CNIError
from ipam.host_local import ranges
from ipam.host_local.ranges import Range
from tests.harness.ranges import Keys, RangeSet, shown, walked


@st.composite
def subnets(draw: st.DrawFn) -> str:
    bits = draw(st.sampled_from((32, 128)))
    prefix_len = draw(st.integers(bits - 10, bits))
    base = draw(st.sampled_from((0xC0000200, 0x0A000000) if bits == 32 else (0x20010DB8 << 96, 0xFD << 120)))
    number = (base & ~((1 << 32) - 1) if bits == 128 else base) + draw(st.integers(0, 2047))
    if draw(st.booleans()):
        number = number >> (bits - prefix_len) << (bits - prefix_len)
    return f"{ipaddress.IPv4Address(number) if bits == 32 else ipaddress.IPv6Address(number)}/{prefix_len}"


@st.composite
def configurations(draw: st.DrawFn) -> Keys:
    """A subnet, and addresses that mostly lie in it or just beside it."""
    subnet = draw(subnets())
    network = netaddr.IPNetwork(subnet)
    keys = {"subnet": subnet}
    for key in ("rangeStart", "rangeEnd", "gateway"):
        if draw(st.booleans()):
            number = draw(st.integers(int(network.first) - 2, int(network.last) + 2))
            keys[key] = str(netaddr.IPAddress(max(0, number), network.version))
    return keys


def opinion(keys: Keys) -> tuple[str, str, str, str] | None:
    """What netaddr makes of the rules; None for a refusal."""
    network = netaddr.IPNetwork(keys["subnet"])
    if network.ip != network.network or network.size < 4:
        return None
    wanted = {
        key: netaddr.IPAddress(keys[key]) for key in ("rangeStart", "rangeEnd", "gateway") if key in keys
    }
    if any(wanted[key] not in network for key in ("rangeStart", "rangeEnd") if key in wanted):
        return None
    last = network[-2] if network.version == 4 else network[-1]
    start, end = wanted.get("rangeStart", network[1]), wanted.get("rangeEnd", last)
    return (
        None if start > end else (str(network), str(start), str(end), str(wanted.get("gateway", network[1])))
    )


@given(configurations())
def test_canonical_form_agrees_with_netaddr(keys: Keys) -> None:
    """H-42 to H-49."""
    try:
        found = shown(ranges.parse(Section(keys)))
    except CNIError:
        found = None
    assert found == opinion(keys)


def valid(keys: Keys) -> Range | None:
    return ranges.parse(Section(keys)) if opinion(keys) else None


members = configurations().map(valid).filter(lambda member: member is not None)


@given(members, members)
def test_overlap_agrees_with_netaddr(left: Range, right: Range) -> None:
    """H-41, H-52."""
    sets = [
        netaddr.IPSet(netaddr.IPRange(*[address.text(packed) for packed in (member.start, member.end)]))
        for member in (left, right)
    ]
    assert ranges.overlap((left,), (right,)) is not sets[0].isdisjoint(sets[1])


@given(members, st.integers(-3, 1030))
def test_membership_agrees_with_ipaddress(member: Range, offset: int) -> None:
    """H-40, H-50, H-51."""
    start, end = (ipaddress.ip_address(address.text(packed)) for packed in (member.start, member.end))
    other = type(start)((int(start) + offset) % 2**start.max_prefixlen)
    assert (address.parse(str(other)) in member) is (int(start) <= int(other) <= int(end))
    assert (ranges.find((member,), address.parse(str(other))) == member) is (
        int(start) <= int(other) <= int(end)
    )


def naive(of: RangeSet, after: str | None) -> list[str]:
    """The same order, by walking a ring of all addresses."""
    ring = [(str(each), str(member.gateway)) for member in map(_as_netaddr, of) for each in member.addresses]
    texts = [text for text, _ in ring]
    start = texts.index(after) + 1 if after in texts else 0
    return [text for text, gateway in ring[start:] + ring[:start] if text != gateway]


class _as_netaddr:  # noqa: N801
    def __init__(self, member: Range):
        self.addresses = netaddr.IPRange(address.text(member.start), address.text(member.end))
        self.gateway = netaddr.IPAddress(address.text(member.gateway))


@given(st.lists(members, min_size=1, max_size=3), st.integers(0, 3000), st.booleans())
def test_the_order_agrees_with_a_walk_round_a_ring(of: list[Range], position: int, known: bool) -> None:
    """H-14 to H-17, H-25, H-26."""
    chosen = tuple(of)
    assume(not any(ranges.overlap((left,), (right,)) for left, right in combinations(chosen, 2)))
    ring = [str(each) for member in chosen for each in _as_netaddr(member).addresses]
    after = ring[position % len(ring)] if known else None
    assert walked(chosen, after) == naive(chosen, after)
    assert ranges.size(chosen) == len(naive(chosen, None))


@given(st.lists(configurations(), min_size=1, max_size=3))
def test_a_configured_set_is_sound_or_refused(keys: list[Keys]) -> None:
    """H-35 to H-37."""
    try:
        (found,) = ranges.configured(Section({"ipam": {"ranges": [keys]}}), "1.0.0")
    except CNIError:
        return
    spaces = [netaddr.IPSet(_as_netaddr(member).addresses) for member in found]
    assert len({len(member.start) for member in found}) == 1
    assert all(left.isdisjoint(right) for index, left in enumerate(spaces) for right in spaces[:index])
