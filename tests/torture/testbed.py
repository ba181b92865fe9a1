"""A node that can be rebooted: plugins are called in process or executed.

What they left is read back by others' tools.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from pyroute2 import IPRoute

from core.cni.protocol import respond
from ipam import host_local
from ipam.host_local.boot import BOOT_ID
from launcher import lab
from plugins import bridge, portmap
from tests.harness.configs import PORTMAP, mapping
from tests.harness.configs import bridge as bridged
from tests.harness.host import Host
from tests.harness.identity import identify
from tests.harness.namespace import Namespace
from tests.harness.plugin import PATH
from tests.torture.run import FOLDERS

GO = Path("/usr/lib/cni")
MODULES: Mapping[str, Any] = {"bridge": bridge, "portmap": portmap, "host-local": host_local}
SIBLINGS = {"host-local": "ipam.host_local"}
HIDDEN = ("lock", ".index")
Config = dict[str, Any]
Answer = tuple[int, Any]


class Attachment(NamedTuple):
    """One interface of a container on a network."""

    network: str
    container: str
    ifname: str

    @property
    def owner(self) -> str:
        return "/".join(self)

    @property
    def content(self) -> bytes:
        """Of its reservation."""
        return f"{self.container}\r\n{self.ifname}".encode()


class Truth(NamedTuple):
    """What exists on the node.

    links: owners of host veths; others: names of veths without an owner; elements: (map, key, owner).

    chains: those with mappings of their own, in which there are none.
    """

    links: frozenset[str]
    others: frozenset[str]
    elements: frozenset[tuple[str, str, str]]
    chains: frozenset[str]
    files: Mapping[tuple[str, str], bytes]


class Testbed:
    """One node. networks: name -> its chain of plugin configurations."""

    __test__ = False  # for pytest

    def __init__(self, folder: Path, executables: Path = FOLDERS["source"]) -> None:
        self.folder, self.executables = folder, executables
        self.data = folder / "networks"
        self.boots = 0
        self.mounted = False
        identify()
        self.networks: dict[str, list[Config]] = {
            "a": [bridged(self.data, "10.1.0.0/29", bridge="br0", ipMasq=True, macspoofchk=True), PORTMAP],
            "b": [bridged(self.data, "10.2.0.0/28", "fd02::/64", bridge="br1", ipMasq=True), PORTMAP],
            "m": [bridged(self.data, "10.3.0.0/27", bridge="br2")],
        }
        self.start()

    def start(self) -> None:
        """Boot: fresh namespaces, another boot ID, the same disk."""
        self.boots += 1
        self.here = self.folder / f"boot{self.boots}"
        self.containers: dict[str, Namespace] = {}
        identity = self.folder / "boot_id"
        if self.mounted:
            lab.call(lab.libc.umount2, BOOT_ID.encode(), 2)
        identity.unlink(missing_ok=True)
        identity.write_text(f"{uuid4()}\n")
        lab.mount(str(identity), BOOT_ID, flags=lab.MS_BIND)
        self.mounted = True
        self.host = Host(self.executables, self.here)
        self.host.__enter__()

    def stop(self) -> None:
        for container in self.containers.values():
            container.close()
        self.host.__exit__(None, None, None)

    def close(self) -> None:
        self.stop()
        lab.call(lab.libc.umount2, BOOT_ID.encode(), 2)

    def container(self, name: str) -> Namespace:
        """The container's namespace, made when it is not there."""
        if name not in self.containers:
            number = len(list(self.here.glob(f"{name}-*")))
            self.containers[name] = Namespace(self.here / f"{name}-{number}" / "netns")
        return self.containers[name]

    def kill(self, name: str) -> None:
        """The container dies, and with its namespace all links in it, which the kernel takes its time for."""
        container = self.containers.pop(name)
        peers = len(container.links())
        before = self.veths()
        container.close()
        end = time.monotonic() + 10
        while self.veths() > before - peers:
            assert time.monotonic() < end, "the links of a dead container do not go"
            time.sleep(0.001)

    def veths(self) -> int:
        with IPRoute() as ip:
            return sum(link.get(("linkinfo", "kind")) == "veth" for link in ip.get_links())

    # -- calls -------------------------------------------------------------------------------------

    def request(
        self, at: Attachment, number: int, ports: tuple[tuple[str, int], ...] = (), **keys: Any
    ) -> Config:
        """What plugin *number* of the chain gets."""
        config = self.networks[at.network][number]
        made = {**config, "name": at.network, "cniVersion": "1.1.0", **keys}
        if config["type"] == "portmap":
            made["runtimeConfig"] = {
                "portMappings": [mapping(port, 80, protocol) for protocol, port in ports]
            }
        return made

    def environ(self, command: str, at: Attachment, netns: str, folder: Path) -> dict[str, str]:
        names = {"CNI_CONTAINERID": at.container, "CNI_IFNAME": at.ifname, "CNI_NETNS": netns}
        return {
            "CNI_COMMAND": command,
            "CNI_PATH": str(folder),
            **(names if command not in ("GC", "STATUS") else {}),
        }

    def call(
        self, command: str, at: Attachment, config: Config, netns: str, how: str = "in process"
    ) -> Answer:
        """(exit code, document) of one plugin. how: "in process", "executed", or "go" for the Go suite's."""
        if how == "in process":
            code, stdout = respond(
                MODULES[config["type"]],
                self.environ(command, at, netns, FOLDERS["source"]),
                lambda: json.dumps(config).encode(),
                SIBLINGS,
            )
        else:
            code, stdout = self.ended(self.started(command, at, config, netns, how))
        return code, json.loads(stdout) if stdout else None

    def started(
        self, command: str, at: Attachment, config: Config, netns: str, how: str = "executed"
    ) -> "subprocess.Popen[bytes]":
        folder = GO if how == "go" else self.executables
        if how == "go":
            config = {**config, "cniVersion": "1.0.0"}
            config = (
                {**config, "prevResult": {**config["prevResult"], "cniVersion": "1.0.0"}}
                if config.get("prevResult")
                else config
            )
        variables = {"PATH": PATH, **self.environ(command, at, netns, folder)}
        process = subprocess.Popen(
            [folder / config["type"]],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin
        process.stdin.write(json.dumps(config).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def ended(self, process: "subprocess.Popen[bytes]") -> tuple[int, bytes]:
        stdout, _ = process.communicate(timeout=120)
        return process.returncode, stdout

    # -- the truth ---------------------------------------------------------------------------------

    def truth(self) -> Truth:
        """As pyroute2, nft and the files tell it."""
        links, others = set(), set()
        with IPRoute() as ip:
            for link in ip.get_links():
                if link.get(("linkinfo", "kind")) == "veth":
                    links.add(str(link.get("ifalias"))) if link.get("ifalias") else others.add(
                        str(link.get("ifname"))
                    )
        return Truth(frozenset(links), frozenset(others), *self.rules(), self.files())

    def rules(self) -> tuple[frozenset[tuple[str, str, str]], frozenset[str]]:
        """The elements of our maps and sets, and the chains that nobody needs."""
        elements, chains, filled = set(), set(), set()
        ruleset = subprocess.run(
            ["nft", "--json", "--stateless", "list", "ruleset"], capture_output=True, check=True
        )
        for item in json.loads(ruleset.stdout)["nftables"]:
            kind = "map" if "map" in item else "set"
            for entry in item.get(kind, {}).get("elem", ()):
                element = entry[0]["elem"] if kind == "map" else entry["elem"]
                key = element["val"]
                words = key["concat"] if isinstance(key, dict) else [key]
                words = words[: 1 if item[kind]["name"] == "spoof_macs" else None]  # MACs are drawn
                elements.add(
                    (item[kind]["name"], " ".join(map(str, words)), element.get("comment", "").split(" ")[0])
                )
                base, _, suffix = item[kind]["name"].partition("-")
                # The chain of a level, or of a condition.
                filled.add(f"hostports-{base[-1]}-{suffix}" if len(suffix) < 8 else f"hostports-{suffix}")
            name = item.get("chain", {}).get("name", "")
            if name.startswith("hostports-"):
                chains.add(name)
        return frozenset(elements), frozenset(chains - filled)

    def files(self) -> dict[tuple[str, str], bytes]:
        """(network, address) -> content of every reservation."""
        found = {}
        if self.data.exists():
            for network in os.listdir(self.data):
                for name in os.listdir(self.data / network):
                    if name not in HIDDEN and not name.startswith("last_reserved_ip."):
                        found[network, name] = (self.data / network / name).read_bytes()
        return found
