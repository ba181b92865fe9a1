"""Addresses, gateways and routes that a bridge configuration asks for, as whole plans."""

from typing import Any

import pytest

from core.address import parse, parse_cidr
from core.plan.records import Address, Gateway, Plan, Route
from tests.unit.bridge.planned import (
    BARE_PORT,
    BARE_SHARED,
    BARE_SHARED6,
    BARE_VETH,
    DAD,
    DEFAULT4,
    DEFAULT6,
    FORWARD4,
    FORWARD6,
    IPV6,
    LO_IPV6,
    NO_DAD,
    NOTIFY,
    NOTIFY4,
    PORT_ACCEPT_RA,
    UP,
    answer,
    ipam,
    planned,
    wanted,
)


def test_ipv4_with_a_default_gateway() -> None:
    """B-3 B-16 B-17: the gateway is the first address of the network, and a default route leads through it.

    The port joins the bridge last, so that what the kernel sends when the container's link comes up is not
    flooded.
    """
    assert planned(wanted(**ipam(isDefaultGateway=True)), answer("10.1.0.7/24")) == Plan(
        shared=(*BARE_SHARED, Gateway("br0", parse_cidr("10.1.0.1/24")), FORWARD4),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, NO_DAD),
            *(
                Address("eth0", parse_cidr("10.1.0.7/24")),
                UP,
                Route("eth0", DEFAULT4, parse("10.1.0.1")),
                *NOTIFY4,
                BARE_PORT,
            ),
        ),
    )


def test_ipv6_with_a_default_gateway() -> None:
    """B-4 B-16 B-17: IPv6 is switched on in the container, and its addresses survive link down."""
    assert planned(wanted(**ipam(isDefaultGateway=True)), answer("fd01::7/64")) == Plan(
        shared=(*BARE_SHARED6, Gateway("br0", parse_cidr("fd01::1/64")), FORWARD6, LO_IPV6),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, *IPV6),
            *(
                Address("eth0", parse_cidr("fd01::7/64")),
                UP,
                Route("eth0", DEFAULT6, parse("fd01::1")),
                *NOTIFY,
            ),
        ),
    )


def test_dual_stack_several_ranges_and_a_forced_gateway() -> None:
    """B-5 B-6 B-16 B-26: every address has its gateway, and each family one default route, in IPAM's order.

    forceAddress is handed on.
    """
    wished = wanted(**ipam(isDefaultGateway=True, forceAddress=True))
    assert planned(wished, answer("10.1.0.7/24", "fd01::7/64", "fd02::7/64")) == Plan(
        shared=(
            *BARE_SHARED6,
            *[
                Gateway("br0", parse_cidr(each), force=True)
                for each in ("10.1.0.1/24", "fd01::1/64", "fd02::1/64")
            ],
            *(FORWARD4, FORWARD6, LO_IPV6),
        ),
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, *IPV6),
            *[Address("eth0", parse_cidr(each)) for each in ("10.1.0.7/24", "fd01::7/64", "fd02::7/64")],
            *(
                UP,
                Route("eth0", DEFAULT4, parse("10.1.0.1")),
                Route("eth0", DEFAULT6, parse("fd01::1")),
                *NOTIFY,
            ),
        ),
    )


def test_an_address_without_a_gateway_bridge() -> None:
    """Neither gateway nor forwarding; IPAM's own gateway is used for its routes."""
    routes: list[dict[str, Any]] = [
        {"dst": "10.0.0.0/8"},
        {"dst": "10.9.0.0/16", "gw": "10.1.0.9", "mtu": 1300, "priority": 5, "table": 100, "advmss": 1200},
    ]
    assert planned(wanted(**ipam()), answer("10.1.0.7/24", routes=routes, gateway=True)) == Plan(
        shared=BARE_SHARED,
        owned=(
            *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, NO_DAD, Address("eth0", parse_cidr("10.1.0.7/24")), UP),
            Route("eth0", parse_cidr("10.0.0.0/8"), parse("10.1.0.254")),
            Route(
                "eth0",
                parse_cidr("10.9.0.0/16"),
                parse("10.1.0.9"),
                table=100,
                priority=5,
                mtu=1300,
                advmss=1200,
            ),
            *NOTIFY4,
        ),
    )


def test_a_given_gateway_is_kept_and_stands_on_the_bridge() -> None:
    """B-17: with the prefix length of the address."""
    made = planned(wanted(**ipam(isGateway=True)), answer("10.1.0.7/24", gateway=True))
    assert made.shared == (*BARE_SHARED, Gateway("br0", parse_cidr("10.1.0.254/24")), FORWARD4)
    assert [record for record in made.owned if isinstance(record, Route)] == []


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], [("0.0.0.0/0", "10.1.0.1")]),
        # through the same gateway: one route, not EEXIST
        ([{"dst": "0.0.0.0/0"}], [("0.0.0.0/0", "10.1.0.1")]),
        ([{"dst": "0.0.0.0/0", "gw": "10.1.0.9"}], [("0.0.0.0/0", "10.1.0.9")]),
        ([{"dst": "::/0", "gw": "fd01::1"}], [("::/0", "fd01::1"), ("0.0.0.0/0", "10.1.0.1")]),
    ],
    ids=str,
)
def test_a_default_route_is_added_where_ipam_has_none_with_a_gateway(
    routes: list[dict[str, str]], expected: list[tuple[str, str]]
) -> None:
    """B-16: once a family."""
    made = planned(wanted(**ipam(isDefaultGateway=True)), answer("10.1.0.7/24", routes=routes))
    found = [(str(record.dst), record.gateway) for record in made.owned if isinstance(record, Route)]
    assert found == [(dst, parse(gateway)) for dst, gateway in expected]


def test_a_route_of_link_scope_has_no_gateway() -> None:
    """U-8: scope link (253) means on-link."""
    made = planned(
        wanted(**ipam(isGateway=True)), answer("10.1.0.7/24", routes=[{"dst": "10.2.0.0/16", "scope": 253}])
    )
    assert Route("eth0", parse_cidr("10.2.0.0/16"), scope=253) in made.owned


def test_duplicate_address_detection() -> None:
    """B-67: asked for, it concerns IPv6 addresses only."""
    assert planned(wanted(**ipam(enabledad=True)), answer("10.1.0.7/24", "fd01::7/64")).owned == (
        *(BARE_VETH, PORT_ACCEPT_RA, BARE_PORT, *DAD, *IPV6),
        *(
            Address("eth0", parse_cidr("10.1.0.7/24")),
            Address("eth0", parse_cidr("fd01::7/64"), detect=True),
            UP,
            *NOTIFY,
        ),
    )
