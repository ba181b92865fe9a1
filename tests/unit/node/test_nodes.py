"""What a Node of the API says, and what is refused of it."""

from typing import Any

import pytest

from core.address import parse, parse_cidr
from launcher.node.nodes import Node, Unreadable, read


def item(spec: Any = None, addresses: Any = (), **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {} if spec is None else spec,
        "status": {"addresses": list(addresses) if isinstance(addresses, tuple) else addresses},
    }


def internal(*addresses: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"type": "InternalIP", "address": each} for each in addresses)


def test_networks_and_addresses_of_both_families() -> None:
    """podCIDRs count, and podCIDR alone where an old server says no more; of addresses the InternalIPs."""
    spec = {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]}
    others = ({"type": "Hostname", "address": "n"}, {"type": "ExternalIP", "address": "198.51.100.1"})
    networks = parse_cidr("10.244.1.0/24"), parse_cidr("fd00:10:244:1::/64")
    packed = parse("192.0.2.1"), parse("2001:db8::1")
    created = "2026-01-01T00:00:00Z"
    asked = item(spec, (*others, *internal("192.0.2.1", "2001:db8::1")))
    assert read(asked) == Node("n", created, networks, packed)
    assert read(item({"podCIDR": "10.244.1.7/24"})) == Node("n", created, networks[:1], ())
    assert read({"metadata": {"name": "n"}}) == Node("n", "", (), ())
    assert read({**item(), "spec": None, "status": {"addresses": None}}) == Node("n", created, (), ())


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        (None, "", "metadata"),
        ([], "", "metadata"),
        ({"metadata": 3}, "", "metadata: want an object, found 3"),
        ({"metadata": {"name": ""}}, "", "metadata.name: want a name, found ''"),
        ({"metadata": {"name": "a\nb"}}, "", "metadata.name"),
        ({"metadata": {"name": "n"}, "spec": "x"}, "n", "spec: want an object, found 'x'"),
        (item({"podCIDRs": "10.0.0.0/8"}), "n", "podCIDRs: want a list"),
        (item({"podCIDRs": [7]}), "n", "podCIDRs: want a network, found 7"),
        (item({"podCIDRs": ["10.244.1.0"]}), "n", "want a network, found '10.244.1.0'"),
        (item({"podCIDRs": ["10.244.1.0/24", "0.0.0.0/0"]}), "n", "0.0.0.0/0 can be nobody's"),
        (item({"podCIDRs": ["10.0.0.0/7"]}), "n", "10.0.0.0/7 can be nobody's"),
        (item({"podCIDRs": ["127.1.0.0/16"]}), "n", "127.1.0.0/16 can be nobody's"),
        (item({"podCIDRs": ["fe80::/64"]}), "n", "fe80::/64 can be nobody's"),
        (item(addresses={"type": "InternalIP"}), "n", "addresses: want a list"),
        (item(addresses=["192.0.2.1"]), "n", "addresses: want objects"),
        (item(addresses=internal("192.0.2.1/24")), "n", "InternalIP: want an address"),
        (item(addresses=internal(None)), "n", "InternalIP: want an address, found None"),
    ],
)
def test_what_is_malformed_is_refused_with_the_name_of_the_node(given: Any, name: str, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(given)
    assert refused.value.name == name
    assert words in str(refused.value)
