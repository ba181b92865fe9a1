"""Calls of a plugin in this process, on a fake kernel."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.cni.protocol import respond
from plugins import bandwidth, bridge, firewall, portmap, tuning
from tests.examples import pair, sender
from tests.harness.fake_kernel.world import World

BIN = Path(__file__).resolve().parents[2] / "bin"
SIBLINGS = {"host-local": "ipam.host_local", "static": "ipam.static"}
CHAINED = (portmap, tuning, bandwidth, firewall, sender)
PLUGINS: Mapping[str, Any] = {module.NAME: module for module in (bridge, pair, *CHAINED)}
Config = Mapping[str, Any]


def call(
    world: World, command: str, config: Config, container: str = "c1", ifname: str = "eth0", **environ: str
) -> tuple[int, Any]:
    """(exit code, decoded standard output or None) of the plugin that *config* names.

    The network is `net` at 1.1.0 unless the configuration says otherwise.
    """
    variables = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": f"/netns/{container}",
        "CNI_IFNAME": ifname,
        "CNI_PATH": str(BIN),
        **environ,
    }
    stdin = json.dumps({"cniVersion": "1.1.0", "name": "net", **config}).encode()
    code, stdout = respond(PLUGINS[config["type"]], variables, lambda: stdin, SIBLINGS, world.kernel)
    return code, json.loads(stdout) if stdout else None


def made(
    world: World, command: str, config: Config, container: str = "c1", ifname: str = "eth0", **environ: str
) -> Any:
    """What a call that has to succeed printed."""
    code, document = call(world, command, config, container, ifname, **environ)
    assert code == 0, document
    return document


def refused(
    world: World, command: str, config: Config, container: str = "c1", ifname: str = "eth0", **environ: str
) -> dict[str, Any]:
    """The one error object of a call that has to fail."""
    code, document = call(world, command, config, container, ifname, **environ)
    assert code == 1, document
    assert isinstance(document, dict)
    assert {"code", "msg"} <= set(document)
    return document
