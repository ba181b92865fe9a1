"""VLANs of bridge, on a real kernel that has them. Where it has none, the fake kernel tests the plan."""

from typing import Any

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping

Vlans = dict[int, list[str]]


def obstacle(host: Host) -> str:
    """Say why this kernel cannot filter VLANs, or nothing: a bridge is made that filters, and deleted."""
    try:
        host.run("ip link add probe type bridge && ip link set probe type bridge vlan_filtering 1")
    except AssertionError as error:
        return f"this kernel has no bridge VLAN filtering: {error}"
    finally:
        host.run("ip link delete probe")
    return ""


@pytest.fixture
def vlan_host(host: Host) -> Host:
    """The host, where its kernel can filter VLANs."""
    if reason := obstacle(host):
        pytest.skip(reason)
    return host


def vlans(host: Host, port: str) -> Vlans:
    """Return the VLANs of a bridge port and their flags."""
    return {
        it["vlan"]: it.get("flags", [])
        for it in host.run_json(f"bridge -json -compressvlans vlan show dev {port}")[0]["vlans"]
    }


NATIVE = ["PVID", "Egress Untagged"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"vlan": 100, "preserveDefaultVlan": True}, {1: ["Egress Untagged"], 100: NATIVE}),  # B-9
        # B-10
        (
            {"vlanTrunk": [{"id": 101}, {"minID": 200, "maxID": 202}]},
            {1: NATIVE, 101: [], 200: [], 201: [], 202: []},
        ),
        ({"vlan": 100, "vlanTrunk": [{"id": 101}]}, {100: NATIVE, 101: []}),  # B-11
        ({"vlan": 100}, {100: NATIVE}),  # B-12
    ],
    ids=str,
)
def test_a_port_has_exactly_these_vlans(vlan_host: Host, keys: dict[str, Any], expected: Vlans) -> None:
    """B-9 B-10 B-11 B-12 B-15"""
    vlan_host.network(bridge(**keys)).add(vlan_host.container())
    assert vlans(vlan_host, vlan_host.veth("net/c1/eth0")) == expected
    assert vlan_host.link("br0")["linkinfo"]["info_data"]["vlan_filtering"] == 1


@pytest.mark.parametrize("preserve", [False, True])
def test_the_gateway_of_a_vlan(vlan_host: Host, preserve: bool) -> None:
    """B-13 B-14: `br0.100`, a fourth interface, has it; its peer is in the VLAN; the container reaches it."""
    container = vlan_host.container()
    config = bridge(vlan_host.data, "10.1.0.0/24", vlan=100, preserveDefaultVlan=preserve)
    result = vlan_host.network(config).add(container)
    assert [interface["name"] for interface in result["interfaces"]][3] == "br0.100"
    assert (vlan_host.addresses("br0.100"), vlan_host.addresses("br0")) == (["10.1.0.1/24"], [])
    assert len(vlan_host.links()) == 4
    assert ping(container, "10.1.0.1") is not None


def test_no_vlan_no_filtering(host: Host) -> None:
    """B-15: without vlan and vlanTrunk the bridge is a plain one."""
    host.network(bridge(host.data, "10.1.0.0/24")).add(host.container())
    assert host.link("br0")["linkinfo"]["info_data"]["vlan_filtering"] == 0


def test_vlans_without_kernel_support_are_an_error_that_leaves_nothing(host: Host) -> None:
    """B-35: on a kernel without VLAN filtering ADD says so and makes nothing."""
    if not obstacle(host):
        pytest.skip("this kernel has VLAN filtering")
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError):
        host.network(bridge(vlan=100)).add(container)
    assert host.state(container) == before
