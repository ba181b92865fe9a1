"""Which sysctls an administrator allows: one regular expression a line, found anywhere in the key as written.

Without the file all are allowed. The reference's expressions are Go's: classes such as [[:alnum:]] are
translated, and what else Python does not know is refused.
"""

from __future__ import annotations

from errno import ENOENT, ENOTDIR

from core import system
from core.errors import INVALID_CONFIG, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Pattern

PATH = "/etc/cni/tuning/allowlist.conf"
CHUNK = 1 << 16
CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


def refuse_others(keys: Iterable[str]) -> None:
    """Raise CNIError for a sysctl that is not allowed, and where the file cannot be read or understood."""
    expressions = _expressions()
    if expressions is None:
        return
    for key in keys:
        if not any([each.search(key) for each in expressions]):
            allowed = ", ".join([each.pattern for each in expressions]) or "none"
            raise CNIError(INVALID_CONFIG, f"sysctl.{key} is not allowed", f"{PATH} allows {allowed}")


def _expressions() -> list[Pattern[str]] | None:
    """Those of the file, None without one."""
    try:
        lines = _content().decode("utf-8", "replace").split("\n")
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR):
            return None
        raise CNIError(INVALID_CONFIG, f"{PATH}: {error.strerror}", "no sysctl is allowed") from None
    import re  # late: only where an administrator has such a list

    found = []
    for line in [line.strip() for line in lines]:
        try:
            found += [re.compile(_translated(line))] if line else []
        except (re.error, RecursionError, OverflowError) as error:
            told = f"{PATH}: {line!r} is no regular expression: {error}"
            raise CNIError(INVALID_CONFIG, told, "no sysctl is allowed") from None
    return found


def _content() -> bytes:
    descriptor = system.open(PATH, system.O_RDONLY | system.O_NONBLOCK | system.O_CLOEXEC)
    try:
        data = b""
        while chunk := system.read(descriptor, CHUNK):
            data += chunk
        return data
    finally:
        system.close(descriptor)


def _translated(line: str) -> str:
    """An expression of Go's in Python's words, where both have one: its \\z is \\Z before Python 3.14."""
    for name, members in CLASSES.items():
        line = line.replace(f"[:{name}:]", members)
    parts = line.split("\\\\")  # what stands between escaped backslashes
    return "\\\\".join([part.replace("\\z", "\\Z") for part in parts])
