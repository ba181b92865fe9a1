"""One range of addresses: canonical form, refusals, membership, overlap."""

import pytest

from core import address
from core.address import Cidr
from core.cni.config import Section
from core.errors import INVALID_CONFIG, CNIError
from ipam.host_local import ranges
from ipam.host_local.ranges import Range
from tests.harness.ranges import Keys, one, shown

FOUR = "want a network of at least four addresses"
TOO_SMALL = "too small to allocate from"


def complaint(keys: Keys, wanted: str = "1.0.0") -> tuple[int, str]:
    with pytest.raises(CNIError) as caught:
        ranges.configured(Section(keys), wanted)
    return caught.value.code, caught.value.msg


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


def test_a_range_is_a_value() -> None:
    assert one("192.0.2.0/29") == Range(Cidr(b"\xc0\0\2\0", 29), b"\xc0\0\2\1", b"\xc0\0\2\6", b"\xc0\0\2\1")
    assert str(one("192.0.2.0/29")) == "192.0.2.1-192.0.2.6"
