"""What the Go suite made: which names it is known by, and what of our plan is expected of it."""

from core.address import parse, parse_cidr
from core.attachment import Attachment
from core.kernel import go_rules, go_suite
from core.kernel.go_suite import ContainerLink
from core.nft.backend import masquerade_elements, outside, spoof_elements
from core.nft.names import TABLES
from core.plan.records import CONTAINER, HOST, Address, Bridge, Gateway, Plan, Port, Route, Sysctl, Up, veth
from tests.harness.fake_kernel.world import World

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")


def test_links_addresses_and_routes_are_expected_and_no_more() -> None:
    """B-43: its host veth has a random name and no alias, its rules stand in tables of its own."""
    pair = veth(ATTACHMENT.host_ifname, "eth0", ATTACHMENT.owner, mac=b"\2\0\0\0\0\1")
    port = Port(ATTACHMENT.host_ifname, "br0", hairpin=True)
    address, up, route = (
        Address("eth0", parse_cidr("10.1.0.2/24")),
        Up(CONTAINER, "eth0"),
        Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")),
    )
    spoof = spoof_elements("veth0", b"\2\0\0\0\0\1", ATTACHMENT.owner)
    gateway = Gateway("br0", parse_cidr("10.1.0.1/24"))
    setting = Sysctl(CONTAINER, "net/ipv4/conf/eth0/arp_notify", "1", required=False)
    element = masquerade_elements(parse_cidr("10.1.0.2/24"), ATTACHMENT.owner)[0]
    made = Plan(
        (Bridge("br0"), Up(HOST, "br0"), TABLES["inet"], outside(parse_cidr("10.1.0.0/24")), gateway),
        (pair, port, *spoof, element, setting, address, up, route),
    )
    assert go_suite.plan(made, ATTACHMENT.host_ifname, "veth1234abcd") == Plan(
        (Bridge("br0"), Up(HOST, "br0"), gateway),
        (
            veth("veth1234abcd", "eth0", "", mac=b"\2\0\0\0\0\1"),
            Port("veth1234abcd", "br0", hairpin=True),
            address,
            up,
            route,
        ),
    )


def test_the_containers_link_is_deleted_where_there_is_a_container() -> None:
    """B-24"""
    world = World()
    assert go_suite.footprint(world.kernel("/netns/c1"), ATTACHMENT) == (
        ContainerLink("eth0", ATTACHMENT.owner),
    )
    assert go_suite.footprint(world.kernel(""), ATTACHMENT) == ()


def test_where_the_go_suite_made_nothing_nothing_is_to_be_cleaned() -> None:
    """B-41 P-45"""
    kernel = World().kernel("")
    assert go_rules.delete_masquerade(kernel, ATTACHMENT) == []
    assert go_rules.delete_mappings(kernel, ATTACHMENT, []) == []
