"""Whole verbs of bridge and portmap on the fake kernel.

VLANs, which not every kernel has, and what the kernel tests cannot time.
"""

from pathlib import Path
from typing import Any

import pytest

from core.address import V4, V6
from core.attachment import host_ifname
from core.errors import CHECK_FAILED, NOT_AVAILABLE, PORT_TAKEN, CNIError
from core.nft.names import Element
from core.plan.records import HOST, Link, veth
from core.plan.switching import PortVlans, VlanGateway
from core.record import replace
from tests.harness.configs import bridge, mapping
from tests.harness.fake_kernel.world import World
from tests.harness.requests import call, made, refused

VALID = "cni.dev/valid-attachments"
PORT = host_ifname("net/c1/eth0")


def published(*mappings: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"type": "portmap", "runtimeConfig": {"portMappings": list(mappings)}, **keys}


@pytest.mark.parametrize("preserve", [False, True])
def test_a_vlan_with_a_gateway(tmp_path: Path, preserve: bool) -> None:
    """B-13 B-14 B-18: `br0.100`, a fourth interface, announces to neighbours; CHECK, DEL and DEL again."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24", vlan=100, preserveDefaultVlan=preserve)
    result = made(world, "ADD", config)
    assert [item["name"] for item in result["interfaces"]] == ["br0", PORT, "eth0", "br0.100"]
    assert [(item.get("sandbox"), len(item["mac"])) for item in result["interfaces"]] == [
        (None, 17),
        (None, 17),
        ("/netns/c1", 17),
        (None, 17),
    ]
    assert PortVlans(PORT, ((100, True),), preserve) in world.of(PortVlans)
    assert [arguments[-1] for name, *arguments in world.calls if name == "announce"] == ["br0.100"]
    made(world, "CHECK", {**config, "prevResult": result})
    for _ in range(2):
        made(world, "DEL", config)
        assert world.of(Link) == []
    assert len(world.of(VlanGateway)) == 1


@pytest.mark.parametrize("vlans", [(), ((100, False),), ((100, True), (7, False)), ((7, True),)], ids=str)
def test_check_notices_other_vlans(vlans: tuple[tuple[int, bool], ...]) -> None:
    """B-43: a VLAN that is missing, not native, too many, or another."""
    world, config = World(), bridge(vlan=100)
    result = made(world, "ADD", config)
    kernel = world.kernel("/netns/c1")
    kernel.create(PortVlans(PORT, vlans))
    error = refused(world, "CHECK", {**config, "prevResult": result})
    assert error["code"] == CHECK_FAILED
    assert "PortVlans" in error["msg"]


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ((HOST, "br0"), "Bridge(br0)"),
        ((HOST, PORT), "want Link(host, veth"),
        (("/netns/c1", "eth0"), "want Link(host, veth"),
    ],
)
def test_check_tells_all_that_is_gone_with_a_link(tmp_path: Path, lost: tuple[str, str], named: str) -> None:
    """B-43: differences, not a failure to look."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24", "fd01::/64", ipMasq=True)
    result = made(world, "ADD", config)
    world.kernel("/netns/c1").delete_link("host" if lost[0] == HOST else "container", lost[1])
    error = refused(world, "CHECK", {**config, "prevResult": result})
    assert error["code"] == CHECK_FAILED
    assert named in error["msg"]
    assert all(
        part.startswith("want ")
        for part in error["details"].split("; ")
        if part.startswith(("want", "cannot"))
    )


def test_a_mapping_of_a_gone_attachment_does_not_catch_what_is_published_anew(tmp_path: Path) -> None:
    """P-39 P-47: its 127.0.0.1:8080 is another key than our 8080 on every address, but would win."""
    world, switch = World(), bridge(tmp_path, "10.1.0.0/24")
    first, second = made(world, "ADD", switch, "c1"), made(world, "ADD", switch, "c2")
    made(
        world,
        "ADD",
        {**published(mapping(8080, hostIP="127.0.0.1"), mapping(9000)), "prevResult": first},
        "c1",
    )
    anew = {**published(mapping(8080), mapping(9000, hostIP="127.0.0.1")), "prevResult": second}
    error = refused(world, "ADD", anew, "c2")
    assert (error["code"], "net/c1/eth0" in error["msg"]) == (PORT_TAKEN, True)
    world.kernel("").delete(veth(PORT, "eth0", "net/c1/eth0"))
    made(world, "ADD", anew, "c2")
    assert {each.owner for each in world.of(Element) if "hostports" in each.map} == {"net/c2/eth0"}


def test_udp_flows_are_forgotten_for_the_ports_that_change_hands(tmp_path: Path) -> None:
    """P-36 P-49: on ADD and DEL, UDP alone, each family its own."""
    world = World()
    result = made(world, "ADD", bridge(tmp_path, "10.1.0.0/24", "fd01::/64"))
    ports = published(mapping(53, 53, "udp"), mapping(54, 54, "udp", hostIP="0.0.0.0"), mapping(8080))
    made(world, "ADD", {**ports, "prevResult": result})
    made(world, "DEL", published())
    assert [each for each in world.calls if each[0] == "forget_flows"] == [
        ("forget_flows", V4, frozenset({53, 54})),
        ("forget_flows", V6, frozenset({53})),
    ] * 2


@pytest.mark.parametrize("netns", ["", "/gone/c1", "/netns/c1"])
def test_del_without_a_namespace(tmp_path: Path, netns: str) -> None:
    """B-22 B-23 B-24 B-25: empty, gone or there: all of it goes, twice."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24", ipMasq=True, macspoofchk=True)
    made(world, "ADD", config)
    for _ in range(2):
        made(world, "DEL", config, CNI_NETNS=netns)
        assert world.of(Link, Element) == []
        assert not (tmp_path / "net" / "10.1.0.2").exists()


def test_gc_keeps_what_is_listed(tmp_path: Path) -> None:
    """Of both plugins, and of IPAM; another network's stay; without the key nothing is done."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24", ipMasq=True, macspoofchk=True)
    ports = published(mapping(8080))
    for container in ("c1", "c2"):
        result = made(world, "ADD", config, container)
        made(
            world,
            "ADD",
            {
                **ports,
                "prevResult": result,
                "runtimeConfig": {"portMappings": [mapping(8000 + int(container[1]))]},
            },
            container,
        )
    other = {
        **config,
        "name": "other",
        "bridge": "br1",
        "ipam": {**config["ipam"], "ranges": [[{"subnet": "10.2.0.0/24"}]]},
    }
    made(world, "ADD", other, "c1", "eth1")
    before = world.state()
    for each in (config, ports):
        made(world, "GC", each)
    assert world.state() == before
    for each in (config, ports):
        made(world, "GC", {**each, VALID: [{"containerID": "c2", "ifname": "eth0"}]})
    owners = {each.owner for each in world.of(Link, Element)}
    assert owners == {"net/c2/eth0", "other/c1/eth1"}
    assert [each.name for each in (tmp_path / "net").glob("10.*")] == ["10.1.0.3"]
    for each in (config, ports):
        made(world, "GC", {**each, VALID: []})
    assert {each.owner for each in world.of(Link, Element)} == {"other/c1/eth1"}


def test_status_tells_what_an_add_would_run_into(tmp_path: Path) -> None:
    """B-65 STATUS: a bridge that is none, a packet filter that cannot be reached."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24", ipMasq=True)
    made(world, "STATUS", config)
    assert world.records == {}
    world.fail_finish = {
        "probe_filter": CNIError(NOT_AVAILABLE, "nftables cannot be used: Operation not permitted")
    }
    for each in (config, published()):
        assert refused(world, "STATUS", each)["code"] == NOT_AVAILABLE
    world.fail_finish = {}
    made(world, "ADD", config)
    error = refused(world, "STATUS", {**config, "bridge": PORT})
    assert (error["code"], PORT in error["msg"]) == (NOT_AVAILABLE, True)


def test_a_container_that_is_moved_to_another_bridge_is_noticed(tmp_path: Path) -> None:
    """B-43: the port's master."""
    world, config = World(), bridge(tmp_path, "10.1.0.0/24")
    result = made(world, "ADD", config)
    key = ("Port", HOST, PORT)
    world.records[key] = replace(world.records[key], bridge="br1")
    code, error = call(world, "CHECK", {**config, "prevResult": result})
    assert (code, error["code"]) == (1, CHECK_FAILED)
    assert "br1" in error["msg"]
