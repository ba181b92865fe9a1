"""What CHECK says of records, in a person's words."""

import pytest

from core.address import parse, parse_cidr
from core.nft.names import TABLES, Chain, Element
from core.plan import words
from core.plan.records import CONTAINER, HOST, Address, Bridge, Port, PortVlans, Route, Sysctl, Up, Veth
from core.record import Record, replace

MAPPED = Element("inet", "hostports4", b"\x06\0\0\0\x1f\x90\0\0", b"\x0a\x01\0\x02\0\x50\0\0", "", "net/c1/eth0", "tcp . 8080 : 10.1.0.2 . 80")
MASQUERADE = Element("inet", "masquerade4", b"\x0a\x01\0\x02", b"", "outside4-24", "net/c1/eth0", "10.1.0.2 : jump outside4-24")
NEIGHBOUR = Route("eth0", parse_cidr("10.9.0.0/16"))


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Veth("veth1", "eth0", "net/c1/eth0"), "eth0 is gone"),
        (Bridge("br0"), "bridge br0 is gone"),
        (Address("eth0", parse_cidr("10.1.0.2/24")), "eth0 has no address 10.1.0.2/24"),
        (Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")), "eth0 has no default route via 10.1.0.1"),
        (Route("eth0", parse_cidr("::/0")), "eth0 has no default route"),
        (NEIGHBOUR, "eth0 has no route to 10.9.0.0/16"),
        (MAPPED, "8080/tcp is not published any more"),
        (replace(MAPPED, map="hostip_hostports6", text="fd00::1 . udp . 53 : fd01::2 . 53"), "[fd00::1]:53/udp is not published any more"),
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
        (Veth("v", "eth0", "o", mac=bytes(5) + b"\2"), {"mac": bytes(5) + b"\3"}, "eth0: mac is 00:00:00:00:00:03, not 00:00:00:00:00:02"),
        (Bridge("br0", 1500), {"mtu": 1400, "vlan_filtering": True}, "br0: mtu is 1400, not 1500, vlan filtering, which it should not be"),
        (Port("veth1", "br0", hairpin=True), {"bridge": "br1", "hairpin": False}, "veth1: bridge is br1, not br0, not hairpin"),
        (PortVlans("veth1", ((5, True),)), {"vlans": ((6, True),)}, "veth1: other vlans"),
        (Sysctl(HOST, "net/ipv4/ip_forward", "1"), {"value": "0"}, "net/ipv4/ip_forward is 0, not 1"),
        (Chain("inet", "postrouting"), {"mask": b"x"}, "nft chain postrouting has other rules"),
        (MAPPED, {"owner": "net/c2/eth0", "text": "something else"}, "8080/tcp leads elsewhere and belongs to net/c2/eth0"),
        (MASQUERADE, {"owner": ""}, "10.1.0.2 : jump outside4-24 leads elsewhere and belongs to nobody"),
    ],
)
def test_what_is_otherwise(record: Record, found: dict[str, object], told: str) -> None:
    assert words.changed(record, replace(record, **found)) == told


def test_what_goes_with_a_link() -> None:
    """Whatever names it, a setting's path included; its neighbour's is another matter."""
    gone = words.borne(Veth("veth1", "eth0", "net/c1/eth0"))
    follow = (Up(CONTAINER, "eth0"), Sysctl(CONTAINER, "net/ipv6/conf/eth0/disable_ipv6", "0"), Port("veth1", "br0"), NEIGHBOUR)
    assert [bool(gone & words.names(record)) for record in follow] == [True] * 4
    assert not gone & words.names(Port("veth10", "br0"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tcp . 8080", "8080/tcp"),
        ("10.0.0.1 . udp . 53", "10.0.0.1:53/udp"),
        ("fd00::1 . sctp . 9 : fd01::2 . 90", "[fd00::1]:9/sctp to [fd01::2]:90"),
        ("tcp . 1 : 10.1.0.7 . 2", "1/tcp to 10.1.0.7:2"),
    ],
)
def test_a_port_is_written_as_people_write_it(text: str, told: str) -> None:
    assert words.port(text) == told
