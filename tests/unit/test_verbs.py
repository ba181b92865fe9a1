"""What every plugin of a kind has to do, on the fake kernel: whoever is listed here gets all of it.

The smallest are in tests/examples.
"""

import copy
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import deadline
from core.nft.names import Element
from core.plan.records import HOST, Link, Sysctl
from core.record import CHANGED
from tests.harness.configs import bridge, mapping
from tests.harness.fake_kernel.world import World
from tests.harness.requests import PLUGINS, call, made, refused

V4, V6 = "10.1.0.0/24", "fd01::/64"
ADDRESSES = {
    "type": "host-local",
    "ranges": [[{"subnet": V4}], [{"subnet": V6}]],
    "routes": [{"dst": "0.0.0.0/0"}],
}
# Plugin -> its configuration; the first ones make an interface, the others stand behind a bridge.
INTERFACES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "bridge": lambda data: bridge(data, V4, V6, ipMasq=True, macspoofchk=True),
    "pair": lambda data: {"type": "pair", "ipam": {**ADDRESSES, "dataDir": str(data)}},
}
CHAINED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "portmap": lambda _: {
        "type": "portmap",
        "runtimeConfig": {"portMappings": [mapping(8080), mapping(53, 53, "udp")]},
    },
    "bandwidth": lambda _: {
        "type": "bandwidth",
        "ingressRate": 8000000,
        "ingressBurst": 800000,
        "egressRate": 16000000,
        "egressBurst": 1600000,
    },
    "firewall": lambda _: {"type": "firewall", "ingressPolicy": "isolated"},
    "sender": lambda _: {"type": "sender"},
    "tuning": lambda data: {
        "type": "tuning",
        "dataDir": str(data / "tuning"),
        "sysctl": {"net.core.somaxconn": "512", "net.ipv4.conf.IFNAME.arp_filter": "1"},
        "mac": "02:00:00:00:00:42",
        "mtu": 1400,
        "promisc": True,
    },
}
ALL = {**INTERFACES, **CHAINED}
TRY_AGAIN_LATER, CHECK_FAILED, INTERFACE_EXISTS, INVALID_CONFIG = 11, 101, 102, 7


class Scene:
    """A world, and one plugin in it: behind a bridge if it is a chained one."""

    def __init__(self, plugin: str, folder: Path) -> None:
        self.plugin, self.world, self.data = plugin, World(), folder / "networks"
        self.config = ALL[plugin](self.data)

    def request(self, container: str = "c1") -> dict[str, Any]:
        """The configuration, with the result of what stands in front."""
        if self.plugin in INTERFACES:
            return self.config
        before = made(self.world, "ADD", bridge(self.data, V4, V6), container)
        ports = self.config.get("runtimeConfig", {}).get("portMappings", [])
        moved = [
            {**port, "hostPort": port["hostPort"] + (10000 if container != "c1" else 0)} for port in ports
        ]
        return {
            **self.config,
            "prevResult": before,
            **({"runtimeConfig": {"portMappings": moved}} if ports else {}),
        }

    def state(self) -> Any:
        """Records, links, reservations; IPv6 on the container's lo, once switched on, stays on."""
        reserved = {
            file.name: file.read_bytes()
            for pattern in ("net/*[.:][0-9a-f]*", "tuning/*")
            for file in self.data.glob(pattern)
            if not file.name.startswith("last")
        }
        return {
            key: item
            for key, item in self.world.state().items()
            if "net/ipv6/conf/lo/disable_ipv6" not in key
        }, reserved

    def lasting(self) -> Any:
        """The state but for settings of a container's own, which go with its namespace."""
        records, files = self.state()
        return {
            key: item
            for key, item in records.items()
            if getattr(item, "lifecycle", "") != CHANGED or key[1] == HOST
        }, files

    def owned(self, owner: str = "net/c1/eth0") -> list[Any]:
        """The keys of all records that bear an owner's mark."""
        return [
            key
            for key, item in self.world.records.items()
            if isinstance(item, (Link, Element)) and item.owner.partition(" ")[0] == owner
        ]


@pytest.fixture(params=ALL)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return Scene(request.param, tmp_path)


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return Scene(request.param, tmp_path)


def with_neighbour(scene: Scene) -> dict[str, Any]:
    """The request of c1, beside c0, which is there already and stays as it is."""
    made(scene.world, "ADD", scene.request("c0"), "c0")
    return scene.request()


def test_the_examples_have_sixty_lines() -> None:
    """docs/new-plugin.md shows them."""
    folder = Path(__file__).resolve().parents[1] / "examples"
    lengths = {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 60} == {}


@pytest.mark.parametrize("number", [errno.EPERM, errno.EBUSY, errno.ENOBUFS, errno.EEXIST, errno.ENODEV])
def test_add_that_fails_at_any_create_leaves_what_was_there(scene: Scene, number: int) -> None:
    request = with_neighbour(scene)
    before, first = scene.state(), scene.world.created
    made(scene.world, "ADD", request)
    count = scene.world.created - first
    made(scene.world, "DEL", request)
    assert scene.state() == before
    for step in range(1, count + 1):
        scene.world.fail_at, scene.world.fail_with = scene.world.created + step, number
        code, document = call(scene.world, "ADD", request)
        scene.world.fail_at = 0
        if code == 0:  # what is best effort may fail
            made(scene.world, "DEL", request)
        else:
            assert document["msg"].startswith(("cannot create ", "cannot replace ", "cannot write "))
        assert scene.state() == before
    made(scene.world, "ADD", request)


def test_del_leaves_nothing_and_may_be_repeated(scene: Scene) -> None:
    request = with_neighbour(scene)
    before = scene.state()
    result = made(scene.world, "ADD", request)
    for _ in range(3):
        made(scene.world, "DEL", {**request, "prevResult": result})
        assert scene.state() == before


def test_del_needs_neither_namespace_nor_prev_result(scene: Scene) -> None:
    request = with_neighbour(scene)
    before = scene.lasting()
    made(scene.world, "ADD", request)
    bare = {key: value for key, value in request.items() if key not in ("prevResult", "runtimeConfig")}
    made(scene.world, "DEL", bare, CNI_NETNS="/gone/c1")
    assert scene.lasting() == before


def test_gc_deletes_what_nobody_claims_and_nothing_else(scene: Scene) -> None:
    request = with_neighbour(scene)
    before = scene.lasting()
    made(scene.world, "ADD", request)
    both = [{"containerID": container, "ifname": "eth0"} for container in ("c0", "c1")]
    state = scene.state()
    made(scene.world, "GC", {**scene.config, "cni.dev/valid-attachments": both})
    assert scene.state() == state
    made(scene.world, "GC", {**scene.config, "cni.dev/valid-attachments": both[:1]})
    assert scene.lasting() == before
    made(scene.world, "GC", {**scene.config, "cni.dev/valid-attachments": None})
    assert scene.owned("net/c0/eth0") == [] or scene.plugin in CHAINED


def test_check_is_content_with_what_add_made_and_sees_each_record_that_is_missing(scene: Scene) -> None:
    request = with_neighbour(scene)
    behind = set(scene.world.records)
    result = made(scene.world, "ADD", request)
    checked = {**request, "prevResult": result}
    made(scene.world, "CHECK", checked)
    mine = [
        key
        for key, item in scene.world.records.items()
        if key not in behind and (not isinstance(item, Sysctl) or item.required)
    ]
    assert mine
    for key in mine:
        world = copy.deepcopy(scene.world)
        gone = world.records.pop(key)
        if isinstance(gone, Link):  # with both of its ends
            world.links = {
                where: link for where, link in world.links.items() if where[1] not in (gone.name, gone.ifname)
            }
        assert refused(world, "CHECK", checked)["code"] == CHECK_FAILED, gone
    made(scene.world, "CHECK", checked)


def test_a_budget_that_is_spent_undoes_everything(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each moment at which the plugin looks at the clock."""
    request = with_neighbour(scene)
    before = scene.state()
    looks = 0

    def check() -> None:
        nonlocal looks
        looks -= 1
        if looks == 0:
            raise deadline.Expired(TRY_AGAIN_LATER, "it did not end in time")

    for module in ("apply", "changing"):
        monkeypatch.setattr(f"core.plan.{module}.check_deadline", check)
    outcomes = list[int]()
    while not outcomes or outcomes[-1]:
        looks = len(outcomes) + 1
        code, document = call(scene.world, "ADD", request)
        outcomes.append(code)
        assert code == 0 or (document["code"], scene.state()) == (TRY_AGAIN_LATER, before)
    assert len(outcomes) > 1


def test_a_second_add_is_refused_and_harms_nothing(interface: Scene) -> None:
    request = with_neighbour(interface)
    made(interface.world, "ADD", request)
    state = interface.state()
    assert refused(interface.world, "ADD", request)["code"] == INTERFACE_EXISTS
    assert refused(interface.world, "ADD", request, CNI_NETNS="/netns/other")["code"] == INTERFACE_EXISTS
    assert interface.state() == state


def test_status_says_that_all_is_well(scene: Scene) -> None:
    made(scene.world, "STATUS", scene.config)


@pytest.mark.parametrize("plugin", CHAINED)
def test_a_chained_plugin_wants_a_result_to_add_to(plugin: str, tmp_path: Path) -> None:
    scene = Scene(plugin, tmp_path)
    for command in ("ADD", "CHECK"):
        error = refused(scene.world, command, scene.config)
        assert (error["code"], error["msg"]) == (
            INVALID_CONFIG,
            f"prevResult: {plugin} must be called as a chained plugin",
        )


def test_every_plugin_that_makes_or_adds_is_listed() -> None:
    assert set(ALL) == set(PLUGINS)
