"""Host ports that the launcher chooses, where `--publish` names none: free ones of this host."""

import errno
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from launcher import answers
from launcher.cache import Cached
from launcher.failures import Failure
from launcher.ports import HIGHEST
from launcher.request import Request

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
USUAL = (32768, 60999)  # the kernel's default of that sysctl
TRIES = 200
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def chosen(
    request: Request, attachments: Callable[[], list[Cached]], refused: Sequence[Request] = ()
) -> Request:
    """*request* with a host port for each mapping that has none; the same object where all have one.

    A port is chosen on which no process listens, and that no attachment in the cache publishes.
    refused: requests whose chosen ports turned out to be taken.
    Raises Failure when no port is free.
    """
    mappings = answers.mappings(request.capability_args)
    if all(mapping.get("hostPort") for mapping in mappings):
        return request
    published = {
        place
        for each in (*[cached.request for cached in attachments()], request, *refused)
        for mapping in answers.mappings(each.capability_args)
        for place in places(mapping)
    }
    found = []
    for mapping in mappings:
        full = mapping if mapping.get("hostPort") else {**mapping, "hostPort": free(mapping, published)}
        published |= set(places(full))
        found.append(full)
    return replace(request, capability_args={**request.capability_args, "portMappings": found})


def places(mapping: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(protocol, host port) of a mapping; several for a range."""
    first, count = mapping.get("hostPort"), mapping.get("range") or 1
    if not isinstance(first, int) or not isinstance(count, int) or not 0 < first <= HIGHEST:
        return []
    protocol = str(mapping.get("protocol") or "tcp")
    return [(protocol, port) for port in range(first, min(first + count, HIGHEST + 1))]


def free(mapping: Mapping[str, Any], published: set[tuple[str, int]]) -> int:
    """The first of as many free ports in a row as *mapping* needs, in the kernel's range of local ports.

    Raises Failure.
    """
    lowest, highest = client_ports()
    count = mapping.get("range") or 1
    for _ in range(TRIES if highest - lowest + 1 >= count else 0):
        first = random.randint(lowest, highest - count + 1)
        wanted = places({**mapping, "hostPort": first})
        host_ip = mapping.get("hostIP") or ""
        if not published & set(wanted) and all(is_free(protocol, port, host_ip) for protocol, port in wanted):
            return first
    text = f"no {count} free host port(s) for {mapping['containerPort']}/{mapping['protocol']}"
    raise Failure(text, hint="name one: -p HOSTPORT:CONTAINERPORT")


def client_ports() -> tuple[int, int]:
    """The lowest and the highest of the ports that the kernel chooses from for clients."""
    try:
        with open(RANGE, encoding="ascii") as file:
            lowest, highest = map(int, file.read().split())
    except (OSError, ValueError):
        return USUAL
    return (lowest, highest) if 0 < lowest <= highest <= HIGHEST else USUAL


def is_free(protocol: str, port: int, host_ip: str) -> bool:
    """Whether no process of this host has the port; True for sctp, for which not every kernel has sockets."""
    hosts = [host_ip] if host_ip else ["0.0.0.0", "::"]
    for host in hosts if protocol in KINDS else []:
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, KINDS[protocol]) as probe:
                if ":" in host:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True
