"""What GC of a network would find without an owner: host interfaces and reservations. For people; the plugins look themselves."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from core.attachment import network_prefix, owner_text
from launcher.conflist import Network

DATA_DIR = "/var/lib/cni/networks"
LINKS = "/sys/class/net"


def orphans(network: Network, valid: Iterable[tuple[str, str]]) -> list[str]:
    """A line about each interface and reservation of *network* that no *valid* attachment (container ID, ifname) claims."""
    claimed = set(valid)
    interfaces = [f"interface {name} of {owner}" for name, owner in owned_interfaces(network.name, claimed)]
    reservations = [line for plugin in network.plugins for line in lost_reservations(network.name, plugin, claimed)]
    return interfaces + reservations


def owned_interfaces(network: str, claimed: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """(name, owner) of host interfaces whose alias is an owner on *network* that is not claimed."""
    owners = {owner_text(network, container_id, ifname) for container_id, ifname in claimed}
    found = []
    for name in sorted(os.listdir(LINKS)):
        try:
            with open(os.path.join(LINKS, name, "ifalias"), encoding="utf-8") as file:
                owner = file.read().strip()
        except OSError:
            continue  # it has just gone
        if owner.startswith(network_prefix(network)) and owner not in owners:
            found.append((name, owner))
    return found


def lost_reservations(network: str, plugin: Mapping[str, Any], claimed: set[tuple[str, str]]) -> list[str]:
    """Addresses that host-local keeps for nobody. A file holds `containerID CRLF ifname`, an old one the container ID alone."""
    ipam = plugin.get("ipam")
    if not isinstance(ipam, dict) or ipam.get("type") != "host-local":
        return []
    folder = os.path.join(str(ipam.get("dataDir") or DATA_DIR), network)
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name == "lock" or name.startswith(("last_reserved_ip.", ".")):
            continue
        if os.path.isdir(os.path.join(folder, name)):
            continue
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            container_id, _, ifname = file.read().strip().partition("\n")
        owner = container_id.strip(), ifname.strip()
        if owner not in claimed and not (not ifname and owner[0] in {claim[0] for claim in claimed}):
            found.append(f"address {name} reserved for {'/'.join(filter(None, owner)) or 'nobody'}")
    return found
