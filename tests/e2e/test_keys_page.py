"""docs/keys.md: every key that plugins read is there and no other, and every example works."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.cni.config import Section
from core.cni.protocol import respond
from launcher import conflist, foresight
from launcher.installation.versions import PLUGINS
from tests.harness import pages
from tests.harness.host import Host

SECTIONS = pages.sections("keys")
SIBLINGS = {"host-local": "ipam.host_local", "static": "ipam.static"}
MODULES = {name: f"plugins.{name}" for name in PLUGINS} | SIBLINGS
OF_IPAM = tuple(SIBLINGS)
OURS = {"runtimeConfig", "args", "ipam", "dns"}  # sections that hold keys of plugins
# What the runtime hands over by capability.
HANDED: dict[str, dict[str, Any]] = {
    "bridge": {"mac": "02:00:00:00:81:05", "ips": ["10.81.0.81"]},
    "host-local": {"ips": ["10.82.1.82"]},
    "portmap": {"portMappings": [{"hostPort": 8084, "containerPort": 80, "protocol": "tcp"}]},
}
DATA_DIR = "/var/lib/cni/networks"  # which is the host's; the tests have another one each


def listed(kind: str) -> list[str]:
    """The keys in a section's table, those of CNI_ARGS without."""
    cells = [row[0] for row in pages.rows(SECTIONS[kind]) if "`CNI_ARGS`" not in row[0]]
    return [cell.strip("`") for cell in cells]


def own(kind: str) -> set[str]:
    """The keys of the plugin's own object, without what stands below them."""
    tops = {re.split(r"[.\[]", key)[0] for key in listed(kind)}
    return tops - (OURS - {"dns"} if kind in OF_IPAM else OURS) if kind != "All plugins" else tops


def test_there_is_a_section_for_each_plugin() -> None:
    assert {*SECTIONS} == {"The list", "All plugins", *PLUGINS}


def test_the_keys_of_a_list_are_those_that_the_launcher_reads(tmp_path: Path) -> None:
    """Another than these is asked for nowhere."""

    class Noting(dict[str, Any]):
        """A list that notes what is asked for."""

        asked: set[str] = set()

        def get(self, key: str, default: Any = None) -> Any:
            self.asked.add(key)
            return super().get(key, default)

        def __contains__(self, key: object) -> bool:
            self.asked.add(str(key))
            return super().__contains__(key)

    noting = Noting({"name": "n", "cniVersion": "1.1.0", "plugins": [{"type": "loopback"}]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launcher.conflist.whole", lambda _: noting)
        conflist.parse_list(b"{}", str(tmp_path / "n.conflist"))
    assert noting.asked == {*listed("The list")}


@pytest.mark.parametrize("kind", sorted(foresight.KEYS))
def test_the_keys_are_those_that_status_knows(kind: str) -> None:
    assert own(kind) == set(foresight.KEYS[kind].split())
    assert listed(kind) == list(dict.fromkeys(listed(kind)))


def test_the_keys_of_all_plugins_are_those_that_status_knows() -> None:
    assert {key for key in own("All plugins") if not key.startswith("cni")} | {
        "cniVersion",
        "cniVersions",
    } == {*foresight.ALL.split()}


def example(kind: str) -> dict[str, Any]:
    """The complete configuration list of a section."""
    (block,) = pages.blocks(SECTIONS[kind]).values()
    return dict(json.loads(block))


def placed(value: Any, data: Path) -> Any:
    """An example with the test's own directory of reservations."""
    text = json.dumps(value).replace(DATA_DIR, str(data))
    made = json.loads(text)
    for plugin in made["plugins"]:
        if plugin.get("ipam", {}).get("type") == "host-local":
            plugin["ipam"]["dataDir"] = str(data)
    return made


@pytest.mark.parametrize("kind", PLUGINS)
def test_each_example_works(kind: str, host: Host) -> None:
    """ADD, CHECK, STATUS, DEL; nothing of the container is left."""
    made, container, handed = (
        placed(example(kind), host.data),
        host.container("exemplar"),
        HANDED.get(kind, {}),
    )
    network = host.network(*made["plugins"], name=made["name"], version=made["cniVersion"])
    network.status()
    network.add(container, **handed)
    network.check(container, **handed)
    network.delete(container, **handed)
    assert not [line for line in host.state() if "exemplar" in line]


@pytest.mark.parametrize("kind", sorted(foresight.KEYS))
def test_each_example_has_every_key_of_its_own_that_can_stand_together(kind: str) -> None:
    """But what contradicts others, what this kernel may lack, and what is another form of the same."""
    left_out = {
        "bridge": {
            *("isGateway", "promiscMode", "vlan", "vlanTrunk", "preserveDefaultVlan"),
            "disableContainerInterface",
        },
        "host-local": {"subnet", "rangeStart", "rangeEnd", "gateway"},
        "portmap": {"markMasqBit", "externalSetMarkChain", "conditionsV6"},
        "firewall": {"firewalldZone"},
    }
    (mine,) = [
        found
        for plugin in example(kind)["plugins"]
        for found in (plugin, plugin.get("ipam", {}))
        if found.get("type") == kind
    ]
    assert own(kind) - {*mine} == left_out.get(kind, set())


def full(kind: str, data: Path) -> dict[str, Any]:
    """A configuration in which everything is there that holds further keys, so that these are looked for."""
    routes, one_range = [{"dst": "10.0.0.0/8"}], {"subnet": "10.9.0.0/24"}
    keys: dict[str, dict[str, Any]] = {
        "bridge": {"vlanTrunk": [{"id": 3}], "dns": {}},
        "portmap": {"runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 80}]}},
        "host-local": {
            "ipam": {
                **one_range,
                "ranges": [[{"subnet": "10.8.0.0/24"}]],
                "routes": routes,
                "dataDir": str(data),
            }
        },
        "static": {"ipam": {"addresses": [{"address": "10.9.0.5/24"}], "routes": routes, "dns": {}}},
    }
    return {"cniVersion": "1.1.0", "name": "n", "type": kind, **keys.get(kind, {})}


BOUNDS = [
    (kind, row[0].strip("`"), int(row[1].rpartition(" to ")[2]))
    for kind in SECTIONS
    if kind != "The list"
    for row in pages.rows(SECTIONS[kind])
    if row[1].startswith("integer") and " to " in row[1]
]


@pytest.mark.parametrize(("kind", "key", "most"), BOUNDS, ids=str)
def test_one_more_than_the_bound_is_refused(kind: str, key: str, most: int, tmp_path: Path) -> None:
    """And the error tells the bound. What a runtime or args.cni hands over is read as the key itself is."""
    kind = "bridge" if kind == "All plugins" else kind
    document = full(kind, tmp_path)
    *path, last = (["ipam"] if kind in OF_IPAM else []) + key.split(".")
    place = document
    for step in path:
        place = place[step.removesuffix("[]")]
        place = place[0] if isinstance(place, list) else place
    place[last] = most + 1
    code, stdout = added(kind, document)
    assert (code, json.loads(stdout)["code"]) == (1, 7)
    assert f"to {most}, found {most + 1}" in json.loads(stdout)["msg"]


def added(kind: str, document: dict[str, Any]) -> tuple[int, bytes]:
    """The answer of ADD, called in this process; there is no namespace."""
    environ = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_NETNS": "/no/such", "CNI_IFNAME": "eth0"}
    stdin = json.dumps(document).encode()
    return respond(importlib.import_module(MODULES[kind]), {**environ, "CNI_PATH": "/no/such"}, lambda: stdin)


@pytest.mark.parametrize("kind", sorted(foresight.KEYS))
def test_what_a_plugin_reads_is_listed_and_nothing_else(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every key that it looks for in its configuration at an ADD; there is no namespace to do more."""
    asked: set[str] = set()
    get, contains = Section.get, Section.__contains__

    def noted(section: Section, key: str) -> str:
        name = re.sub(r"\[\d+\]", "[]", section.name(key))
        asked.add(name.removeprefix("ipam.") if kind in OF_IPAM else name)
        return key

    monkeypatch.setattr(Section, "get", lambda self, key: get(self, noted(self, key)))
    monkeypatch.setattr(Section, "__contains__", lambda self, key: contains(self, noted(self, key)))
    added(kind, full(kind, tmp_path))
    containers = {"args.cni", *(f"dns.{key}" for key in ("nameservers", "domain", "search", "options"))}
    assert {*listed(kind)} - asked == set()
    assert asked - {*listed(kind), *listed("All plugins"), *containers} == set()
