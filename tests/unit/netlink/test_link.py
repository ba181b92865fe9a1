"""Our rtnetlink messages about links read by pyroute2, and its read by us."""

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from core.netlink import link
from core.netlink.link import Link
from core.netlink.message import ACK, CREATE, DUMP, EXCL, Message, number
from tests.harness.oracle import read, written

MAC, MAC_TEXT = bytes.fromhex("020000000001"), "02:00:00:00:00:01"
SKIP_STATS = {"IFLA_EXT_MASK": 8}


def test_a_bridge() -> None:
    """B-1 B-15 B-64: with its MAC from the start, filtering only where asked."""
    made = link.new_bridge("br0", 1400, MAC, True)
    assert (made.type, made.flags) == (16, CREATE | EXCL)
    assert read(made) == {
        "IFLA_IFNAME": "br0",
        "IFLA_MTU": 1400,
        "IFLA_ADDRESS": MAC_TEXT,
        "IFLA_GROUP": link.NEWBORN_BRIDGE,
        "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge", "IFLA_INFO_DATA": {"IFLA_BR_VLAN_FILTERING": 1}},
    }
    assert read(link.new_bridge("br0", 0, MAC, False)) == {
        "IFLA_IFNAME": "br0",
        "IFLA_ADDRESS": MAC_TEXT,
        "IFLA_GROUP": link.NEWBORN_BRIDGE,
        "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge"},
    }


def test_a_veth_pair() -> None:
    """U-6: the host's end up and a port, the container's born in its namespace."""
    made = link.new_veth("veth0", "eth0", 7, 3, 1400, MAC)
    assert (made.type, made.flags) == (16, CREATE | EXCL)
    peer = {"IFLA_IFNAME": "eth0", "IFLA_MTU": 1400, "IFLA_ADDRESS": MAC_TEXT, "IFLA_NET_NS_FD": 7}
    assert read(made) == {
        "flags": 1,
        "change": 1,
        "IFLA_IFNAME": "veth0",
        "IFLA_MTU": 1400,
        "IFLA_MASTER": 3,
        "IFLA_LINKINFO": {"IFLA_INFO_KIND": "veth", "IFLA_INFO_DATA": {"VETH_INFO_PEER": peer}},
    }
    assert read(link.new_veth("veth0", "br0.1", None, 0, 0, b"", group=5)) == {
        "flags": 1,
        "change": 1,
        "IFLA_IFNAME": "veth0",
        "IFLA_GROUP": 5,
        "IFLA_LINKINFO": {
            "IFLA_INFO_KIND": "veth",
            "IFLA_INFO_DATA": {"VETH_INFO_PEER": {"IFLA_IFNAME": "br0.1"}},
        },
    }


def test_a_link_gets_its_alias_and_its_master() -> None:
    assert read(link.set_alias("veth0", "net/c1/eth0")) == {
        "IFLA_IFNAME": "veth0",
        "IFLA_IFALIAS": "net/c1/eth0",
        "IFLA_GROUP": 0,
    }
    assert read(link.set_master("veth0", 7)) == {"IFLA_IFNAME": "veth0", "IFLA_MASTER": 7}


@pytest.mark.parametrize("hairpin", [False, True])
@pytest.mark.parametrize("isolated", [False, True])
def test_a_port(hairpin: bool, isolated: bool) -> None:
    """B-48 B-49: all flags are always written."""
    assert read(link.set_port("veth0", hairpin, isolated, not hairpin)) == {
        "IFLA_IFNAME": "veth0",
        "IFLA_LINKINFO": {
            "IFLA_INFO_SLAVE_KIND": "bridge",
            "IFLA_INFO_SLAVE_DATA": {
                "IFLA_BRPORT_MODE": int(hairpin),
                "IFLA_BRPORT_LEARNING": int(not hairpin),
                "IFLA_BRPORT_ISOLATED": int(isolated),
            },
        },
    }


@pytest.mark.parametrize(
    ("message", "kind", "flags", "expected"),
    [
        (link.get_link("eth0"), 18, 0, {"IFLA_IFNAME": "eth0", **SKIP_STATS}),
        (link.get_link_at(7), 18, 0, {"index": 7, **SKIP_STATS}),
        (link.list_links(), 18, DUMP, SKIP_STATS),
        (link.set_flags("eth0", 1, 1), 19, 0, {"flags": 1, "change": 1, "IFLA_IFNAME": "eth0"}),
        (link.set_flags("br0", 0x100, 0x100), 19, 0, {"flags": 0x100, "change": 0x100, "IFLA_IFNAME": "br0"}),
        (link.set_mac("br0", MAC), 19, 0, {"IFLA_IFNAME": "br0", "IFLA_ADDRESS": MAC_TEXT}),
        (link.del_link("veth0"), 17, 0, {"IFLA_IFNAME": "veth0"}),
    ],
    ids=str,
)
def test_small_requests(message: Message, kind: int, flags: int, expected: dict[str, Any]) -> None:
    assert (message.type, message.flags, read(message)) == (kind, flags, expected)
    assert not message.flags & ACK  # the socket's affair


def test_a_link_is_read() -> None:
    info = {
        "attrs": [
            ("IFLA_INFO_KIND", "bridge"),
            ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_VLAN_FILTERING", 1)]}),
        ]
    }
    attrs = [
        ("IFLA_IFNAME", "br0"),
        ("IFLA_MTU", 1400),
        ("IFLA_ADDRESS", MAC_TEXT),
        ("IFLA_OPERSTATE", "UP"),
        ("IFLA_IFALIAS", "net/c1/eth0"),
    ]
    attrs += [("IFLA_MASTER", 3), ("IFLA_LINK", 9), ("IFLA_PROMISCUITY", 1), ("IFLA_LINKINFO", info)]
    found = link.read_link(written(ifinfmsg, index=7, flags=0x1043, attrs=attrs))
    assert found == Link(7, "br0", 0x1043, MAC, 1400, 3, 9, 6, "net/c1/eth0", "bridge", 1, found.data, {})
    assert (found.up, found.data[7]) == (True, b"\1")


def test_a_bridge_port_is_read() -> None:
    port = {"attrs": [("IFLA_BRPORT_MODE", 1), ("IFLA_BRPORT_ISOLATED", 1)]}
    info = {
        "attrs": [
            ("IFLA_INFO_KIND", "veth"),
            ("IFLA_INFO_SLAVE_KIND", "bridge"),
            ("IFLA_INFO_SLAVE_DATA", port),
        ]
    }
    found = link.read_link(
        written(ifinfmsg, index=7, attrs=[("IFLA_IFNAME", "veth0"), ("IFLA_LINKINFO", info)])
    )
    assert (found.kind, found.up, found.port[4], found.port[33]) == ("veth", False, b"\1", b"\1")


@pytest.mark.parametrize("kind", [5, 10])
def test_a_number_that_no_interface_can_have_is_refused(kind: int) -> None:
    """As the peer or the bridge of a link, which is asked for by it: found by fuzz."""
    with pytest.raises(ValueError, match="4294967295"):
        link.read_link(link.ifinfo(7) + number(kind, 2**32 - 1))
