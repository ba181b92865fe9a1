"""Sources in the zones of firewalld: how containers are admitted where it drops the rest.

A zone is firewalld's, and whoever may speak to it changes it. Which attachment a source is for, firewalld
does not know: that stands in our nft table (core.nft.zoned), and comes first in a plan. Law: an address is in
one zone at most, so a source is told by its address alone. Pure.
"""

from __future__ import annotations

from core.address import host_prefix
from core.intent import ZONE
from core.nft.names import INET, TABLES, Elements
from core.plan.records import Plan
from core.record import OWNED, SETTING, KernelRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr
    from core.cni.config import Section

FIREWALLD = "core.kernel.firewalld"
KEY, USUAL = "firewalldZone", "trusted"
LONGEST_ZONE = 255  # characters; firewalld has fewer, and says so


class ZoneSource(KernelRecord):
    """A source address in a zone of firewalld, until firewalld is loaded anew.

    One that is there already is as good as made. The element before it says whose it is, and is exclusive.
    """

    home, lifecycle, identity = FIREWALLD, SETTING, ("source",)
    absent = "{source} is in no zone of firewalld any more"
    altered = "{source} is not in zone {zone} of firewalld any more"
    zone: str
    source: Cidr


class ZoneSources(KernelRecord):
    """Every source that *owner* has in whatever zone, with the claims to them; "" for any owner.

    It is what DEL knows.
    """

    home, lifecycle, identity = FIREWALLD, OWNED, ("owner",)
    absent = "{owner} has nothing in the zones of firewalld"
    owner: str

    @property
    def claims(self) -> Elements:
        return Elements(ZONE, self.owner)


def chosen(config: Section) -> str:
    """The zone that a configuration asks for. Raises CNIError(INVALID_CONFIG)."""
    zone = config.text(KEY) or USUAL
    if len(zone) > LONGEST_ZONE or not zone.isprintable():
        raise config.wrong(KEY, "the name of a zone of firewalld")
    return zone


def admit(addresses: list[bytes], zone: str, owner: str) -> Plan:
    """firewalld treats what comes from each address as its *zone* says.

    owner: with the witnesses of its existence, as any element's.
    """
    from core.nft import zoned  # late: only where firewalld runs

    hosts = list(dict.fromkeys(addresses))
    chains = dict.fromkeys([zoned.chain(each) for each in hosts])
    claims = [zoned.element(each, owner) for each in hosts]
    sources = [ZoneSource(zone, host_prefix(each)) for each in hosts]
    return Plan((TABLES[INET], *chains), (*claims, *sources)) if hosts else Plan()


def footprint(owner: str = "") -> tuple[Any, ...]:
    """What DEL deletes of an owner; without owner, what GC lists."""
    return (ZoneSources(owner),)
