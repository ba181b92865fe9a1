"""The fake host of one test: a network namespace of its own, containers, and ways to call plugins."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from launcher.installation.versions import PLUGINS
from tests.harness import plugin
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.state import State, state_of

Config = Mapping[str, Any]


PATIENCE_S = 20  # in which the kernel has ended a network namespace


class Container(Namespace):
    """A network namespace that stands for a container; its name is its container ID."""


class Host(Namespace):
    """The network namespace in which a test lives; its plugins and their files belong to this test alone.

    plugins: folder of the executables under test, first on CNI_PATH.
    data: folder for reservations, host-local's dataDir.
    """

    def __init__(self, plugins: Path, folder: Path):
        self.plugins = plugins
        self.folder = folder
        self.data = folder / "networks"
        self.children: list[Namespace] = []
        super().__init__(folder / "netns" / "host")
        self.inside = self.entered()
        # On a real host link-local addresses are no longer tentative.
        self.sysctl("net/ipv6/conf/default/accept_dad", 0)

    def __enter__(self) -> Self:
        self.inside.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.inside.__exit__(None, None, None)
        for namespace in (*self.children, self):
            namespace.close()

    def container(self, container_id: str = "c1") -> Container:
        """Make an empty container."""
        made = Container(self.folder / "netns" / container_id)
        self.children.append(made)
        return made

    def lose(self, container: Container) -> None:
        """Close a container, and wait until the kernel has taken its ends of veths away, which it does later.

        Raises AssertionError if it does not.
        """
        ends = {link["link_index"] for link in container.ip("link show") if "link_index" in link}
        container.close()
        deadline = time.monotonic() + PATIENCE_S
        while ends & {link["ifindex"] for link in self.ip("link show")}:
            assert time.monotonic() < deadline, f"the links of {container.name} stay"
            time.sleep(0.01)

    def outside(self, *addresses: str) -> Namespace:
        """Make a machine behind a cable: its `eth0` to the host's `uplink`.

        addresses: what the host's end gets, default 192.0.2.1/24 and 2001:db8:ff::1/64; the machine gets the
        next one of each and no routes, so that it can answer only what comes from the host's own addresses.
        """
        machine = Namespace(self.folder / "netns" / "outside")
        self.children.append(machine)
        self.run(f"ip link add uplink up type veth peer name eth0 netns {machine.path}")
        machine.run("ip link set eth0 up")
        for address in addresses or ("192.0.2.1/24", "2001:db8:ff::1/64"):
            option = "nodad" if ":" in address else ""
            self.run(f"ip address add {address} dev uplink {option}")
            machine.run(f"ip address add {address.replace('1/', '2/')} dev eth0 {option}")
        return machine

    def network(
        self,
        *plugins: Config,
        name: str = "net",
        version: str = "1.1.0",
        suites: Mapping[str, Path] | None = None,
    ) -> Network:
        """Return a configuration list of *plugins* to be run as a runtime does.

        suites: plugin type -> the folder of its executable, where that is not the one under test.
        """
        return Network(self, list(plugins), name, version, suites or {})

    def call(
        self,
        command: str,
        config: Config | bytes | None,
        container: Container | str | None = None,
        *,
        ifname: str | None = "eth0",
        folder: Path | None = None,
        type_name: str | None = None,
        **environ: str | None,
    ) -> plugin.Answer:
        """Call one plugin, the one that *config* (or *type_name*) names.

        container: whose ID and namespace are handed over; a bare ID means that the namespace is gone
        and its path empty.
        environ: further variables; None takes one away.
        """
        folder = folder or self.plugins
        variables: dict[str, str | None] = {"CNI_COMMAND": command, "CNI_PATH": str(folder)}
        if container is not None:
            netns = str(container.path) if isinstance(container, Container) else ""
            name = container.name if isinstance(container, Container) else container
            variables |= {"CNI_CONTAINERID": name, "CNI_NETNS": netns, "CNI_IFNAME": ifname}
        variables |= environ
        stdin = config if isinstance(config, bytes) else json.dumps(config).encode()
        executable = folder / (type_name or json.loads(stdin)["type"])
        return plugin.call(
            executable, {key: value for key, value in variables.items() if value is not None}, stdin
        )

    def ipam(self, script: str) -> Path:
        """Make an IPAM plugin `fake` that runs the shell *script*; return its folder.

        Each call of it adds its command to the file `calls` in the folder.
        """
        folder = self.folder / "ipam"
        folder.mkdir()
        fake = folder / "fake"
        fake.write_text(f'#!/bin/sh\necho "$CNI_COMMAND" >> {folder}/calls\n{script}\n')
        fake.chmod(0o755)
        return folder

    def wrapped(self, command: str) -> Path:
        """Return a folder of the plugins under test, each executed by a shell *command*.

        In the command {} stands for the plugin.
        """
        folder = self.folder / "wrapped"
        folder.mkdir()
        for name in PLUGINS:
            wrapper = folder / name
            wrapper.write_text(f"#!/bin/sh\nexec {command.replace('{}', str(self.plugins / name))}\n")
            wrapper.chmod(0o755)
        return folder

    def veth(self, owner: str) -> str:
        """Return the name of the host's end of the attachment *owner*, `network/containerID/ifname`.

        Raises StopIteration.
        """
        return next(str(link["ifname"]) for link in self.ip("link show") if link.get("ifalias") == owner)

    def state(self, *others: Namespace) -> State:
        """Return all that plugins may change: files; routing, sysctls and nft rules here and in *others*."""
        return state_of((self, *others), self.data)
