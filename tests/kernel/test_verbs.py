"""What every plugin of a kind has to do, through executables on the real kernel, with signals and real links.

tests/unit/test_verbs.py has the same on the fake one.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.installation.versions import PLUGINS
from tests.harness.configs import PORTMAP, bridge, host_local, mapping
from tests.harness.host import Container, Host
from tests.harness.running import Running
from tests.harness.state import State

ROOT = Path(__file__).resolve().parents[2]
V4, V6 = "10.1.0.0/24", "fd01::/64"
TRY_AGAIN_LATER, CHECK_FAILED, INTERFACE_EXISTS = 11, 101, 102
EXAMPLES = ("pair", "sender")
EXAMPLE = """#!{python} -IS
import sys
sys.path.insert(0, {root!r})
from core.cni.main import main
from tests.examples import {name}
main({name}, {{"host-local": "ipam.host_local"}})
"""
INTERFACES: dict[str, Callable[[Host], dict[str, Any]]] = {
    "bridge": lambda host: bridge(host.data, V4, V6, ipMasq=True, macspoofchk=True),
    "bridge by iptables": lambda host: bridge(host.data, V4, V6, ipMasq=True, ipMasqBackend="iptables"),
    "pair": lambda host: {"type": "pair", "ipam": host_local(host.data, V4, V6)},
}
CHAINED: dict[str, Callable[[Host], dict[str, Any]]] = {
    "portmap": lambda _: {
        **PORTMAP,
        "runtimeConfig": {"portMappings": [mapping(8080), mapping(53, 53, "udp")]},
    },
    "bandwidth": lambda _: {
        "type": "bandwidth",
        "ingressRate": 8000000,
        "ingressBurst": 800000,
        "egressRate": 16000000,
        "egressBurst": 1600000,
    },
    "portmap by iptables": lambda _: {
        **PORTMAP,
        "backend": "iptables",
        "runtimeConfig": {"portMappings": [mapping(8080), mapping(53, 53, "udp")]},
    },
    "firewall": lambda _: {"type": "firewall", "ingressPolicy": "isolated"},
    "firewall by iptables": lambda _: {
        "type": "firewall",
        "backend": "iptables",
        "ingressPolicy": "same-bridge",
    },
    "sender": lambda _: {"type": "sender"},
    "tuning": lambda host: {
        "type": "tuning",
        "dataDir": str(host.data / "tuning"),
        "sysctl": {"net.ipv4.conf.IFNAME.arp_notify": "0"},
        "mac": "02:00:00:00:00:42",
        "mtu": 1400,
    },
}
INSIDE = ("tuning",)  # what they change goes with the container's namespace
ALL = {**INTERFACES, **CHAINED}
# What takes away a part of what a chained plugin made, where that is no rule.
BREAK = {"bandwidth": "ip link del $(ip -o -br link show type ifb | cut -d' ' -f1)"}


@pytest.fixture
def host(host: Host) -> Host:
    """The host of a test, with the examples beside the plugins."""
    folder = host.folder / "plugins"
    folder.mkdir()
    for name in PLUGINS:
        (folder / name).symlink_to(host.plugins / name)
    for name in EXAMPLES:
        (folder / name).write_text(EXAMPLE.format(python=sys.executable, root=str(ROOT), name=name))
        (folder / name).chmod(0o755)
    host.plugins = folder
    return host


class Scene:
    """One plugin on a host, called as a runtime does, behind a bridge if it is a chained one."""

    def __init__(self, plugin: str, host: Host) -> None:
        self.plugin, self.host = plugin, host
        self.front = {"name": "net", "cniVersion": "1.1.0", **bridge(host.data, V4, V6)}
        self.config = {"name": "net", "cniVersion": "1.1.0", **ALL[plugin](host)}

    def lasting(self, container: Container) -> State:
        """The state but for what goes with the container's namespace."""
        return self.host.state(*([] if self.plugin in INSIDE else [container]))

    def request(self, container: Container) -> dict[str, Any]:
        """The configuration, with the result of what stands in front."""
        if self.plugin in INTERFACES:
            return self.config
        ports = (
            {"runtimeConfig": {"portMappings": [mapping(9090)]}}
            if self.plugin.startswith("portmap") and container.name == "c0"
            else {}
        )
        return {**self.config, **ports, "prevResult": self.made("ADD", self.front, container)}

    def made(self, command: str, config: dict[str, Any], container: Container | str | None = None) -> Any:
        answer = self.host.call(command, config, container)
        assert answer.exit_code == 0, answer
        return answer.output

    def refused(self, command: str, config: dict[str, Any], container: Container | str | None = None) -> int:
        answer = self.host.call(command, config, container)
        assert (answer.exit_code, type(answer.output)) == (1, dict), answer
        return int(answer.output["code"])


@pytest.fixture(params=ALL)
def scene(request: pytest.FixtureRequest, host: Host) -> Scene:
    return Scene(request.param, host)


def test_all_that_add_makes_is_checked_and_deleted(scene: Scene) -> None:
    """DEL may be repeated, and needs neither namespace nor prevResult."""
    neighbour, container = scene.host.container("c0"), scene.host.container()
    scene.made("ADD", scene.request(neighbour), neighbour)
    request = scene.request(container)
    before, lasting = scene.host.state(container), scene.lasting(container)
    for gone in (False, True):
        result = scene.made("ADD", request, container)
        assert scene.host.state(container) != before
        scene.made("CHECK", {**request, "prevResult": result}, container)
        bare = {key: value for key, value in request.items() if key not in ("prevResult", "runtimeConfig")}
        for _ in range(2):
            scene.made(
                "DEL",
                bare if gone else {**request, "prevResult": result},
                container.name if gone else container,
            )
        assert scene.lasting(container) == lasting
        assert gone or scene.host.state(container) == before


def test_gc_deletes_what_nobody_claims(scene: Scene) -> None:
    neighbour, container = scene.host.container("c0"), scene.host.container()
    scene.made("ADD", scene.request(neighbour), neighbour)
    request = scene.request(container)
    before = scene.lasting(container)
    scene.made("ADD", request, container)
    state = scene.host.state(container)
    both = [{"containerID": name, "ifname": "eth0"} for name in ("c0", "c1")]
    scene.made("GC", {**scene.config, "cni.dev/valid-attachments": both})
    assert scene.host.state(container) == state
    scene.made("GC", {**scene.config, "cni.dev/valid-attachments": both[:1]})
    assert scene.lasting(container) == before


def test_check_sees_what_is_gone(scene: Scene) -> None:
    container = scene.host.container()
    request = scene.request(container)
    result = scene.made("ADD", request, container)
    if scene.plugin in INTERFACES:
        container.run("ip address flush dev eth0")
    elif scene.plugin in INSIDE:
        container.run("ip link set eth0 mtu 1300")
    else:
        scene.host.run(BREAK.get(scene.plugin, "nft flush ruleset"))
    assert scene.refused("CHECK", {**request, "prevResult": result}, container) == CHECK_FAILED


@pytest.mark.parametrize("plugin", INTERFACES)
@pytest.mark.parametrize("how", ["SIGTERM", "CNIWIRE_TIMEOUT"])
def test_an_ipam_plugin_that_hangs_is_given_up_and_nothing_is_left(host: Host, plugin: str, how: str) -> None:
    folder = host.ipam(f'case "$CNI_COMMAND" in ADD) touch {host.folder}/hangs; exec sleep 60;; esac')
    config = {"name": "net", "cniVersion": "1.1.0", **INTERFACES[plugin](host), "ipam": {"type": "fake"}}
    container = host.container()
    before = host.state(container)
    running = Running(
        host,
        "ADD",
        config,
        container,
        {"CNI_PATH": str(folder), **({how: "1"} if how.startswith("CNI") else {})},
    )
    running.until(host.folder / "hangs")
    if how == "SIGTERM":
        running.signal(signal.SIGTERM)
    answer = running.answer()
    assert (answer.exit_code, answer.output["code"]) == (1, TRY_AGAIN_LATER)
    assert host.state(container) == before


@pytest.mark.parametrize("plugin", INTERFACES)
def test_a_second_add_is_refused_and_harms_nothing(host: Host, plugin: str) -> None:
    scene, container = Scene(plugin, host), host.container()
    scene.made("ADD", scene.config, container)
    state = host.state(container)
    assert scene.refused("ADD", scene.config, container) == INTERFACE_EXISTS
    assert host.state(container) == state


def test_a_configuration_without_an_end_is_given_up(scene: Scene) -> None:
    container = scene.host.container()
    before = scene.host.state(container)
    running = (
        Running(scene.host, "ADD", scene.config, container, open_stdin=True)
        .until_blocked("pipe")
        .signal(signal.SIGTERM)
    )
    answer = running.answer()
    assert (answer.exit_code, answer.output["code"]) == (1, TRY_AGAIN_LATER)
    assert scene.host.state(container) == before
