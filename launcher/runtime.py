"""The six commands of the protocol over a configuration list, after libcni's rules.

Law: every plugin of a list gets the same name and version. ADD goes forward, DEL backward, and the cache says
what was added.
Spec: section 3 "Execution of Network Configurations".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.cni import json
from core.cni.config import VALID_ATTACHMENTS
from core.cni.protocol import PATH
from core.cni.version import NEEDED, NEWEST, at_least, ordinal
from core.errors import INCOMPATIBLE_VERSION, CNIError
from launcher.cache import Cache, in_version
from launcher.conflist import Network
from launcher.derivation import derived, executables
from launcher.failures import Failure, PluginFailed, Several, TimedOut, Unsupported, several
from launcher.plugin import Deadline, Observer, call, find
from launcher.request import Request
from launcher.values import UNNAMED

PREV_RESULT_ON_DEL = "0.4.0"  # the version since which DEL gets the result of the ADD


@dataclass
class Runtime:
    """Where plugins and cache are, and how long a verb may take (seconds, over the whole list)."""

    plugin_dirs: list[str]
    cache: Cache
    timeout: float = 60.0
    observer: Observer | None = None
    warnings: list[str] = field(default_factory=list)  # what plugins that succeeded wrote to stderr

    def add(self, network: Network, request: Request) -> dict[str, Any]:
        """ADD: each plugin gets the result of the one before; the last result is cached and returned.

        Raises CNIError; what was wired until then stays, the caller decides on DEL.
        """
        request.validate()
        deadline, outcome = Deadline(self.timeout), None
        for plugin in network.plugins:
            stdout = self._call("ADD", network, plugin, deadline, request, outcome)
            try:
                outcome = in_version(json.parse(stdout, "its result"), network.version, "its result")
            except CNIError as error:
                raise PluginFailed(plugin["type"], "ADD", error) from None
        if outcome is None:
            raise Failure(f"network {network.name} has no plugins")
        self.cache.write(network.name, request, json.render(network.document).encode(), outcome)
        return outcome

    def check(self, network: Network, request: Request) -> bool:
        """CHECK: each plugin gets the cached result. False when the list has disableCheck.

        Raises Unsupported where the list's version has no CHECK, CNIError when the cache is unusable or a
        plugin finds differences.
        """
        request.validate()
        if not at_least(network.version, NEEDED["CHECK"]):
            version = f"cniVersion {network.version or UNNAMED}"
            raise Unsupported(
                f"network {network.name}: {version} has no CHECK, it came with {NEEDED['CHECK']}"
            )
        if network.disable_check:
            return False
        cached = self.cache.result(network.name, network.version, request)
        if cached is None:
            who = f"{request.container_id}/{request.ifname}"
            raise Failure(f"nothing is known of {who} on network {network.name}", "no cached result")
        deadline = Deadline(self.timeout)
        for plugin in network.plugins:
            self._call("CHECK", network, plugin, deadline, request, cached)
        return True

    def delete(self, network: Network, request: Request, known: Mapping[str, Any] | None = None) -> None:
        """DEL: last plugin first; goes on after errors. The cache forgets the attachment if no plugin failed.

        known: what takes the place of a result where the cache has none, of any version.
        Succeeds where there was no ADD. Raises CNIError: the failure, or Several.
        """
        request.validate()
        deadline, cached = Deadline(self.timeout), None
        if at_least(network.version, PREV_RESULT_ON_DEL):
            try:
                cached = self.cache.result(network.name, network.version, request)
            except CNIError:
                self.cache.remove(network.name, request)
            if cached is None and known:
                cached = in_version(known, network.version, "what is known")
        failures: list[CNIError] = []
        for plugin in reversed(network.plugins):
            try:
                self._call("DEL", network, plugin, deadline, request, cached)
            except CNIError as error:
                failures.append(error)
                if isinstance(error, TimedOut):  # the plugins that are left get the full time
                    deadline = Deadline(self.timeout)
        if failures:
            raise several(failures)
        self.cache.remove(network.name, request)

    def gc(
        self,
        network: Network,
        valid: Iterable[tuple[str, str]],
        netns_gone: Iterable[tuple[str, str]] = (),
        lost: Iterable[tuple[Request, Mapping[str, Any] | None]] = (),
    ) -> bool:
        """GC: DEL cached attachments that are not in *valid*, and the *lost* ones; then GC of each plugin.

        valid: (container ID, ifname) of those that live. netns_gone: the same of those whose DEL goes without
        CNI_NETNS, because their path may lead to another namespace by now. lost: attachments that no cache
        knows of, each with what is known instead of a result; DEL finds them by their owner, in any version.
        Returns False when the list has disableGC. Goes on after errors; raises them all as Several.
        """
        if network.disable_gc:
            return False
        valid, gone, failures = sorted(set(valid)), set(netns_gone), list[CNIError]()
        attached = [cached for cached in self.cache.attachments() if cached.network == network.name]
        stale = [
            (replace(cached.request, netns="") if cached.key in gone else cached.request, None)
            for cached in attached
            if cached.key not in valid
        ]
        for request, known in [*stale, *lost]:
            try:
                self.delete(network, request, known)
            except CNIError as error:
                failures.append(error)
        if at_least(network.version, NEEDED["GC"]):
            listed = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid]
            extra = dict.fromkeys(VALID_ATTACHMENTS, listed)
            deadline = Deadline(self.timeout)
            for plugin in network.plugins:
                try:
                    self._call("GC", network, {**plugin, **extra}, deadline)
                except CNIError as error:
                    failures.append(error)
        if failures:
            raise Several(failures)
        return True

    def status(self, network: Network) -> bool:
        """STATUS: whether an ADD could be served now.

        Raises the first error; False where there is no STATUS.
        """
        if not at_least(network.version, NEEDED["STATUS"]):
            return False
        deadline = Deadline(self.timeout)
        for plugin in network.plugins:
            self._call("STATUS", network, plugin, deadline)
        return True

    def validate(self, network: Network, lenient: bool = False) -> list[str]:
        """Ask every plugin whether it supports the list's version; return the declared capabilities.

        lenient: a plugin whose VERSION fails or prints no versions counts as good, because a shell script
        that lacks VERSION may do its work all the same.
        Raises Several with all that is wrong.
        """
        failures: list[CNIError] = []
        for plugin_type in dict.fromkeys(each for plugin in network.plugins for each in executables(plugin)):
            try:
                supported = self.versions(plugin_type)
            except CNIError as error:
                failures += [] if lenient and isinstance(error, PluginFailed) else [error]
                continue
            if network.version and network.version not in supported:
                text = f"plugin {plugin_type} does not support cniVersion {network.version}"
                path = find(plugin_type, self.plugin_dirs)
                hint = f'change "cniVersion", or use another plugin than {path}'
                says = f"it supports {', '.join(supported)}"
                failures.append(Failure(text, says, hint, INCOMPATIBLE_VERSION))
        if failures:
            raise Several(failures)
        return sorted(network.capabilities)

    def versions(self, plugin_type: str) -> list[str]:
        """VERSION: what a plugin supports; one too old to know the command supports 0.1.0.

        Raises CNIError.
        """
        variables, config = {PATH: ":".join(self.plugin_dirs)}, {"cniVersion": NEWEST}
        try:
            path = find(plugin_type, self.plugin_dirs)
            stdout, _ = call(path, "VERSION", variables, config, Deadline(self.timeout), self.observer)
        except PluginFailed as error:
            if "unknown CNI_COMMAND: VERSION" in error.msg:
                return ["0.1.0"]
            raise
        try:
            return decode_versions(stdout)
        except CNIError as error:
            raise PluginFailed(plugin_type, "VERSION", error) from None

    def _call(
        self,
        verb: str,
        network: Network,
        plugin: Mapping[str, Any],
        deadline: Deadline,
        request: Request | None = None,
        outcome: Mapping[str, Any] | None = None,
    ) -> bytes:
        """One plugin's turn: derive its configuration and variables, run it, return its stdout."""
        path = find(plugin["type"], self.plugin_dirs)
        config = derived(network, plugin, request, outcome)
        variables = {PATH: ":".join(self.plugin_dirs), **(request.variables if request else {})}
        stdout, stderr = call(path, verb, variables, config, deadline, self.observer)
        told = stderr.decode(errors="surrogateescape").strip()
        if stderr.strip():
            self.warnings.append(f"{plugin['type']} {verb}: {told}")
        return stdout


def decode_versions(stdout: bytes) -> list[str]:
    """The versions that a VERSION reply lists. Raises CNIError."""
    values = json.parse_object(stdout, "its versions")
    own, supported = values.get("cniVersion"), values.get("supportedVersions")
    if not isinstance(own, str) or not own:
        raise Failure("its versions lack cniVersion")
    if not supported and own == "0.2.0":
        return ["0.1.0", "0.2.0"]
    if not isinstance(supported, list) or not all(isinstance(version, str) for version in supported):
        raise Failure("its versions lack supportedVersions")
    return sorted(supported, key=ordinal)
