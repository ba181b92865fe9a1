"""Records in words: what CHECK says of them to a person, and how a dry run and errors have them."""

import pytest

from core.address import parse, parse_cidr
from core.nft.backend import masquerade_elements
from core.nft.names import INET, TABLES, Chain
from core.nft.ports import port_element
from core.plan import words
from core.plan.records import CONTAINER, HOST, Address, Bridge, Peer, Port, Route, Sysctl, Up, veth
from core.plan.switching import PortVlans
from core.plan.words import describe
from core.publication import Mapping
from core.record import Record, replace
from tests.unit.plan.attached import BRIDGE, CHAIN, ROUTE, VETH

TCP = Mapping("tcp", b"", 8080, parse("10.1.0.2"), 80)
UDP = Mapping("udp", parse("fd00::1"), 53, parse("fd01::2"), 53)
MAPPED = port_element(TCP, "net/c1/eth0")
MASQUERADE = masquerade_elements(parse_cidr("10.1.0.2/24"), "net/c1/eth0")[0]
NEIGHBOUR = Route("eth0", parse_cidr("10.9.0.0/16"))


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (veth("veth1", "eth0", "net/c1/eth0"), "eth0 is gone"),
        (Bridge("br0"), "bridge br0 is gone"),
        (Address("eth0", parse_cidr("10.1.0.2/24")), "eth0 has no address 10.1.0.2/24"),
        (Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")), "eth0 has no default route via 10.1.0.1"),
        (Route("eth0", parse_cidr("::/0")), "eth0 has no default route"),
        (NEIGHBOUR, "eth0 has no route to 10.9.0.0/16"),
        (MAPPED, "8080/tcp is not published any more"),
        (port_element(UDP, "net/c1/eth0"), "[fd00::1]:53/udp is not published any more"),
        (MASQUERADE, "nft map masquerade4 has lost 10.1.0.2 : jump outside4-24"),
        (TABLES["inet"], "nft table inet cniwire is missing"),
        (Chain("inet", "outside4-24"), "nft chain outside4-24 is missing"),
        (PortVlans("veth1", ((5, True),)), "veth1 has lost its VLANs"),
    ],
)
def test_what_is_missing(record: Record, told: str) -> None:
    assert words.missing(record) == told


@pytest.mark.parametrize(
    ("record", "found", "told"),
    [
        (
            veth("v", "eth0", "o", mac=bytes(5) + b"\2"),
            {"data": Peer(CONTAINER, "eth0", bytes(5) + b"\3")},
            "eth0: mac is 00:00:00:00:00:03, not 00:00:00:00:00:02",
        ),
        (
            Bridge("br0", 1500),
            {"mtu": 1400, "vlan_filtering": True},
            "br0: mtu is 1400, not 1500, vlan filtering, which it should not be",
        ),
        (
            Port("veth1", "br0", hairpin=True),
            {"bridge": "br1", "hairpin": False},
            "veth1: bridge is br1, not br0, not hairpin",
        ),
        (PortVlans("veth1", ((5, True),)), {"vlans": ((6, True),)}, "veth1: other vlans"),
        (Sysctl(HOST, "net/ipv4/ip_forward", "1"), {"value": "0"}, "net/ipv4/ip_forward is 0, not 1"),
        (Chain("inet", "postrouting"), {"mask": b"x"}, "nft chain postrouting has other rules"),
        (
            MAPPED,
            {"owner": "net/c2/eth0", "text": "something else"},
            "8080/tcp leads elsewhere and belongs to net/c2/eth0",
        ),
        (MASQUERADE, {"owner": ""}, "10.1.0.2 : jump outside4-24 leads elsewhere and belongs to nobody"),
    ],
)
def test_what_is_otherwise(record: Record, found: dict[str, object], told: str) -> None:
    assert words.changed(record, replace(record, **found)) == told


def test_what_goes_with_a_link() -> None:
    """Whatever names it, a setting's path included; its neighbour's is another matter."""
    gone = words.borne(veth("veth1", "eth0", "net/c1/eth0"))
    follow = (
        Up(CONTAINER, "eth0"),
        Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0"),
        Port("veth1", "br0"),
        NEIGHBOUR,
    )
    assert [bool(gone & words.names(record)) for record in follow] == [True] * 4
    assert not gone & words.names(Port("veth10", "br0"))


@pytest.mark.parametrize(
    ("mapping", "published", "told"),
    [
        (TCP, "8080/tcp", "8080/tcp to 10.1.0.2:80"),
        (
            replace(TCP, host_address=parse("10.0.0.1")),
            "10.0.0.1:8080/tcp",
            "10.0.0.1:8080/tcp to 10.1.0.2:80",
        ),
        (UDP, "[fd00::1]:53/udp", "[fd00::1]:53/udp to [fd01::2]:53"),
    ],
)
def test_a_port_is_written_as_people_write_it(mapping: Mapping, published: str, told: str) -> None:
    assert (mapping.published, str(mapping)) == (published, told)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (BRIDGE, "Bridge(br0)"),
        (Bridge("br0", 1400, True), "Bridge(br0, mtu 1400, vlan_filtering)"),
        (
            replace(VETH, data=Peer(CONTAINER, "eth0", b"\2\0\0\0\0\1")),
            f"Link(host, {VETH.name}, veth, net/c1/eth0, Peer(container, eth0, mac 02:00:00:00:00:01), up)",
        ),
        (ROUTE, "Route(eth0, dst 0.0.0.0/0, gateway 10.1.0.1)"),
        (PortVlans("veth0", ((100, True), (7, False))), "PortVlans(veth0, vlans 100 True; 7 False)"),
        (CHAIN, "Chain(inet, outside4-24, outside, mask 255.255.255.0)"),
        (Sysctl(HOST, "net/ipv4/ip_forward", "1"), "Sysctl(host, net/ipv4/ip_forward, 1, required)"),
    ],
)
def test_a_record_in_words(record: object, expected: str) -> None:
    assert describe(record) == expected


def test_a_table_in_words_is_its_family() -> None:
    assert describe(TABLES[INET]) == "Table(inet)"
