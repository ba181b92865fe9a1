"""Which routes the nodes of a cluster call for."""

from core.address import parse, parse_cidr
from launcher.node.nodes import Node
from launcher.node.plan import Way, ways


def node(name: str, networks: str, addresses: str, created: str = "") -> Node:
    return Node(
        name,
        created or name,
        tuple(parse_cidr(each) for each in networks.split()),
        tuple(parse(each) for each in addresses.split()),
    )


OWN = node("a", "10.244.1.0/24 fd00:1::/64", "192.0.2.1 2001:db8::1")


def planned(*others: Node, own: Node = OWN) -> tuple[dict[str, Way], list[str]]:
    found, wrong = ways(own, {each.name: each for each in (own, *others)})
    return {str(network): way for network, way in found.items()}, wrong


def test_each_network_by_the_addresses_of_its_family() -> None:
    other = node("b", "10.244.2.0/24 fd00:2::/64", "192.0.2.2 2001:db8::2 192.0.2.22")
    assert planned(other) == (
        {
            "10.244.2.0/24": Way("b", (parse("192.0.2.2"), parse("192.0.2.22"))),
            "fd00:2::/64": Way("b", (parse("2001:db8::2"),)),
        },
        [],
    )


def test_a_node_without_networks_needs_no_route() -> None:
    assert planned(node("b", "", "192.0.2.2")) == ({}, [])


def test_of_two_that_claim_a_network_the_older_one_has_it() -> None:
    """Whatever their names and the order in which the server tells them; equally old ones go by name."""
    old, young = (
        node("z", "10.244.2.0/24", "192.0.2.2", "2026-01"),
        node("b", "10.244.2.0/24", "192.0.2.3", "2026-02"),
    )
    for both in ((old, young), (young, old)):
        found, wrong = planned(*both)
        assert found == {"10.244.2.0/24": Way("z", (parse("192.0.2.2"),))}
        assert wrong == ["no route to 10.244.2.0/24 of node b: 10.244.2.0/24 is node z's"]


def test_our_own_network_is_never_given_away() -> None:
    found, wrong = planned(node("0", "10.244.0.0/16", "192.0.2.2", "1999"))
    assert found == {}
    assert wrong == ["no route to 10.244.0.0/16 of node 0: it overlaps 10.244.1.0/24, which is node a's"]


def test_a_network_around_the_address_of_a_node_is_refused() -> None:
    """Its route would take the node itself away, the API server's as well as anybody's."""
    found, wrong = planned(node("b", "192.0.0.0/16", "192.0.2.2"), node("c", "10.244.3.0/24", "192.0.2.3"))
    assert list(found) == ["10.244.3.0/24"]
    assert wrong == ["no route to 192.0.0.0/16 of node b: it contains 192.0.2.1, the address of node a"]


def test_a_node_without_an_address_of_the_family() -> None:
    found, wrong = planned(node("b", "10.244.2.0/24 fd00:2::/64", "192.0.2.2"))
    assert list(found) == ["10.244.2.0/24"]
    assert wrong == ["no route to fd00:2::/64 of node b: the node has no IPv6 InternalIP"]
