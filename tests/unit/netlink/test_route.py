"""Our rtnetlink messages about addresses and routes read by pyroute2, and its read by us."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from core import address
from core.address import V4, Cidr, parse, parse_cidr
from core.netlink import route
from core.netlink.message import ACK, CREATE, DUMP, EXCL, Message, number
from core.netlink.route import Path
from tests.harness.oracle import read, written


@pytest.mark.parametrize(
    ("message", "kind", "flags", "expected"),
    [
        (route.list_addresses(7), 22, DUMP, {"index": 7}),
        (route.list_groups(7), 58, DUMP, {"family": 10, "index": 7}),
        (route.list_routes(V4), 26, DUMP, {"family": 2}),
        (
            route.get_route(parse("10.1.0.2")),
            26,
            0,
            {"family": 2, "dst_len": 32, "flags": 0x1000, "RTA_DST": "10.1.0.2"},
        ),
        (
            route.get_route(parse("fd01::2"), parse("fd01::9")),
            26,
            0,
            {"family": 10, "dst_len": 128, "src_len": 128, "RTA_DST": "fd01::2", "RTA_SRC": "fd01::9"},
        ),
        (route.get_route(parse("fd01::2")), 26, 0, {"family": 10, "dst_len": 128, "RTA_DST": "fd01::2"}),
        (
            route.del_neighbour(7, parse("10.1.0.2")),
            29,
            0,
            {"family": 2, "ifindex": 7, "NDA_DST": "10.1.0.2"},
        ),
        (route.del_neighbour(7, parse("fd01::2")), 29, 0, {"family": 10, "ifindex": 7, "NDA_DST": "fd01::2"}),
    ],
    ids=str,
)
def test_small_requests(message: Message, kind: int, flags: int, expected: dict[str, Any]) -> None:
    assert (message.type, message.flags, read(message)) == (kind, flags, expected)
    assert not message.flags & ACK  # the socket's affair


@pytest.mark.parametrize("text", ["10.244.2.0/24", "fd00:2::/64"])
def test_a_route_says_who_made_it(text: str) -> None:
    """By its protocol number; the kernel deletes it only for who names the same one."""
    path = Path(parse_cidr(text), parse("192.0.2.2" if "." in text else "2001:db8::2"))
    made, gone = route.new_route(7, path, 67, EXCL), route.del_route(7, path, 67)
    assert (made.type, made.flags, gone.type, gone.flags) == (24, CREATE | EXCL, 25, 0)
    for message in (made, gone):
        assert (read(message)["proto"], route.protocol_and_type(message.payload)) == (67, (67, 1))


@pytest.mark.parametrize(
    ("cidr", "nodad", "expected"),
    [
        ("10.1.0.2/24", True, {"family": 2, "prefixlen": 24, "flags": 0x82, "IFA_BROADCAST": "10.1.0.255"}),
        ("10.1.0.2/31", False, {"family": 2, "prefixlen": 31, "flags": 0x80}),
        ("10.1.0.2/32", False, {"family": 2, "prefixlen": 32, "flags": 0x80}),
        (
            "10.1.0.2/1",
            False,
            {"family": 2, "prefixlen": 1, "flags": 0x80, "IFA_BROADCAST": "127.255.255.255"},
        ),
        ("fd01::2/64", True, {"family": 10, "prefixlen": 64, "flags": 0x82}),
        ("fd01::2/64", False, {"family": 10, "prefixlen": 64, "flags": 0x80}),
    ],
)
def test_addresses(cidr: str, nodad: bool, expected: dict[str, Any]) -> None:
    """B-67: without duplicate detection unless asked; a broadcast address where there is room for one."""
    text = cidr.split("/", maxsplit=1)[0]
    made = route.new_address(7, parse_cidr(cidr), nodad)
    assert (made.type, made.flags) == (20, CREATE | EXCL)
    assert read(made) == {**expected, "index": 7, "IFA_LOCAL": text, "IFA_ADDRESS": text}
    gone = read(route.del_address(7, parse_cidr(cidr)))
    assert gone == {
        "family": expected["family"],
        "prefixlen": expected["prefixlen"],
        "index": 7,
        "IFA_LOCAL": text,
    }


MAIN = {"table": 254, "RTA_TABLE": 254, "RTA_OIF": 7, "proto": 3, "type": 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (Path(parse_cidr("0.0.0.0/0"), parse("10.1.0.1")), {"family": 2, **MAIN, "RTA_GATEWAY": "10.1.0.1"}),
        (Path(parse_cidr("::/0"), parse("fd01::1")), {"family": 10, **MAIN, "RTA_GATEWAY": "fd01::1"}),
        (
            Path(parse_cidr("10.2.0.0/16")),
            {"family": 2, "dst_len": 16, **MAIN, "scope": 253, "RTA_DST": "10.2.0.0"},
        ),
        (Path(parse_cidr("fd02::/48")), {"family": 10, "dst_len": 48, **MAIN, "RTA_DST": "fd02::"}),
        (
            Path(parse_cidr("10.2.0.0/16"), scope=254),
            {"family": 2, "dst_len": 16, **MAIN, "scope": 254, "RTA_DST": "10.2.0.0"},
        ),
        (
            Path(parse_cidr("10.2.0.0/16"), parse("10.1.0.1"), table=1000, priority=5, mtu=1300, advmss=1200),
            {
                "family": 2,
                "dst_len": 16,
                **MAIN,
                "table": 252,
                "RTA_TABLE": 1000,
                "RTA_DST": "10.2.0.0",
                "RTA_GATEWAY": "10.1.0.1",
                "RTA_PRIORITY": 5,
                "RTA_METRICS": {"RTAX_MTU": 1300, "RTAX_ADVMSS": 1200},
            },
        ),
        (
            Path(parse_cidr("10.2.0.0/16"), table=100, mtu=1300),
            {
                "family": 2,
                "dst_len": 16,
                **MAIN,
                "table": 100,
                "RTA_TABLE": 100,
                "scope": 253,
                "RTA_DST": "10.2.0.0",
                "RTA_METRICS": {"RTAX_MTU": 1300},
            },
        ),
    ],
    ids=str,
)
def test_routes(path: Path, expected: dict[str, Any]) -> None:
    """U-8: appended, so that a second gateway makes a multipath route; mtu and advmss are applied."""
    made = route.new_route(7, path)
    assert (made.type, made.flags) == (24, 0xC00)
    assert read(made) == expected


@given(st.integers(0, 32), st.binary(min_size=4, max_size=4), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_read(prefix_len: int, packed: bytes, scope: int, flags: int) -> None:
    attrs = [("IFA_ADDRESS", address.text(packed)), ("IFA_LOCAL", address.text(packed)), ("IFA_FLAGS", flags)]
    payload = written(ifaddrmsg, family=2, prefixlen=prefix_len, scope=scope, index=7, attrs=attrs)
    assert route.read_address(payload) == (Cidr(packed, prefix_len), scope, flags)


def test_an_ipv6_address_without_local_and_without_long_flags_is_read() -> None:
    payload = written(
        ifaddrmsg, family=10, prefixlen=64, flags=0x80, index=7, attrs=[("IFA_ADDRESS", "fd01::2")]
    )
    assert route.read_address(payload) == (parse_cidr("fd01::2/64"), 0, 0x80)


def test_a_multicast_group_is_read() -> None:
    payload = written(
        ifaddrmsg, family=10, prefixlen=128, index=7, attrs=[("IFA_MULTICAST", "ff02::1:ff00:2")]
    )
    assert route.read_address(payload)[0] == parse_cidr("ff02::1:ff00:2/128")


def test_a_point_to_point_address_is_the_local_one() -> None:
    payload = written(
        ifaddrmsg,
        family=2,
        prefixlen=32,
        index=7,
        attrs=[("IFA_ADDRESS", "10.0.0.1"), ("IFA_LOCAL", "10.0.0.2")],
    )
    assert route.read_address(payload)[0] == parse_cidr("10.0.0.2/32")


def test_a_route_is_read() -> None:
    metrics = {"attrs": [("RTAX_MTU", 1300), ("RTAX_ADVMSS", 1200)]}
    attrs = [
        ("RTA_DST", "10.2.0.0"),
        ("RTA_GATEWAY", "10.1.0.1"),
        ("RTA_OIF", 7),
        ("RTA_PRIORITY", 5),
        ("RTA_TABLE", 1000),
        ("RTA_METRICS", metrics),
    ]
    payload = written(rtmsg, family=2, dst_len=16, table=252, scope=0, attrs=attrs)
    assert route.read_route(payload) == [
        (7, Path(parse_cidr("10.2.0.0/16"), parse("10.1.0.1"), 1000, 0, 5, 1300, 1200))
    ]


def test_a_default_route_is_read() -> None:
    payload = written(rtmsg, family=10, table=254, attrs=[("RTA_GATEWAY", "fd01::1"), ("RTA_OIF", 7)])
    assert route.read_route(payload) == [(7, Path(parse_cidr("::/0"), parse("fd01::1"), 254, 0))]


def test_a_multipath_route_is_read() -> None:
    """U-8: one path a next hop."""
    hops = [
        {"oif": 7, "attrs": [("RTA_GATEWAY", "10.1.0.1")]},
        {"oif": 8, "attrs": [("RTA_GATEWAY", "10.1.0.9")]},
    ]
    payload = written(
        rtmsg, family=2, dst_len=16, table=254, attrs=[("RTA_DST", "10.2.0.0"), ("RTA_MULTIPATH", hops)]
    )
    dst = parse_cidr("10.2.0.0/16")
    assert route.read_route(payload) == [
        (7, Path(dst, parse("10.1.0.1"), 254, 0)),
        (8, Path(dst, parse("10.1.0.9"), 254, 0)),
    ]


paths = st.builds(
    lambda size, packed, bits, gateway, table, priority, mtu: Path(
        address.network(Cidr(packed[:size], bits % (8 * size + 1))),
        gateway[:size] if any(gateway[:size]) else b"",
        table,
        0,
        priority,
        mtu,
    ),
    st.sampled_from([4, 16]),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 128),
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)


@given(paths)
def test_a_route_that_we_write_we_read_again(path: Path) -> None:
    assert route.read_route(route.new_route(7, path).payload) == [(7, path)]


def test_a_route_s_interface_is_one() -> None:
    payload = route.list_routes(V4).payload
    with pytest.raises(ValueError, match="2147483648"):
        route.read_route(payload + number(4, 2**31))
