"""Published ports: from what `--publish` takes to the capability portMappings.

The form is `[[hostIP:][hostPort[-hostPort]]:]containerPort[-containerPort][/protocol]`.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

from launcher.failures import UsageFailure

CHOSEN = 0  # as host port: launcher.host_ports chooses one before the ADD
HIGHEST = 65535
LOOPBACK6 = ipaddress.ip_address("::1")
PROTOCOLS = ("tcp", "udp", "sctp")  # that portmap publishes


def parse(text: str) -> dict[str, Any]:
    """One mapping: hostPort, containerPort, protocol, and hostIP and range (number of ports) where given.

    An IPv6 host address stands in brackets. Without a host port it is CHOSEN. Raises UsageFailure.
    """
    rest, slash, protocol = text.rpartition("/")
    rest, protocol = (rest, protocol) if slash else (text, "tcp")
    front, _, container = rest.rpartition(":")
    host_ip, _, host = front.rpartition(":")
    if protocol not in PROTOCOLS:
        raise wrong(text, f"one of {', '.join(PROTOCOLS)} behind the slash")
    container_first, container_count = span(text, container)
    first, count = span(text, host) if host else (CHOSEN, container_count)
    if count != container_count:
        raise wrong(text, f"two ranges of equal length (they have {count} and {container_count} ports)")
    mapping: dict[str, Any] = {"hostPort": first, "containerPort": container_first, "protocol": protocol}
    if count > 1:
        mapping["range"] = count
    if host_ip:
        mapping["hostIP"] = address(text, host_ip)
    return mapping


def span(text: str, part: str) -> tuple[int, int]:
    """First port and number of ports of "80" or "80-89". Raises UsageFailure."""
    low, dash, high = part.partition("-")
    numbers = [low, high] if dash else [low]
    if not all(map(is_port, numbers)):
        raise wrong(text, f"ports from 1 to {HIGHEST} instead of {part!r}")
    first, last = int(numbers[0]), int(numbers[-1])
    if last < first:
        raise wrong(text, f"a range that does not run backwards instead of {part!r}")
    return first, last - first + 1


def is_port(text: str) -> bool:
    """Whether *text* is the number of a port."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= HIGHEST


def address(text: str, part: str) -> str:
    """The canonical host address. Raises UsageFailure."""
    try:
        return str(ipaddress.ip_address(part[1:-1] if part.startswith("[") and part.endswith("]") else part))
    except ValueError:
        raise wrong(text, f"an IP address instead of {part!r}, IPv6 in brackets") from None


def wrong(text: str, want: str) -> UsageFailure:
    """The failure for a mapping that cannot be read."""
    hint = "for example -p 8080:80, -p 80, -p 127.0.0.1:5353:53/udp, -p 8000-8009:80-89"
    return UsageFailure(f"-p {text}: want {want}", hint=hint)


def unserved(mapping: Mapping[str, Any]) -> str:
    """Why portmap does not serve a mapping, "" when it does."""
    try:
        is_loopback6 = ipaddress.ip_address(str(mapping.get("hostIP") or "").strip("[]")) == LOOPBACK6
    except ValueError:
        return ""
    return "the kernel lets no answer back to ::1; 127.0.0.1 works" if is_loopback6 else ""


def shown(mapping: Mapping[str, Any]) -> str:
    """A mapping as a person reads it: `127.0.0.1:8080→80/tcp`.

    mapping: may come from another runtime's cache, and hold anything.
    """
    first, last, count = (mapping.get(key) for key in ("hostPort", "containerPort", "range"))
    further = count - 1 if isinstance(count, int) and 1 < count <= HIGHEST else 0
    host, container = (
        f"{port}-{port + further}" if further and isinstance(port, int) else str(port or 0)[:20]
        for port in (first, last)
    )
    host_ip = str(mapping.get("hostIP") or "")
    prefix = f"[{host_ip}]:" if ":" in host_ip else f"{host_ip}:" if host_ip else ""
    return f"{prefix}{host}→{container}/{mapping.get('protocol') or 'tcp'}"
