"""A container in a zone of firewalld, as a plan; and its whole life on the fake kernel."""

from typing import Any

import pytest

from core.address import host_prefix, parse, parse_cidr
from core.cni.config import Section
from core.errors import INVALID_CONFIG, CNIError
from core.intent import ZONE, Zoned
from core.nft.names import INET, TABLES, Chain, Element, Elements, Map
from core.nft.rules import rules_of
from core.plan import apply, difference, zones
from core.plan.records import Plan
from core.plan.zones import ZoneSource, ZoneSources
from tests.harness.fake_kernel.world import World

OWNER, OTHER = "net/c1/eth0", "net/c2/eth0"
IP4, IP6 = parse_cidr("10.1.0.2/24"), parse_cidr("fd01::2/64")
WANTED = zones.admit([IP4.address, IP6.address], "work", OWNER)
RULE4, RULE6 = rules_of(WANTED.shared[1]) + rules_of(WANTED.shared[2])


def test_each_address_is_claimed_and_then_handed_to_firewalld() -> None:
    assert (
        Plan(
            (
                TABLES[INET],
                Chain(INET, "zones4-32", (RULE4,), maps=(Map(INET, "zoned4-32", ("ipv4_addr",)),)),
                Chain(INET, "zones6-128", (RULE6,), maps=(Map(INET, "zoned6-128", ("ipv6_addr",)),)),
            ),
            (
                Element(INET, "zoned4-32", IP4.address, b"", "", OWNER, "10.1.0.2", Zoned(IP4.address)),
                Element(INET, "zoned6-128", IP6.address, b"", "", OWNER, "fd01::2", Zoned(IP6.address)),
                ZoneSource("work", parse_cidr("10.1.0.2/32")),
                ZoneSource("work", parse_cidr("fd01::2/128")),
            ),
        )
        == WANTED
    )
    assert [RULE4.text, RULE6.text] == ["ip saddr @zoned4-32 return", "ip6 saddr @zoned6-128 return"]


def test_an_address_that_a_result_lists_twice_is_one() -> None:
    assert zones.admit([IP4.address] * 2, "work", OWNER) == zones.admit([IP4.address], "work", OWNER)


def test_what_del_and_gc_know() -> None:
    assert zones.footprint(OWNER) == (ZoneSources(OWNER),)
    assert zones.footprint() == (ZoneSources(""),)
    assert ZoneSources(OWNER).claims == Elements(ZONE, OWNER)


@pytest.mark.parametrize(("given", "zone"), [({}, "trusted"), ({"firewalldZone": ""}, "trusted")])
def test_the_zone_is_trusted_unless_another_is_named(given: dict[str, Any], zone: str) -> None:
    assert zones.chosen(Section(given)) == zone
    assert zones.chosen(Section({**given, "firewalldzone": "work"})) == "work"


@pytest.mark.parametrize("zone", ["a\0b", "a\nb", "\ud800", "x" * 256, 7])
def test_a_zone_that_can_be_none_is_refused(zone: object) -> None:
    with pytest.raises(CNIError, match="^firewalldZone: want ") as told:
        zones.chosen(Section({"firewalldZone": zone}))
    assert told.value.code == INVALID_CONFIG


def test_its_life() -> None:
    world = World()
    kernel: Any = world.kernel()
    apply.add(kernel, WANTED, lambda: None)
    assert difference.check(kernel, WANTED) == []
    apply.add(kernel, zones.admit([parse("10.1.0.3")], "work", OTHER), lambda: None)
    assert apply.gc(kernel, "net", zones.footprint(), {OTHER}) == []
    assert [each.source for each in world.of(ZoneSource)] == [parse_cidr("10.1.0.3/32")]
    assert apply.delete(kernel, zones.footprint(OTHER)) == []
    assert (world.of(ZoneSource), world.of(Element)) == ([], [])


@pytest.mark.parametrize("fail_at", range(1, 30))
def test_nothing_is_left_wherever_it_fails(fail_at: int) -> None:
    world = World()
    world.fail_at = fail_at
    try:
        apply.add(world.kernel(), WANTED, lambda: None)
    except CNIError:
        assert (world.of(ZoneSource), world.of(Element)) == ([], [])
    else:
        assert len(world.of(ZoneSource)) == len(world.of(Element)) == 2


def test_check_tells_where_a_source_is_instead() -> None:
    world = World()
    apply.add(world.kernel(), WANTED, lambda: None)
    world.kernel().create(ZoneSource("public", host_prefix(IP4.address)))
    del world.records[world.kernel().key(WANTED.owned[3])]
    assert difference.check(world.kernel(), WANTED) == [
        (
            "10.1.0.2/32 is not in zone work of firewalld any more: "
            "want ZoneSource(work, source 10.1.0.2/32), found ZoneSource(public, source 10.1.0.2/32)"
        ),
        (
            "fd01::2/128 is in no zone of firewalld any more: "
            "want ZoneSource(work, source fd01::2/128), found nothing"
        ),
    ]
