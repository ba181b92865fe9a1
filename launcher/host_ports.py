"""Host ports that are left to us: free ones of this host, as far as can be seen."""

import errno
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from launcher import answers
from launcher.cache import Cached, Request
from launcher.failures import Failure

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
USUAL = (32768, 60999)
TRIES = 200
KINDS = {
    "tcp": socket.SOCK_STREAM,
    "udp": socket.SOCK_DGRAM,
}  # sctp is not in every kernel, and nobody is asked


def chosen(
    request: Request, attachments: Callable[[], list[Cached]], refused: Sequence[Request] = ()
) -> Request:
    """*request* with a host port for each mapping that has none; the same request where all have one. Raises Failure.

    What no process listens on and no other attachment publishes, as far as the cache knows. *refused*: what was chosen before in vain,
    because another runtime has it, or was faster.
    """
    mappings = answers.mappings(request.capability_args)
    if all(mapping.get("hostPort") for mapping in mappings):
        return request
    published = {
        place
        for cached in attachments()
        for mapping in answers.mappings(cached.request.capability_args)
        for place in places(mapping)
    }
    published |= {
        place
        for each in (request, *refused)
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
    """(protocol, host port) of a mapping, each of a range."""
    first, count = mapping.get("hostPort"), mapping.get("range") or 1
    if not isinstance(first, int) or not isinstance(count, int) or not 0 < first <= 65535:
        return []
    return [
        (str(mapping.get("protocol") or "tcp"), first + number) for number in range(min(count, 65536 - first))
    ]


def free(mapping: Mapping[str, Any], published: set[tuple[str, int]]) -> int:
    """The first of as many ports as *mapping* needs, among those that the kernel gives to clients. Raises Failure."""
    lowest, highest = client_ports()
    count = mapping.get("range") or 1
    for _ in range(TRIES if highest - lowest + 1 >= count else 0):
        first = random.randint(lowest, highest - count + 1)
        wanted = places({**mapping, "hostPort": first})
        if not published & set(wanted) and all(
            is_free(protocol, port, mapping.get("hostIP") or "") for protocol, port in wanted
        ):
            return first
    raise Failure(
        f"no {count} free host port(s) for {mapping['containerPort']}/{mapping['protocol']}",
        hint="name one: -p HOSTPORT:CONTAINERPORT",
    )


def client_ports() -> tuple[int, int]:
    """Lowest and highest."""
    try:
        with open(RANGE, encoding="ascii") as file:
            lowest, highest = map(int, file.read().split())
    except (OSError, ValueError):
        return USUAL
    return (lowest, highest) if 0 < lowest <= highest <= 65535 else USUAL


def is_free(protocol: str, port: int, host_ip: str) -> bool:
    """Whether no process of this host has the port; True where that cannot be asked."""
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
