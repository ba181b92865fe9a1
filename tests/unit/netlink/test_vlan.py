"""The VLANs of a bridge's ports: our messages read by pyroute2 and by us."""

from core.netlink import vlan
from core.netlink.message import ACK, DUMP
from tests.harness.oracle import read


def test_the_vlans_of_all_ports_are_asked_for_at_once() -> None:
    message = vlan.list_vlans()
    assert (message.type, message.flags, read(message)) == (18, DUMP, {"family": 7, "IFLA_EXT_MASK": 2})
    assert not message.flags & ACK  # the socket's affair


def test_vlans_of_a_port() -> None:
    """B-9 B-10 B-12: added by SETLINK, removed by DELLINK, in the bridge's family."""
    added, removed = (
        vlan.change(7, [(vlan.BRIDGE_VLAN_INFO_PVID | vlan.BRIDGE_VLAN_INFO_UNTAGGED, 100), (0, 101)]),
        vlan.change(7, [(0, 1)], delete=True),
    )
    assert (added.type, removed.type) == (19, 17)
    found = read(added)
    assert (found["family"], found["index"]) == (7, 7)
    assert found["IFLA_AF_SPEC"] == {"IFLA_BRIDGE_VLAN_INFO": [{"flags": 6, "vid": 100}, {"vid": 101}]}
    assert read(removed)["IFLA_AF_SPEC"] == {"IFLA_BRIDGE_VLAN_INFO": {"vid": 1}}
    assert vlan.read_vlans(added.payload) == [(6, 100), (0, 101)]


def test_every_vlan_at_once() -> None:
    """The longest trunk fits one attribute."""
    wanted = [(0, each) for each in range(1, 4095)]
    assert vlan.read_vlans(vlan.change(7, wanted).payload) == wanted
