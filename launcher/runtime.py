"""The six commands of the protocol over a configuration list, after libcni's rules.

Law: every plugin of a list gets the same name and version; ADD goes forward, DEL backward, and the cache says what was added.
Spec: section 3 "Execution of Network Configurations".
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.cni import json
from core.cni.version import NEWEST, at_least, ordinal
from core.errors import INCOMPATIBLE_VERSION, CNIError
from launcher.cache import Cache, Request, in_version
from launcher.conflist import Network, capabilities, inject
from launcher.failures import Failure, PluginFailed, Several, TimedOut, Unsupported, UsageFailure, several
from launcher.plugin import Deadline, Observer, call, find
from launcher.values import NAME

DELEGATING = (
    "bridge",
    "dummy",
    "host-device",
    "ipvlan",
    "macvlan",
    "ptp",
    "tap",
    "vlan",
)  # types known to execute ipam.type
UNICODE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


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
        valid_request(request)
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

        Raises Unsupported below 0.4.0, CNIError when the cache is unusable or a plugin finds differences.
        """
        valid_request(request)
        if not at_least(network.version, "0.4.0"):
            raise Unsupported(
                f"network {network.name}: cniVersion {network.version or '0.1.0'} has no CHECK, it came with 0.4.0"
            )
        if network.disable_check:
            return False
        cached = self.cache.result(network.name, network.version, request)
        if cached is None:
            raise Failure(
                f"nothing is known of {request.container_id}/{request.ifname} on network {network.name}",
                "no cached result",
            )
        deadline = Deadline(self.timeout)
        for plugin in network.plugins:
            self._call("CHECK", network, plugin, deadline, request, cached)
        return True

    def delete(self, network: Network, request: Request) -> None:
        """DEL: last plugin first, and to the end whatever one of them says; if none failed, the cache forgets. Fine without an ADD.

        Raises CNIError: the failure, or several as Several.
        """
        valid_request(request)
        deadline, cached = Deadline(self.timeout), None
        if at_least(network.version, "0.4.0"):
            try:
                cached = self.cache.result(network.name, network.version, request)
            except CNIError:
                self.cache.remove(network.name, request)
        failures: list[CNIError] = []
        for plugin in reversed(network.plugins):
            try:
                self._call("DEL", network, plugin, deadline, request, cached)
            except CNIError as error:
                failures.append(error)
                deadline = (
                    Deadline(self.timeout) if isinstance(error, TimedOut) else deadline
                )  # who hangs takes nobody's turn
        if failures:
            raise several(failures)
        self.cache.remove(network.name, request)

    def gc(
        self,
        network: Network,
        valid: Iterable[tuple[str, str]],
        netns_gone: Iterable[tuple[str, str]] = (),
        lost: Iterable[Request] = (),
    ) -> bool:
        """GC: DEL for every cached attachment that is not in *valid*, and for the *lost* ones, then GC to each plugin from 1.1.0.

        valid, netns_gone: (container ID, ifname); the latter get their DEL without a namespace, because their path may by now
        lead to another one. lost: what no cache knows of; DEL finds it by its owner, whatever the version.
        False when the list has disableGC. Goes on after errors; raises them all as Several.
        """
        if network.disable_gc:
            return False
        valid, gone, failures = sorted(set(valid)), set(netns_gone), list[CNIError]()
        stale = [
            cached
            for cached in self.cache.attachments()
            if cached.network == network.name and cached.key not in valid
        ]
        for request in [
            *(
                replace(cached.request, netns="") if cached.key in gone else cached.request
                for cached in stale
            ),
            *lost,
        ]:
            try:
                self.delete(network, request)
            except CNIError as error:
                failures.append(error)
        if at_least(network.version, "1.1.0"):
            listed = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid]
            extra = {
                "cni.dev/valid-attachments": listed,
                "cni.dev/attachments": listed,
            }  # the latter: a former name
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
        """STATUS: whether an ADD could be served now; the first error ends it. False when the version has no STATUS."""
        if not at_least(network.version, "1.1.0"):
            return False
        deadline = Deadline(self.timeout)
        for plugin in network.plugins:
            self._call("STATUS", network, plugin, deadline)
        return True

    def validate(self, network: Network, lenient: bool = False) -> list[str]:
        """Every plugin is there and supports the list's version, if it names one; returns the declared capabilities.

        lenient: a plugin whose VERSION fails or is rubbish may do its work all the same, as shell scripts without VERSION do.
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
                hint = (
                    f'change "cniVersion", or use another plugin than {find(plugin_type, self.plugin_dirs)}'
                )
                failures.append(
                    Failure(text, f"it supports {', '.join(supported)}", hint, INCOMPATIBLE_VERSION)
                )
        if failures:
            raise Several(failures)
        return sorted(network.capabilities)

    def versions(self, plugin_type: str) -> list[str]:
        """VERSION: what a plugin supports; one too old to know the command supports 0.1.0. Raises CNIError."""
        variables = {"CNI_PATH": ":".join(self.plugin_dirs)}
        try:
            path = find(plugin_type, self.plugin_dirs)
            stdout, _ = call(
                path, "VERSION", variables, {"cniVersion": NEWEST}, Deadline(self.timeout), self.observer
            )
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
        variables = {"CNI_PATH": ":".join(self.plugin_dirs), **(cni_variables(request) if request else {})}
        stdout, stderr = call(path, verb, variables, config, deadline, self.observer)
        if stderr.strip():
            self.warnings.append(
                f"{plugin['type']} {verb}: {stderr.decode(errors='surrogateescape').strip()}"
            )
        return stdout


def executables(plugin: Mapping[str, Any]) -> list[str]:
    """The types of a plugin, and of the IPAM plugin that it will execute."""
    ipam = plugin.get("ipam")
    delegate = ipam.get("type") if isinstance(ipam, dict) and plugin["type"] in DELEGATING else ""
    return [plugin["type"], delegate] if isinstance(delegate, str) and delegate else [plugin["type"]]


def derived(
    network: Network,
    plugin: Mapping[str, Any],
    request: Request | None = None,
    outcome: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What one plugin gets on stdin: name, version, prevResult, and runtimeConfig for the capabilities that it declares."""
    values: dict[str, Any] = {"name": network.name, "cniVersion": network.version}
    if outcome is not None:
        values["prevResult"] = dict(outcome)
    if request:
        passed = {key: value for key, value in request.capability_args.items() if key in capabilities(plugin)}
        if passed:
            values["runtimeConfig"] = passed
    return inject(plugin, values)


def cni_variables(request: Request) -> dict[str, str]:
    """The CNI_ variables that name one attachment."""
    return {
        "CNI_CONTAINERID": request.container_id,
        "CNI_NETNS": request.netns,
        "CNI_IFNAME": request.ifname,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in request.args),
    }


def valid_request(request: Request) -> None:
    """Refuse a container ID or interface name that no plugin would take, before anything is executed. Raises UsageFailure."""
    if not NAME.fullmatch(request.container_id):
        raise UsageFailure(
            f"container ID: want letters, digits, dots, dashes and underscores, found {request.container_id!r}"
        )
    name = request.ifname
    forbidden = [char for char in name if char in "/:" + UNICODE_SPACE or "\ud800" <= char <= "\udfff"]
    if not 0 < len(os.fsencode(name)) <= 15 or name in (".", "..") or forbidden:
        raise UsageFailure(
            f"interface name: want 1 to 15 bytes of UTF-8 without slash, colon or space, found {name!r}"
        )


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
