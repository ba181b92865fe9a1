"""What a Node of the Kubernetes API says that concerns routes: its podCIDRs and its addresses.

Law: what is malformed is refused as a whole, by node, so that what was known of it before can stand.
"""

from dataclasses import dataclass
from typing import Any

from core import address
from core.address import Cidr

# Networks that no pod can be in, whatever a server says.
NEVER = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/16", "fe80::/10", "ff00::/8")
FORBIDDEN = tuple(address.parse_cidr(text) for text in NEVER)
SHORTEST = 8  # a podCIDR with a shorter prefix would take much of the world along


class Unreadable(ValueError):
    """A Node is malformed; name: whose, "" where not even that can be told."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"node {name or '?'}: {why}")
        self.name = name


@dataclass(frozen=True)
class Node:
    """A node. created: RFC 3339, as the server writes it. addresses: its InternalIPs, packed, in order."""

    name: str
    created: str
    networks: tuple[Cidr, ...]
    addresses: tuple[bytes, ...]


def read(item: Any) -> Node:
    """A Node object of the API. Raises Unreadable."""
    metadata = _part(item, "metadata", "")
    name = metadata.get("name")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise Unreadable("", f"metadata.name: want a name, found {name!r}")
    networks = [_network(name, text) for text in _cidrs(name, _part(item, "spec", name))]
    addresses = [_address(name, each) for each in _listed(name, _part(item, "status", name), "addresses")]
    created = metadata.get("creationTimestamp")
    internal = tuple([packed for packed in addresses if packed])
    return Node(name, created if isinstance(created, str) else "", tuple(networks), internal)


def _part(item: Any, key: str, name: str) -> dict[str, Any]:
    part = item.get(key) if isinstance(item, dict) else None
    if not isinstance(part, dict) and (part is not None or not isinstance(item, dict)):
        raise Unreadable(name, f"{key}: want an object, found {part!r:.60}")
    return part or {}


def _listed(name: str, part: dict[str, Any], key: str) -> list[Any]:
    found = part.get(key)
    if found is not None and not isinstance(found, list):
        raise Unreadable(name, f"{key}: want a list, found {found!r:.60}")
    return found or []


def _cidrs(name: str, spec: dict[str, Any]) -> list[Any]:
    return _listed(name, spec, "podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])


def _network(name: str, text: Any) -> Cidr:
    try:
        found = address.network(address.parse_cidr(text))
    except (AttributeError, TypeError, ValueError):
        raise Unreadable(name, f"podCIDRs: want a network, found {text!r:.60}") from None
    if found.prefix_len < SHORTEST or any(address.overlap(found, each) for each in FORBIDDEN):
        raise Unreadable(name, f"podCIDRs: {found} can be nobody's")
    return found


def _address(name: str, item: Any) -> bytes:
    """The packed InternalIP of one entry, b"" for another kind."""
    if not isinstance(item, dict):
        raise Unreadable(name, f"addresses: want objects, found {item!r:.60}")
    if item.get("type") != "InternalIP":
        return b""
    try:
        return address.parse(item["address"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unreadable(name, f"InternalIP: want an address, found {item.get('address')!r:.60}") from None
