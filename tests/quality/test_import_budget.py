"""Exactly which modules each verb of each plugin loads, from the checkout's executables.

The list stands in import_budget.txt. A new name there is a start-up cost that every container of every node
pays: a decision to be argued, not an accident. `make import-budget` writes the list anew.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from launcher import lab
from launcher.installation.versions import PLUGINS
from tests.harness.configs import bridge, host_local, mapping
from tests.harness.host import Host

ROOT = Path(__file__).resolve().parents[2]
BUDGET = Path(__file__).with_name("import_budget.txt")
INTERPRETER = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-X", "importtime"]
LOADED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
FIRST = "FIRST"  # the first ADD on a node, which makes what all attachments share
VERBS = (FIRST, "ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION")
LEGEND = (
    "Modules beyond a bare interpreter's: F is loaded by a node's first ADD, "
    "A ADD, C CHECK, D DEL, G GC, S STATUS, V VERSION."
)
# On any kind of wrong input these may be loaded, at their price; where all is well, never.
NEVER = (
    "argparse",
    "ctypes",
    "dataclasses",
    "enum",
    "importlib",
    "json",
    "logging",
    "pathlib",
    "re",
    "socket",
    "subprocess",
    "traceback",
    "typing",
)

pytestmark = pytest.mark.skipif(lab.MARK not in os.environ, reason="runs in a private fake host only")


def loaded(*command: str, environ: dict[str, str] | None = None, stdin: str = "") -> tuple[set[str], str]:
    """What *command* imported, and what it printed."""
    done = subprocess.run(
        [*INTERPRETER, *command], env=environ or {}, input=stdin, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(LOADED.findall(done.stderr)), done.stdout


class Calls:
    """Calls of the checkout's plugins for one attachment, and what each loaded beyond a bare interpreter."""

    def __init__(self, host: Host):
        container = host.container()
        self.attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": str(container.path), "CNI_IFNAME": "eth0"}
        self.bare, _ = loaded("-c", "")
        self.modules: dict[str, list[str]] = {}

    def call(
        self, plugin: str, verb: str, config: dict[str, Any], previous: Any = None, counts_as: str = ""
    ) -> Any:
        """Make one call; returns what it printed. counts_as: its name in VERBS, if not the verb's own."""
        request = {
            "cniVersion": "1.1.0",
            "name": "net",
            **config,
            **({"prevResult": previous} if previous else {}),
        }
        environ = {
            "CNI_COMMAND": verb,
            "CNI_PATH": str(ROOT / "bin"),
            **(self.attachment if verb in ("ADD", "CHECK", "DEL") else {}),
        }
        modules, output = loaded(str(ROOT / "bin" / plugin), environ=environ, stdin=json.dumps(request))
        self.modules[f"{plugin} {counts_as or verb}"] = sorted(modules - self.bare)
        return json.loads(output) if output else None


def measured(host: Host) -> dict[str, list[str]]:
    """Every verb of every plugin: a bridge with masquerade and gateway, and one mapped port.

    tuning has keys, but for ADD, since Podman writes none: what that loads is one piece of the bundle.
    """
    calls = Calls(host)
    ipam = {"type": "host-local", "ipam": host_local(host.data, "10.2.0.0/24")}
    wire = bridge(host.data, "10.1.0.0/24", ipMasq=True)
    ports = {"type": "portmap", "runtimeConfig": {"portMappings": [mapping(8080)]}}
    valid = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
    alone = {"type": "loopback"}
    fixed = {"type": "static", "ipam": {"addresses": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}]}}
    keys = {"mtu": 1400, "sysctl": {"net.core.somaxconn": "512"}}
    idle = {"type": "tuning", "dataDir": f"{host.folder}/kept"}
    tuned = {**idle, **keys}
    rates = {"ingressRate": 8000000, "ingressBurst": 800000, "egressRate": 8000000, "egressBurst": 800000}
    limit = {"type": "bandwidth", **rates}
    admitted = {"type": "firewall"}
    chain = (
        ("tuning", tuned),
        ("host-local", ipam),
        ("firewall", admitted),
        ("portmap", ports),
        ("bandwidth", limit),
        ("bridge", wire),
        ("loopback", alone),
        ("static", fixed),
    )
    final: Any = None
    for counts_as in (FIRST, "ADD"):
        result = calls.call("bridge", "ADD", wire, counts_as=counts_as)
        published = calls.call("portmap", "ADD", ports, result, counts_as)
        final = calls.call("bandwidth", "ADD", limit, published, counts_as)
        calls.call("tuning", "ADD", tuned if counts_as == FIRST else idle, final, counts_as)
        calls.call("host-local", "ADD", ipam, counts_as=counts_as)
        calls.call("loopback", "ADD", alone, counts_as=counts_as)
        calls.call("firewall", "ADD", admitted, final, counts_as)
        calls.call("static", "ADD", fixed, counts_as=counts_as)
        for plugin, config in chain if counts_as == FIRST else ():
            calls.call(plugin, "DEL", config, final)
    calls.call("tuning", "ADD", tuned, final, FIRST)
    for verb, extra, previous in (
        ("VERSION", {}, None),
        ("STATUS", {}, None),
        ("CHECK", {}, final),
        ("GC", valid, None),
        ("DEL", {}, final),
    ):
        for plugin, config in chain:
            calls.call(plugin, verb, {**config, **extra}, previous)
    return calls.modules


def rendered(modules: dict[str, list[str]]) -> str:
    """A line for each module, and in it a letter for each verb that loads it."""
    widths = [max(len(plugin), len(VERBS)) for plugin in PLUGINS]
    head = f"{'':28}" + "  ".join(PLUGINS)

    def marks(plugin: str, name: str) -> str:
        return "".join(verb[0] if name in modules[f"{plugin} {verb}"] else "." for verb in VERBS)

    names = sorted(
        set().union(*modules.values()),
        key=lambda name: (name.partition(".")[0] in ("core", "ipam", "plugins"), name),
    )
    rows = [
        f"{name:28}"
        + "  ".join(f"{marks(plugin, name):{width}}" for plugin, width in zip(PLUGINS, widths, strict=True))
        for name in names
    ]
    return "".join(f"{line.rstrip()}\n" for line in (LEGEND, "", head, *rows))


def now() -> str:
    """The table as it is now."""
    with tempfile.TemporaryDirectory() as folder, Host(ROOT / "bin", Path(folder)) as host:
        return rendered(measured(host))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the list is that of Python 3.11")
def test_each_verb_loads_exactly_what_its_budget_names(host: Host) -> None:
    # If a change is argued for: `make import-budget`.
    assert rendered(measured(host)).splitlines() == BUDGET.read_text().splitlines()


def test_no_verb_loads_what_is_known_to_be_dear(host: Host) -> None:
    dear = {call: [name for name in names if name in NEVER] for call, names in measured(host).items()}
    assert {call: names for call, names in dear.items() if names} == {}


def test_bridge_serves_static_in_its_own_process(host: Host) -> None:
    """And loads of it the module alone, not what executes another one's plugin."""
    calls = Calls(host)
    wire = {"type": "bridge", "ipam": {"type": "static", "addresses": [{"address": "10.1.0.2/24"}]}}
    calls.call("bridge", "ADD", wire)
    found = {"core.cni.process", "ipam.static", "ipam.host_local"} & {*calls.modules["bridge ADD"]}
    assert found == {"ipam.static"}


def test_tuning_without_keys_opens_no_kernel(host: Host) -> None:
    """As Podman and nerdctl write it into every network."""
    calls = Calls(host)
    for verb in VERBS[1:]:
        previous = {"cniVersion": "1.1.0", "interfaces": []} if verb in ("ADD", "CHECK") else None
        config = {"type": "tuning", "dataDir": f"{host.folder}/kept", "cni.dev/valid-attachments": []}
        calls.call("tuning", verb, config, previous)
    loaded = {name for names in calls.modules.values() for name in names}
    assert {name for name in loaded if name.startswith(("core.kernel", "core.netlink", "core.nft"))} == set()


if __name__ == "__main__":
    sys.stdout.write(now())
