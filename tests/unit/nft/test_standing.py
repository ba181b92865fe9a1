"""The digests that a CHECK goes by are those of our own rules, and nothing else has them."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import parse_cidr
from core.nft import backend, names, ports
from core.nft.changes import HOOKS, types
from core.nft.names import BRIDGE, FURTHER, INET, MARK, Chain
from core.nft.rules import rules_of
from core.nft.standing import DIGESTS, Found, Standing, chain_digest, kind_of, table_digest
from core.nft.values import NF_ACCEPT
from core.record import replace
from tests.harness.nft_tables import chains, maps

EDITS = (
    "hook",
    "no hook",
    "no chain",
    "map",
    "no map",
    "rule gone",
    "rule added",
    "rule twice",
    "comment",
    "byte",
    "order",
)
NETWORKS = ("10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "fd01::/64", "fd01::1/128", "::/0")


def listed(shared: list[Chain], family: str = INET) -> Standing:
    """What a kernel lists of a table that holds *shared*."""
    hooks = {
        each.name: (HOOKS[each.hook.hook], each.hook.priority, each.hook.type, NF_ACCEPT)
        if each.hook
        else None
        for each in shared
    }
    rules = {
        each.name: [Found(bytes([1]), MARK, rule.expressions) for rule in rules_of(each)]
        for each in shared
        if rules_of(each)
    }
    return Standing(True, {each.name: types(each) for each in maps(family)}, hooks, {}, rules)


def of_kinds() -> Iterator[Chain]:
    yield from (make(parse_cidr(net)) for net in NETWORKS for make in (backend.outside, ports.hairpin))
    yield ports.hairpin_any()


def test_the_digests_are_those_of_our_rules() -> None:
    """Whoever changes a rule, a hook or a map changes them here, after the mark (test_names)."""
    expected: dict[object, str] = {
        family: table_digest(listed(chains(family), family), family) for family in (INET, BRIDGE)
    }
    expected |= {kind_of(chain): chain_digest(listed([chain]), chain) for chain in of_kinds()}
    assert expected == DIGESTS


@pytest.mark.parametrize("chain", list(of_kinds()), ids=lambda chain: chain.name)
def test_a_chain_has_the_digest_of_its_kind_whatever_its_mask(chain: Chain) -> None:
    for length in range(1, 8 * len(chain.mask)):
        other = replace(
            chain, mask=((2**length - 1) << (8 * len(chain.mask) - length)).to_bytes(len(chain.mask), "big")
        )
        assert chain_digest(listed([other]), other) == DIGESTS[kind_of(other)]
        assert (
            chain_digest(listed([other]), chain) != DIGESTS[kind_of(chain)]
            or other.mask == chain.mask
            or chain.kind == names.ANYBODY
        )


def edits(now: Standing, family: str, draw: st.DataObject) -> Standing:
    """One change to what always stands in a table."""
    what, name = draw.draw(st.sampled_from(EDITS)), draw.draw(st.sampled_from(list(names.SIZES[family])))
    hooks, kinds, rules = (
        dict(now.hooks),
        dict(now.maps),
        {chain: list(found) for chain, found in now.rules.items()},
    )
    map_ = draw.draw(st.sampled_from(sorted(kinds)))
    place = draw.draw(st.integers(0, len(rules[name]) - 1))
    rule = rules[name][place]
    match what:
        case "hook":
            hooks[name] = (4, 7, "route", 0)
        case "no hook":
            hooks[name] = None if hooks[name] else (0, 0, "nat", 1)
        case "no chain":
            hooks.pop(name)
            rules.pop(name)
        case "map":
            kinds[map_] = (*kinds[map_][:-1], kinds[map_][-1] + 1)
        case "no map":
            kinds.pop(map_)
        case "rule gone":
            rules[name].pop(place)
        case "rule added":
            rules[name].insert(place, Found(b"", "", b""))
        case "rule twice":
            rules[name].insert(place, rule)
        case "comment":
            rules[name][place] = replace(rule, comment="")
        case "byte":
            at = draw.draw(st.integers(0, len(rule.expressions) - 1))
            other = bytes([rule.expressions[at] ^ draw.draw(st.integers(1, 255))])
            rules[name][place] = replace(
                rule, expressions=rule.expressions[:at] + other + rule.expressions[at + 1 :]
            )
        case "order":
            rules[name].reverse()
            rules[name].append(Found(b"", MARK, b""))
    return Standing(now.there, kinds, hooks, now.uses, rules)


@given(st.sampled_from([INET, BRIDGE]), st.data())
def test_whatever_is_changed_changes_the_digest(family: str, data: st.DataObject) -> None:
    now = listed(chains(family), family)
    assert table_digest(now, family) == DIGESTS[family]
    assert table_digest(edits(now, family, data), family) != DIGESTS[family]


def test_what_only_some_attachments_need_is_no_part_of_the_table() -> None:
    now = listed([*chains(INET), *of_kinds()])
    now = replace(
        now,
        maps={**now.maps, "hostports4-c1": (1, 2, 3, 4, 5)},
        rules={**now.rules, FURTHER: [Found(b"", "v3 hostports-c1", b"")]},
    )
    assert table_digest(now, INET) == DIGESTS[INET]
