"""A network configuration list, run plugin by plugin as a runtime does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness.plugin import PluginError

if TYPE_CHECKING:
    from tests.harness.host import Container, Host

Result = dict[str, Any]


class Network:
    """One configuration list on one host, with the results that it would find in a runtime's cache.

    suites: plugin type to the folder of its executable, where that is not the one under
    test; IPAM plugins too.
    """

    def __init__(
        self,
        host: "Host",
        plugins: Sequence[Mapping[str, Any]],
        name: str,
        version: str,
        suites: Mapping[str, Path],
    ):
        self.host, self.plugins, self.name, self.version, self.suites = host, plugins, name, version, suites
        self.results: dict[tuple[str, str], Result] = {}

    def add(
        self, container: "Container", ifname: str = "eth0", args: str | None = None, **capabilities: Any
    ) -> Result:
        """Attach *container*, return the chain's result.

        Raises PluginError, after which nothing was cleaned.
        """
        result: Result | None = None
        for config in self.plugins:
            result = self.call("ADD", self.derived(config, result, capabilities), container, ifname, args)
        assert result is not None
        self.results[container.name, ifname] = result
        return result

    def check(
        self, container: "Container", ifname: str = "eth0", args: str | None = None, **capabilities: Any
    ) -> None:
        """CHECK every plugin with the cached result. Raises PluginError."""
        for config in self.plugins:
            derived = self.derived(config, self.results[container.name, ifname], capabilities)
            self.call("CHECK", derived, container, ifname, args)

    def delete(
        self, container: "Container | str", ifname: str = "eth0", args: str | None = None, **capabilities: Any
    ) -> None:
        """Detach *container*, plugins in reverse order; a bare ID is one whose namespace is gone.

        Raises PluginError.
        """
        name = container if isinstance(container, str) else container.name
        cached = (
            self.results.get((name, ifname))
            if self.version not in ("0.1.0", "0.2.0", "0.3.0", "0.3.1")
            else None
        )
        for config in reversed(self.plugins):
            self.call("DEL", self.derived(config, cached, capabilities), container, ifname, args)
        self.results.pop((name, ifname), None)

    def gc(self, *valid: "Container", ifname: str = "eth0") -> None:
        """Garbage-collect: only *valid* containers are alive. Raises PluginError."""
        attachments = [{"containerID": container.name, "ifname": ifname} for container in valid]
        for config in self.plugins:
            self.call("GC", {**self.derived(config), "cni.dev/valid-attachments": attachments})

    def status(self) -> None:
        """Ask every plugin whether it could ADD. Raises PluginError."""
        for config in self.plugins:
            self.call("STATUS", self.derived(config))

    def derived(
        self,
        config: Mapping[str, Any],
        previous: Result | None = None,
        capabilities: Mapping[str, Any] | None = None,
    ) -> Result:
        """Return the request for one plugin: name, version, previous result.

        The capabilities that it declares are injected.
        """
        made: Result = {**config, "name": self.name, "cniVersion": self.version}
        wanted = {
            key: value
            for key, value in (capabilities or {}).items()
            if config.get("capabilities", {}).get(key)
        }
        if previous is not None:
            made["prevResult"] = previous
        if wanted:
            made["runtimeConfig"] = wanted
        return made

    def call(
        self,
        command: str,
        config: Result,
        container: "Container | str | None" = None,
        ifname: str | None = None,
        args: str | None = None,
    ) -> Any:
        """Call one plugin and return what it printed. Raises PluginError."""
        __tracebackhide__ = True
        folder = self.suites.get(config["type"], self.host.plugins)
        path = self.suites.get(config.get("ipam", {}).get("type", ""), self.host.plugins)
        answer = self.host.call(
            command, config, container, ifname=ifname, folder=folder, CNI_ARGS=args, CNI_PATH=str(path)
        )
        if answer.exit_code != 0:
            raise PluginError(f"{config['type']} {command} {json.dumps(config)}", answer)
        return answer.output
