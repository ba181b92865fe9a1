"""Configurations that many tests share; what a test is about stands in the test."""

from pathlib import Path
from typing import Any

Config = dict[str, Any]

PORTMAP: Config = {"type": "portmap", "capabilities": {"portMappings": True}}


def host_local(data: Path, *subnets: str, **keys: Any) -> Config:
    """Return an `ipam` section with one range set for each of *subnets*."""
    return {
        "type": "host-local",
        "dataDir": str(data),
        "ranges": [[{"subnet": subnet}] for subnet in subnets],
        **keys,
    }


def bridge(data: Path | None = None, *subnets: str, **keys: Any) -> Config:
    """Return a bridge `br0`; with *subnets* it is their gateway and default route, else a mere switch."""
    if data is None:
        return {"type": "bridge", "bridge": "br0", **keys}
    wired = {"isDefaultGateway": True, "ipam": host_local(data, *subnets)}
    return {"type": "bridge", "bridge": "br0", **wired, **keys}


def mapping(host_port: int, container_port: int = 80, protocol: str = "tcp", **keys: Any) -> Config:
    return {"hostPort": host_port, "containerPort": container_port, "protocol": protocol, **keys}
