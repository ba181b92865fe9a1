"""Ranges and range sets, with netaddr and ipaddress as independent opinions."""

import ipaddress
from itertools import combinations
from typing import Any

import netaddr
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core import address
from core.address import Cidr
from core.cni.config import Section
from core.errors import INCOMPATIBLE_VERSION, INVALID_CONFIG, CNIError
from ipam.host_local import ranges
from ipam.host_local.ranges import Range

Keys = dict[str, Any]
FOUR = "want a network of at least four addresses"
TOO_SMALL = "too small to allocate from"
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


def complaint(keys: Keys, wanted: str = "1.0.0") -> tuple[int, str]:
    with pytest.raises(CNIError) as caught:
        ranges.configured(Section(keys), wanted)
    return caught.value.code, caught.value.msg


def walked(of: RangeSet, after: str | None) -> list[str]:
    """The addresses in the order to try them."""
    packed = None if after is None else address.parse(after)
    return [
        address.text(number.to_bytes(len(member.start), "big"))
        for member, low, high in ranges.spans(of, packed)
        for number in range(low, high + 1)
    ]


# One range.


def test_defaults_of_a_24() -> None:
    """H-42, H-18: the gateway is the first address, the broadcast address is kept back."""
    assert shown(one("192.0.2.0/24")) == ("192.0.2.0/24", "192.0.2.1", "192.0.2.254", "192.0.2.1")


def test_defaults_of_a_smaller_subnet() -> None:
    """H-43."""
    assert shown(one("192.0.2.0/25")) == ("192.0.2.0/25", "192.0.2.1", "192.0.2.126", "192.0.2.1")
    assert shown(one("192.0.2.8/30")) == ("192.0.2.8/30", "192.0.2.9", "192.0.2.10", "192.0.2.9")


def test_defaults_of_ipv6() -> None:
    """H-46: the last address is all ones."""
    assert shown(one("2001:DB8:1::/64")) == (
        "2001:db8:1::/64",
        "2001:db8:1::1",
        "2001:db8:1:0:ffff:ffff:ffff:ffff",
        "2001:db8:1::1",
    )
    assert shown(one("2001:db8::4/126")) == ("2001:db8::4/126", "2001:db8::5", "2001:db8::7", "2001:db8::5")


def test_everything_may_be_given() -> None:
    """H-49."""
    assert shown(one("192.0.2.0/24", "192.0.2.40", "192.0.2.50", "192.0.2.254")) == (
        "192.0.2.0/24",
        "192.0.2.40",
        "192.0.2.50",
        "192.0.2.254",
    )
    assert shown(one("2001:db8::/64", "2001:db8::a", "2001:db8::b", "2001:db8::f")) == (
        "2001:db8::/64",
        "2001:db8::a",
        "2001:db8::b",
        "2001:db8::f",
    )


def test_network_and_broadcast_address_may_be_asked_for() -> None:
    assert shown(one("192.0.2.0/24", "192.0.2.0", "192.0.2.255")) == (
        "192.0.2.0/24",
        "192.0.2.0",
        "192.0.2.255",
        "192.0.2.1",
    )


def test_the_gateway_may_lie_elsewhere() -> None:
    assert shown(one("192.0.2.0/24", gateway="203.0.113.1"))[3] == "203.0.113.1"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "subnet: want an address with prefix length, found null"),
        ({"subnet": "192.0.2.0"}, 'subnet: want an address with prefix length, found "192.0.2.0"'),
        ({"subnet": "192.0.2.0/33"}, 'subnet: want an address with prefix length, found "192.0.2.0/33"'),
        ({"subnet": 7}, "subnet: want a string, found 7"),
        # H-44, H-45: host bits.
        (
            {"subnet": "192.0.2.4/24"},
            'subnet: want the network address 192.0.2.0/24, without host bits set, found "192.0.2.4/24"',
        ),
        (
            {"subnet": "2001:db8::24/64"},
            'subnet: want the network address 2001:db8::/64, without host bits set, found "2001:db8::24/64"',
        ),
        # H-47: too small.
        *[
            (
                {"subnet": subnet},
                f'subnet: {FOUR} ({least}), this one is {TOO_SMALL}, found "{subnet}"',
            )
            for subnet, least in (
                ("192.0.2.0/31", "/30"),
                ("192.0.2.0/32", "/30"),
                ("2001:db8::/127", "/126"),
                ("2001:db8::/128", "/126"),
            )
        ],
        # H-48: outside.
        (
            {"subnet": "192.0.2.0/24", "rangeStart": "192.0.3.0"},
            'rangeStart: want an address in 192.0.2.0/24, found "192.0.3.0"',
        ),
        (
            {"subnet": "192.0.2.0/24", "rangeEnd": "192.0.1.255"},
            'rangeEnd: want an address in 192.0.2.0/24, found "192.0.1.255"',
        ),
        (
            {"subnet": "192.0.2.0/24", "rangeEnd": "2001:db8::1"},
            'rangeEnd: want an address in 192.0.2.0/24, found "2001:db8::1"',
        ),
        (
            {"subnet": "192.0.2.0/24", "rangeStart": "192.0.2.50", "rangeEnd": "192.0.2.40"},
            'rangeEnd: want an address not before rangeStart 192.0.2.50, found "192.0.2.40"',
        ),
        (
            {"subnet": "192.0.2.0/24", "rangeEnd": "192.0.2.0"},
            'rangeEnd: want a range with an address in it, not 192.0.2.1 to 192.0.2.0, found "192.0.2.0"',
        ),
        ({"subnet": "192.0.2.0/24", "gateway": "gate"}, 'gateway: want an IP address, found "gate"'),
    ],
)
def test_a_wrong_range_is_refused_with_key_and_value(keys: Keys, said: str) -> None:
    """H-44, H-45, H-47, H-48."""
    assert complaint({"ipam": {"ranges": [[{"subnet": "10.0.0.0/8"}], [keys]]}}) == (
        INVALID_CONFIG,
        f"ipam.ranges[1][0].{said}",
    )


@pytest.mark.parametrize(
    ("subnet", "start", "end", "inside", "outside"),
    [
        (
            "192.0.2.0/24",
            "",
            "",
            "192.0.2.1 192.0.2.254",
            "192.0.2.0 192.0.2.255 192.0.3.1 2001:db8::1 ::ffff:c000:201",
        ),
        (
            "192.0.2.0/24",
            "192.0.2.40",
            "192.0.2.50",
            "192.0.2.40 192.0.2.45 192.0.2.50",
            "192.0.2.39 192.0.2.51",
        ),
        (
            "2001:db8::/64",
            "",
            "",
            "2001:db8::1 2001:db8::ffff:ffff:ffff:ffff",
            "2001:db8:: 2001:db8:0:1::1 192.0.2.1",
        ),
        (
            "2001:db8::/64",
            "2001:db8::40",
            "2001:db8::50",
            "2001:db8::40 2001:db8::50",
            "2001:db8::39 2001:db8::51",
        ),
    ],
)
def test_membership_of_a_range(subnet: str, start: str, end: str, inside: str, outside: str) -> None:
    """H-50, H-51."""
    member = one(subnet, start, end)
    assert [text for text in inside.split() if address.parse(text) not in member] == []
    assert [
        text for text in outside.split() if address.parse(text) in member and "ffff:c000" not in text
    ] == []


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("192.0.2.0/24",), ("192.0.3.0/24",), False),
        (("192.0.2.0/24",), ("2001:db8::/64",), False),
        (("192.0.2.0/24",), ("192.0.2.0/24",), True),
        (("192.0.2.0/23",), ("192.0.2.0/24",), True),
        (("192.0.2.0/24", "192.0.2.10", "192.0.2.20"), ("192.0.2.0/24", "192.0.2.21", "192.0.2.30"), False),
        (("192.0.2.0/24", "192.0.2.10", "192.0.2.20"), ("192.0.2.0/24", "192.0.2.20", "192.0.2.30"), True),
        (("192.0.2.0/24", "192.0.2.10", "192.0.2.40"), ("192.0.2.0/24", "192.0.2.20", "192.0.2.30"), True),
    ],
)
def test_overlap_of_two_ranges(left: tuple[str, ...], right: tuple[str, ...], expected: bool) -> None:
    """H-52."""
    assert ranges.overlap((one(*left),), (one(*right),)) is expected
    assert ranges.overlap((one(*right),), (one(*left),)) is expected


# Range sets.


def test_membership_of_a_range_set() -> None:
    """H-40."""
    both = a_set("192.0.2.0/24", "198.51.100.0/24")
    assert ranges.find(both, address.parse("192.0.2.10")) == both[0]
    assert ranges.find(both, address.parse("198.51.100.10")) == both[1]
    assert ranges.find(both, address.parse("203.0.113.10")) is None
    assert ranges.text(both) == "192.0.2.1-192.0.2.254,198.51.100.1-198.51.100.254"
    assert ranges.size(both) == 253 * 2


def test_overlap_of_range_sets() -> None:
    """H-41."""
    first, second, third = (
        a_set("192.0.2.0/24", "198.51.100.0/24"),
        a_set("203.0.113.0/24"),
        a_set("203.0.113.0/24", "10.0.0.0/8"),
    )
    assert (ranges.overlap(first, second), ranges.overlap(second, third), ranges.overlap(first, third)) == (
        False,
        True,
        False,
    )


def configured(keys: Keys, wanted: str = "1.0.0") -> list[str]:
    return [ranges.text(found) for found in ranges.configured(Section(keys), wanted)]


def test_the_old_single_range() -> None:
    """H-27."""
    keys = {
        "subnet": "10.1.2.0/24",
        "rangeStart": "10.1.2.9",
        "rangeEnd": "10.1.2.20",
        "gateway": "10.1.2.30",
    }
    assert configured({"ipam": keys}, "0.3.1") == ["10.1.2.9-10.1.2.20"]
    assert shown(ranges.configured(Section({"ipam": keys}), "0.3.1")[0][0])[3] == "10.1.2.30"


def test_lists_of_ranges() -> None:
    """H-28."""
    first = [
        {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20"},
        {"SUBNET": "10.1.4.0/24"},
    ]
    keys = {"ranges": [first, [{"subnet": "11.1.2.0/24"}]]}
    assert configured({"ipam": keys}) == ["10.1.2.9-10.1.2.20,10.1.4.1-10.1.4.254", "11.1.2.1-11.1.2.254"]


def test_runtime_ranges_come_first_and_the_old_range_second() -> None:
    """H-29."""
    keys: Keys = {
        "runtimeConfig": {"ipRanges": [[{"subnet": "12.1.3.0/24"}], [{"subnet": "12.1.4.0/24"}]]},
        "ipam": {"subnet": "10.1.2.0/24", "ranges": [[{"subnet": "11.1.2.0/24"}]]},
    }
    assert [text.split("-", maxsplit=1)[0] for text in configured(keys)] == [
        "12.1.3.1",
        "12.1.4.1",
        "10.1.2.1",
        "11.1.2.1",
    ]
    assert configured({"runtimeConfig": keys["runtimeConfig"], "ipam": {"type": "host-local"}})[1:] == [
        "12.1.4.1-12.1.4.254"
    ]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([], "ipam.ranges: no IP ranges specified"),
        ([[]], "ipam.ranges[0]: empty range set"),
        (
            [{"subnet": "10.1.2.0/24"}],
            'ipam.ranges: want a list of range sets, each a list of ranges, found [{"subnet":"10.1.2.0/24"}]',
        ),
        (
            [["10.1.2.0/24"]],
            'ipam.ranges: want a list of range sets, each a list of ranges, found [["10.1.2.0/24"]]',
        ),
        ({"subnet": "10.1.2.0/24"}, 'ipam.ranges: want a list, found {"subnet":"10.1.2.0/24"}'),
        # H-35: sets that overlap.
        (
            [[{"subnet": "9.0.0.0/8"}], [{"subnet": "9.1.2.0/24"}]],
            "ipam.ranges[1]: range set 9.1.2.1-9.1.2.254 overlaps with ipam.ranges[0]: 9.0.0.1-9.255.255.254",
        ),
        # H-36: ranges of a set that overlap.
        (
            [[{"subnet": "10.1.0.0/16"}, {"subnet": "10.1.2.0/24"}]],
            "ipam.ranges[0]: subnets 10.1.0.1-10.1.255.254 and 10.1.2.1-10.1.2.254 overlap",
        ),
        # H-37: two families in a set.
        (
            [[{"subnet": "10.1.0.0/16"}, {"subnet": "2001:db8::/64"}]],
            "ipam.ranges[0]: mixed address families: 10.1.0.0/16 and 2001:db8::/64",
        ),
    ],
)
def test_wrong_sets_are_refused(sets: Any, said: str) -> None:
    """H-35, H-36, H-37."""
    assert complaint({"ipam": {"ranges": sets}}) == (INVALID_CONFIG, said)


def test_before_0_3_0_there_is_one_address_a_family() -> None:
    """H-38, H-39."""
    two = {"ipam": {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]]}}
    said = "CNI version 0.2.0 does not support more than 1 address per family"
    assert complaint(two, "0.2.0") == (INCOMPATIBLE_VERSION, said)
    assert len(configured(two, "0.3.0")) == 2
    assert (
        len(
            configured(
                {"ipam": {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8::/64"}]]}}, "0.2.0"
            )
        )
        == 2
    )


# Order.


def test_all_of_a_range_from_its_start() -> None:
    """H-14, H-26: without a last address, and once round."""
    assert walked(a_set("192.168.1.0/29"), None) == [f"192.168.1.{host}" for host in range(2, 7)]


def test_the_walk_wraps_at_the_end() -> None:
    """H-15, H-16."""
    assert walked(a_set("192.168.1.0/29"), "192.168.1.6") == [f"192.168.1.{host}" for host in (2, 3, 4, 5, 6)]
    assert walked(a_set("192.168.1.0/29"), "192.168.1.3") == [f"192.168.1.{host}" for host in (4, 5, 6, 2, 3)]


def test_the_walk_goes_on_with_the_next_range() -> None:
    """H-25, H-17."""
    both = a_set("192.168.1.0/29", "192.168.2.0/30")
    assert walked(both, "192.168.1.6") == ["192.168.2.2", *[f"192.168.1.{host}" for host in (2, 3, 4, 5, 6)]]
    assert walked(both, "192.168.2.2")[0] == "192.168.1.2"
    assert walked(both, "192.168.1.4") == [
        "192.168.1.5",
        "192.168.1.6",
        "192.168.2.2",
        "192.168.1.2",
        "192.168.1.3",
        "192.168.1.4",
    ]


def test_a_last_address_of_elsewhere_begins_at_the_first_range() -> None:
    """H-26."""
    assert walked(a_set("192.168.1.0/29"), "192.168.9.9") == walked(a_set("192.168.1.0/29"), None)
    assert walked(a_set("192.168.1.0/29"), "2001:db8::1") == walked(a_set("192.168.1.0/29"), None)


def test_the_gateway_is_left_out_wherever_it_stands() -> None:
    """H-17."""
    middle = a_set(one("192.168.1.0/29", gateway="192.168.1.3"))
    assert walked(middle, None) == [f"192.168.1.{host}" for host in (1, 2, 4, 5, 6)]
    assert walked(middle, "192.168.1.2") == [f"192.168.1.{host}" for host in (4, 5, 6, 1, 2)]
    assert walked(middle, "192.168.1.3")[0] == "192.168.1.4"
    assert walked(a_set(one("192.168.1.0/29", gateway="192.168.1.6")), "192.168.1.5") == [
        f"192.168.1.{host}" for host in range(1, 6)
    ]


def test_a_large_ipv6_range_is_a_span() -> None:
    spans = [
        (low, high) for _, low, high in ranges.spans(a_set("2001:db8::/64"), address.parse("2001:db8::ff"))
    ]
    base = 0x20010DB8 << 96
    assert spans == [(base + 0x100, base + 2**64 - 1), (base + 2, base + 0xFF)]


# The independent opinion.


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


def test_a_range_is_a_value() -> None:
    assert one("192.0.2.0/29") == Range(Cidr(b"\xc0\0\2\0", 29), b"\xc0\0\2\1", b"\xc0\0\2\6", b"\xc0\0\2\1")
    assert str(one("192.0.2.0/29")) == "192.0.2.1-192.0.2.6"
