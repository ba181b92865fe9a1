"""What an attachment has in our nft maps becomes what the iptables backend makes of the same request."""

from typing import Any

import pytest

from core.address import parse, parse_cidr
from core.intent import ADMIT, ISOLATE, MASQUERADE, PUBLISH, ZONE, Ingress
from core.iptables import handover
from core.iptables.backend import Backend
from core.nft import backend as nft
from core.nft.names import Element
from core.publication import Mapping, Publication
from tests.unit.portmap.planned import ATTACHMENT

ADDRESSES = [parse_cidr(each) for each in ("10.1.0.2/24", "fd01::2/64")]
OWNER = ATTACHMENT.owner


def found(*several: tuple[Any, ...], intent: str = PUBLISH) -> dict[str, list[Any]]:
    """Elements as they are read back: those of one intent, none of others."""
    owned = [each for records in several for each in records if isinstance(each, Element)]
    return {each: owned if each == intent else [] for each in (MASQUERADE, PUBLISH, ADMIT, ISOLATE, ZONE)}


def publication(number: int, **keys: Any) -> Publication:
    target = ADDRESSES[number].address
    ports = (Mapping("tcp", b"", 8080, target, 80), Mapping("udp", target, 53, target, 5353))
    keys = {"hairpin": True, "everybody": False, "asked": ports, **keys}
    return Publication(ADDRESSES[number], ports, **keys)


def test_masquerade() -> None:
    """Both families, each with its network."""
    _, elements = nft.masquerade(ADDRESSES, OWNER)
    backend = Backend().of(ATTACHMENT)
    records = handover.records(found(elements, intent=MASQUERADE), ATTACHMENT)
    assert records == backend.masquerade(ADDRESSES, OWNER)


@pytest.mark.parametrize(
    "keys", [{}, {"everybody": True}, {"hairpin": False}], ids=["usual", "masqAll", "no snat"]
)
@pytest.mark.parametrize("number", [0, 1])
def test_published_ports(number: int, keys: dict[str, Any]) -> None:
    """P-25: but for the rule in table raw, which the reference has not."""
    wanted = publication(number, **keys)
    _, elements = nft.publish(wanted, OWNER)
    shared, owned = handover.records(found(elements), ATTACHMENT)
    every, own = Backend().of(ATTACHMENT).publish(wanted, OWNER)
    assert shared == tuple(each for each in every if each.table != "raw")
    assert owned == own


def test_all_host_ports_stand_in_the_entries_of_both_families() -> None:
    wanted = [publication(number) for number in (0, 1)]
    elements = [nft.publish(each, OWNER)[1] for each in wanted]
    _, owned = handover.records(found(*elements), ATTACHMENT)
    own = [Backend().of(ATTACHMENT).publish(each, OWNER)[1] for each in wanted]
    assert owned == (*own[0], *own[1])


def test_admission() -> None:
    addresses = [each.address for each in ADDRESSES]
    _, elements = nft.admit(addresses, Ingress("open"), OWNER)
    records = handover.records(found(elements, intent=ADMIT), ATTACHMENT)
    assert records == Backend().of(ATTACHMENT).admit(addresses, Ingress("open"), OWNER)


def test_what_the_reference_cannot_have_is_not_movable() -> None:
    """A condition of which a hash is known; a fence; what firewalld was asked for, too."""
    ports = (Mapping("tcp", b"", 8080, ADDRESSES[0].address, 80, "01234567"),)
    _, conditioned = nft.publish(publication(0, condition=None), OWNER)
    conditioned = (*conditioned, Element("inet", "hostports4-01234567", b"", b"", "", OWNER, "", ports[0]))
    assert handover.movable(found(conditioned)) == []
    fenced = nft.admit([parse("10.1.0.2")], Ingress("same-bridge", "br0"), OWNER)[1]
    assert handover.movable(found(fenced, intent=ADMIT)) == []
    admitted = found(nft.admit([parse("10.1.0.2")], Ingress("open"), OWNER)[1], intent=ADMIT)
    assert handover.movable(admitted) == [ADMIT]
    assert handover.movable({**admitted, ZONE: admitted[ADMIT]}) == []
    assert handover.records(found(conditioned), ATTACHMENT) == ((), ())
