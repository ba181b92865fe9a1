"""Values of a configuration as libcni reads them: names, flags, versions, whole numbers. Pure."""

from collections.abc import Mapping
from typing import Any

from core.cni import json
from core.cni.protocol import is_identifier
from core.cni.version import ALL, NEWEST, at_least, ordinal
from launcher.failures import ConfigFailure

UNNAMED = ALL[0]  # the version of a configuration that names none
LARGEST_WHOLE = 1e21  # from there on Go writes an exponent


def whole(values: Any) -> Any:
    """*values*, changed in place: a float without fraction (1400.0) becomes an integer (1400).

    libcni decodes and encodes every configuration, which has the same effect. No recursion, because nesting
    has no limit.
    """
    waiting: list[Any] = [values]
    while waiting:
        container = waiting.pop()
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
                container[key] = int(value)
            elif isinstance(value, (dict, list)):
                waiting.append(value)
    return values


def network_name(raw: Mapping[str, Any]) -> str:
    """The name of a configuration. Raises ConfigFailure."""
    name = raw.get("name")
    if not isinstance(name, str) or not is_identifier(name):
        found = f"found {json.render(name)}"
        raise ConfigFailure(f"name: want letters, digits, dots, dashes and underscores, {found}")
    return name


def flag(raw: Mapping[str, Any], key: str) -> bool:
    """A JSON boolean, or "true" or "false" in any case; false when absent. Raises ConfigFailure."""
    value = raw.get(key, False)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ConfigFailure(f"{key}: want true or false, found {json.render(value)}")
    return value


def choose_version(raw: Mapping[str, Any]) -> str:
    """The highest of cniVersion and cniVersions that is not above ours; cniVersion alone is taken as it is.

    Raises CNIError when one of them is no version.
    """
    single, several = raw.get("cniVersion", ""), raw.get("cniVersions")
    if not isinstance(single, str):
        raise ConfigFailure(f"cniVersion: want a string, found {json.render(single)}")
    if several is None:
        return single
    if not isinstance(several, list) or not all(isinstance(item, str) for item in several):
        raise ConfigFailure(f"cniVersions: want a list of strings, found {json.render(several)}")
    known = [version for version in [*several, *([single] if single else [])] if at_least(NEWEST, version)]
    return max(known, key=ordinal, default=single)
