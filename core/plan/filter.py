"""The packet filter by intent: a plugin says what it wants of it, and a backend which records that is.

    masquerade(backend, addresses, owner)       what leaves their networks gets the host's address
    publish(backend, publication, owner)        ports of the host lead to ports of a container
    no_spoof(backend, link, mac, owner)         no frame enters through a bridge port under another MAC
    admit(backend, addresses, ingress, owner)   a container's packets are forwarded, but for whom ingress bars

A backend has these functions, without the first argument; they return what is shared and what is owned. It is
chosen once per call, by the configuration, and told whose rules it makes:

    of(attachment) -> backend                   the backend for one attachment
    condition(words, family) -> (form, tag)     what has to hold for a published port, in the backend's form
    probe(kernel)                               raises CNIError where it cannot be used

DEL and GC go through all of them, as a configuration may have changed since ADD: footprint() is what nft has.
What iptables has is in the shapes of the reference suite, and goes with what that suite made
(core.kernel.go_rules, core.kernel.unclaimed). Pure.
"""

from __future__ import annotations

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
    return iptables() if named(config, key) == IPTABLES else NFT


def named(config: Section, key: str) -> str:
    """The name of a backend in the configuration, "" for none. Raises CNIError where there is no such one."""
    name = config.text(key)
    if name not in ("", NFTABLES, IPTABLES):
        raise config.wrong(key, f'"{NFTABLES}" or "{IPTABLES}"')
    return name


def iptables(**settings: Any) -> Any:
    """The iptables backend; *settings* as core.iptables.backend.Backend has them."""
    from core.iptables.backend import Backend  # late: where a configuration asks for it

    return Backend(**settings)


def masquerade(backend: Any, addresses: list[Cidr], owner: str) -> Plan:
    return Plan(*backend.masquerade(addresses, owner))


def publish(backend: Any, wanted: Publication, owner: str) -> Plan:
    return Plan(*backend.publish(wanted, owner))


def no_spoof(backend: Any, link: str, mac: bytes, owner: str) -> Plan:
    return Plan(*backend.no_spoof(link, mac, owner))


def admit(backend: Any, addresses: list[bytes], ingress: Ingress, owner: str) -> Plan:
    return Plan(*backend.admit(addresses, ingress, owner))


def footprint(intent: str, owner: str = "") -> tuple[Any, ...]:
    """What DEL deletes of an owner in nft; without owner, what GC lists."""
    return tuple([record for backend in BACKENDS.values() for record in backend.footprint(intent, owner)])
