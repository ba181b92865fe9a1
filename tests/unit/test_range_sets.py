"""Range sets: where they are configured, refusals, overlap, and the order of trying."""

from typing import Any

import pytest

from core import address
from core.cni.config import Section
from core.errors import INCOMPATIBLE_VERSION, INVALID_CONFIG, CNIError
from ipam.host_local import ranges
from tests.harness.ranges import Keys, a_set, one, shown, walked


def complaint(keys: Keys, wanted: str = "1.0.0") -> tuple[int, str]:
    with pytest.raises(CNIError) as caught:
        ranges.configured(Section(keys), wanted)
    return caught.value.code, caught.value.msg


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
