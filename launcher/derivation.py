"""What one plugin of a list gets on stdin, and which executables it needs.

Spec: section 3 "Deriving runtimeConfig" and what stands before it.
"""

from collections.abc import Mapping
from typing import Any

from core.cni import json
from launcher.conflist import Network, capabilities
from launcher.failures import ConfigFailure
from launcher.request import Request

# Types of plugins that execute the one that ipam.type names.
DELEGATING = ("bridge", "dummy", "host-device", "ipvlan", "macvlan", "ptp", "tap", "vlan")


def derived(
    network: Network,
    plugin: Mapping[str, Any],
    request: Request | None = None,
    outcome: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A plugin's configuration for one call: with name, version, prevResult (*outcome*) and runtimeConfig.

    runtimeConfig holds the values of the capabilities that the plugin declares.
    """
    values: dict[str, Any] = {"name": network.name, "cniVersion": network.version}
    if outcome is not None:
        values["prevResult"] = dict(outcome)
    if request:
        declared = capabilities(plugin)
        passed = {key: value for key, value in request.capability_args.items() if key in declared}
        if passed:
            values["runtimeConfig"] = passed
    return inject(plugin, values)


def inject(plugin: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a plugin configuration with *values* set over its own.

    Raises ConfigFailure for an empty key, and for None as value.
    """
    for key, value in values.items():
        if not key or value is None:
            raise ConfigFailure(f"cannot inject {key!r}: {json.render(value)}: want a key and a value")
    return {**plugin, **values}


def executables(plugin: Mapping[str, Any]) -> list[str]:
    """The types of a plugin, and of the IPAM plugin that it will execute."""
    ipam = plugin.get("ipam")
    delegate = ipam.get("type") if isinstance(ipam, dict) and plugin["type"] in DELEGATING else ""
    return [plugin["type"], delegate] if isinstance(delegate, str) and delegate else [plugin["type"]]
