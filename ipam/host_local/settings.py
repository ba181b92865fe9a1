"""What a configuration asks of host-local. Pure but for resolvConf, which is a file.

ADD, CHECK and STATUS refuse a configuration with any error. DEL and GC need only the directory, and find it
also in a configuration that is wrong elsewhere.
"""

from __future__ import annotations

from core import address, errors, system
from core.cni import result
from core.cni.config import Section, asked_ips, cni_args, parsed
from core.errors import CNIError
from core.record import Record
from ipam.host_local import ranges
from ipam.host_local.reservation import DATA_DIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from ipam.host_local.ranges import RangeSet


class Settings(Record):
    """directory: the network's; requested: packed addresses, each once, in the order of the configuration."""

    directory: str
    sets: tuple[RangeSet, ...]
    requested: tuple[bytes, ...]
    routes: tuple[dict[str, Any], ...]
    dns: dict[str, Any]


def parse(request: Request) -> Settings:
    """All of it, checked.

    Raises CNIError(INVALID_CONFIG), INCOMPATIBLE_VERSION or INVALID_ENVIRONMENT naming key and value.
    """
    config, ipam = request.config, request.config.section("ipam")
    if not ipam.values:
        hint = "host-local takes its ranges from the key ipam"
        raise CNIError(errors.INVALID_CONFIG, "ipam: missing", hint)
    if "\0" in ipam.text("dataDir"):
        raise ipam.wrong("dataDir", "a path")
    sets = ranges.configured(config, request.version)
    return Settings(
        directory(request),
        sets,
        _requested(config, request.args if request.command == "ADD" else ""),
        tuple([result.route(item) for item in ipam.sections("routes")]),
        _dns(ipam.text("resolvConf")) if request.command == "ADD" else {},
    )


def _dns(path: str) -> dict[str, Any]:
    if not path:
        return {}
    from ipam.host_local import resolv  # late: only where it is configured

    return resolv.read(path)


def _requested(config: Section, args: str) -> tuple[bytes, ...]:
    """CNI_ARGS IP, args.cni.ips and runtimeConfig.ips add up; a prefix on them is ignored."""
    texts = [("CNI_ARGS: IP", value) for value in cni_args(args, ("IP",)).values()]
    for asked in asked_ips(config):
        texts += asked
    return tuple(dict.fromkeys([parsed(name, value, _host, "an IP address") for name, value in texts]))


def _host(text: str) -> bytes:
    return address.parse_cidr(text).address if "/" in text else address.parse(text)


def directory(request: Request) -> str:
    """Where the network's reservations are; the default where dataDir is no path."""
    ipam = request.config.get("ipam")
    value = Section(ipam).get("dataDir") if isinstance(ipam, dict) else None
    if not isinstance(value, str) or not value or "\0" in value:
        value = DATA_DIR
    return system.join(value, request.attachment.network)
