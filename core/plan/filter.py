"""The packet filter by intent: a plugin says what it wants of it, and a backend which records that is.

    masquerade(backend, addresses, owner)       what leaves their networks gets the host's address
    publish(backend, publication, owner)        ports of the host lead to ports of a container
    no_spoof(backend, link, mac, owner)         no frame enters through a bridge port under another MAC
    admit(backend, addresses, ingress, owner)   a container's packets are forwarded, but for whom ingress bars

A backend is a module with these functions, without the first argument; they return what is shared and what is
owned. It is chosen once per call, by a key of the configuration. DEL and GC go through all of them, as a
configuration may have changed since ADD. Pure.
"""

from __future__ import annotations

from core.errors import UNSUPPORTED_FIELD, CNIError
from core.nft import backend as nft
from core.plan.records import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr
    from core.cni.config import Section
    from core.intent import Ingress
    from core.publication import Publication

NFTABLES, IPTABLES = "nftables", "iptables"
NFT: Any = nft
BACKENDS: dict[str, Any] = {NFTABLES: NFT}


def chosen(config: Section, key: str) -> Any:
    """The backend that *key* of the configuration names. Raises CNIError."""
    name = config.text(key)
    if name == IPTABLES:
        remedy = f'use "{NFTABLES}", or leave the key out'
        raise CNIError(UNSUPPORTED_FIELD, f'{key}: "{IPTABLES}" is not supported yet', remedy)
    if name not in ("", *BACKENDS):
        raise config.wrong(key, f'"{NFTABLES}"')
    return BACKENDS[name or NFTABLES]


def masquerade(backend: Any, addresses: list[Cidr], owner: str) -> Plan:
    return Plan(*backend.masquerade(addresses, owner))


def publish(backend: Any, wanted: Publication, owner: str) -> Plan:
    return Plan(*backend.publish(wanted, owner))


def no_spoof(backend: Any, link: str, mac: bytes, owner: str) -> Plan:
    return Plan(*backend.no_spoof(link, mac, owner))


def admit(backend: Any, addresses: list[bytes], ingress: Ingress, owner: str) -> Plan:
    return Plan(*backend.admit(addresses, ingress, owner))


def footprint(intent: str, owner: str = "") -> tuple[Any, ...]:
    """What DEL deletes of an owner, in every backend; without owner, what GC lists."""
    return tuple([record for backend in BACKENDS.values() for record in backend.footprint(intent, owner)])
