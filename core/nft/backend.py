"""The nft backend of the packet filter: what a plugin asks for, as tables, chains and elements.

Each function returns two tuples: what attachments share, and what is the owner's alone. Pure.
"""

from __future__ import annotations

import sys

from core import address
from core.intent import Masquerade, NoSpoof
from core.nft.names import (
    BRIDGE,
    INET,
    OUTSIDE,
    TABLES,
    Chain,
    Element,
    Elements,
    in_network,
    jump,
    of_prefix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.attachment import Attachment
    from core.intent import Ingress
    from core.nft.expression import Rule
    from core.publication import Publication

    Records = tuple[tuple[Any, ...], tuple[Any, ...]]


def of(_attachment: Attachment) -> Any:
    """This backend: an owner is all that it asks for."""
    return sys.modules[__name__]


def probe(kernel: Any) -> None:
    """Raise CNIError(NOT_AVAILABLE) where nftables cannot be used."""
    kernel.probe_filter()


def masquerade(addresses: list[Cidr], owner: str) -> Records:
    """What leaves the network of each address is masqueraded."""
    chains = dict.fromkeys([outside(each) for each in addresses])
    return (TABLES[INET], *chains), tuple(
        [item for each in addresses for item in masquerade_elements(each, owner)]
    )


def no_spoof(link: str, mac: bytes, owner: str) -> Records:
    """Frames that enter through the bridge port *link* carry *mac* or are dropped."""
    return (TABLES[BRIDGE],), spoof_elements(link, mac, owner)


def publish(wanted: Publication, owner: str) -> Records:
    """Ports of the host lead to ports of a container, from outside, from the host and from its neighbours."""
    from core.nft import ports  # late: portmap only

    return ports.publish(wanted, owner)


def admit(addresses: list[bytes], ingress: Ingress, owner: str) -> Records:
    """What a container sends and is answered is forwarded; *ingress* says who does not reach it."""
    from core.nft import admission  # late: firewall only

    return admission.admit(addresses, ingress, owner)


def condition(words: list[str], family: Family) -> tuple[Rule, str]:
    """What has to hold for a published port besides, compiled from nft's words, and its tag.

    Raises ValueError.
    """
    from core.nft import ports  # late: portmap only

    return ports.condition(words, family)


def footprint(intent: str, owner: str) -> tuple[Any, ...]:
    """What DEL deletes."""
    return (Elements(intent, owner),)


def outside(network: Cidr) -> Chain:
    """What a source in *network* sends to another unicast address is masqueraded."""
    return of_prefix(OUTSIDE, network)


def masquerade_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """The container's address jumps to the chain of its prefix, which looks its network up."""
    about = Masquerade(cidr.address, address.network(cidr))
    return jump("masquerade", about, outside(cidr).name, owner), in_network("inside", about, owner)


def spoof_elements(link: str, mac: bytes, owner: str) -> tuple[Element, ...]:
    """Frames that enter through *link* carry *mac* or are dropped."""
    name, about = link.encode().ljust(16, b"\0"), NoSpoof(link, mac)
    text = f'"{link}" . {mac.hex(":")}'
    allowed = Element(BRIDGE, "spoof_macs", name + mac + b"\0\0", b"", "", owner, text, about)
    return allowed, Element(BRIDGE, "spoof", name, b"", "", owner, f'"{link}"', about)
