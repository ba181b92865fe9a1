"""resolv.conf as the dns object of a result. Spec: section 5 "Result Types", resolv.conf(5)."""

from __future__ import annotations

from core import system
from core.deadline import WAITING
from core.errors import INVALID_CONFIG, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIMIT = 1 << 20  # bytes; the resolver itself reads far fewer


def read(path: str) -> dict[str, Any]:
    """The dns object of the file at *path*. Raises CNIError(INVALID_CONFIG) when it cannot be read."""
    try:
        with WAITING:  # it may be a pipe that nobody writes to
            return parse(_content(path).decode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise CNIError(INVALID_CONFIG, f"ipam.resolvConf: cannot read {path}: {reason}") from None


def _content(path: str) -> bytes:
    descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    try:
        content = b""
        while len(content) < LIMIT and (more := system.read(descriptor, LIMIT - len(content))):
            content += more
        return content
    finally:
        system.close(descriptor)


def parse(text: str) -> dict[str, Any]:
    """nameserver, search and options add up, the last domain wins; comments begin with # or ;."""
    dns: dict[str, Any] = {}
    for line in text.split("\n"):
        fields = line.split()
        if len(fields) < 2 or fields[0][0] in "#;":
            continue
        keyword, values = fields[0], fields[1:]
        if keyword == "nameserver":
            dns.setdefault("nameservers", []).append(values[0])
        elif keyword == "domain":
            dns["domain"] = values[0]
        elif keyword == "search":
            dns.setdefault("search", []).extend(values)
        elif keyword == "options":
            dns.setdefault("options", []).extend(values)
    return dns
