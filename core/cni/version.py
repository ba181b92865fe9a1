"""Versions of the specification: which there are, how they compare, which share a result's shape. Pure."""

from __future__ import annotations

from core.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CNIError

SUITE = "0.2.0"  # cniwire's own version
ALL = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = ALL[-1]
# Versions whose results have the same shape
FAMILIES = {"0.1.0": 0, "0.2.0": 0, "0.3.0": 1, "0.3.1": 1, "0.4.0": 1, "1.0.0": 2, "1.1.0": 2}
DIGITS = 10  # a number in a version has fewer
NEEDED = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}  # the version that brought the command


def ordinal(version: str) -> tuple[int, int, int]:
    """1 to 3 dot-separated integers, missing ones 0, "" is 0.1.0. Raises CNIError(DECODING_FAILURE)."""
    parts = (version or "0.1.0").split(".")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() and len(part) < DIGITS for part in parts):
        raise CNIError(DECODING_FAILURE, f"cniVersion: want up to three numbers with dots, found {version!r}")
    major, minor, patch = [int(part) for part in (*parts, "0", "0")[:3]]
    return major, minor, patch


def at_least(version: str, other: str) -> bool:
    """Whether *version* is *other* or newer. Raises CNIError(DECODING_FAILURE)."""
    return ordinal(version) >= ordinal(other)


def since(oldest: str) -> tuple[str, ...]:
    """The known versions from *oldest* on, for a plugin that needs what came with it."""
    return tuple([version for version in ALL if at_least(version, oldest)])


def gate(command: str, wanted: str, supported: tuple[str, ...]) -> None:
    """Refuse a configuration version that the command or the plugin does not have.

    Raises CNIError(INCOMPATIBLE_VERSION), or DECODING_FAILURE where versions must be compared and cannot be.
    Spec: section 2 "VERSION", and the minimum versions of CHECK, GC and STATUS.
    """
    needed = NEEDED.get(command)
    sides = f"config is {wanted!r}, plugin supports {list(supported)}"
    if needed and not at_least(wanted, needed):
        # None for CHECK, as with the reference: there are tests that compare the whole error.
        details = "" if command == "CHECK" else f"config is {wanted!r}, {command} needs {needed}"
        raise CNIError(INCOMPATIBLE_VERSION, f"config version does not allow {command}", details)
    if wanted in supported:
        return
    if needed and not any(at_least(version, wanted) for version in supported):
        raise CNIError(INCOMPATIBLE_VERSION, f"plugin version does not allow {command}", sides)
    raise CNIError(INCOMPATIBLE_VERSION, "incompatible CNI versions", sides)
