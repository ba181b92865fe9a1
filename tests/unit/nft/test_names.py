"""What always stands in our tables: every map and chain that a rule names, and the mark of their version."""

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from core import address
from core.address import Cidr, parse_cidr
from core.nft import backend, ports
from core.nft.names import BRIDGE, FURTHER, INET, MAPS_OF, MARK, SIZES, TABLE_OF, TABLES
from core.nft.rules import rules_of
from tests.harness.nft_tables import chains, maps

packed = st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
networks = st.builds(
    lambda host, bits: address.network(Cidr(host, bits % (8 * len(host) + 1))), packed, st.integers(0, 128)
)


@given(networks)
def test_the_number_of_rules_is_known_without_them(net: Cidr) -> None:
    for chain in (
        backend.outside(net),
        ports.hairpin(net),
        ports.hairpin_any(),
        *chains(INET),
        *chains(BRIDGE),
    ):
        assert chain.size == len(rules_of(chain))


def test_the_marks_of_a_table_are_those_of_its_chains() -> None:
    """What ADD looks for without working the rules out.

    The entries of chains that only some attachments need are no concern of the table.
    """
    for family, table in TABLES.items():
        marks = {chain.name: [MARK] * chain.size for chain in chains(family) if chain.name != FURTHER}
        assert {name: len(each) for name, each in marks.items()} == SIZES[family]
        assert table.is_marked({**marks, FURTHER: ["whatever"]})
        for name, right in marks.items():
            for wrong in ([], ["", *right], right[1:], ["v1"] * len(right)):
                assert not table.is_marked({**marks, name: wrong})
        assert not table.is_marked({})


def test_whoever_changes_a_rule_changes_the_mark() -> None:
    """A table that an older release has left is healed only if its rules carry another mark."""
    nets = [parse_cidr(each) for each in ("10.1.0.0/24", "fd01::/64", "10.1.0.2/32")]
    shared = [
        *chains(INET),
        *chains(BRIDGE),
        ports.hairpin_any(),
        *[make(net) for net in nets for make in (backend.outside, ports.hairpin)],
    ]
    said = "".join(
        f"{chain.name} {chain.hook} {rule.text} {rule.expressions.hex()}\n"
        for chain in shared
        for rule in rules_of(chain)
    )
    assert (MARK, hashlib.sha256(said.encode()).hexdigest()[:16]) == ("v3", "71730f1ced437b6e")


def test_every_map_that_a_rule_looks_up_is_made_with_its_table() -> None:
    for family in TABLES:
        prefixes = (
            [make(Cidr(bytes(size), 8)) for make in (backend.outside, ports.hairpin) for size in (4, 16)]
            if family == INET
            else []
        )
        texts = " ".join(rule.text for chain in (*chains(family), *prefixes) for rule in rules_of(chain))
        assert set(re.findall(r"@(\S+)", texts)) == {item.name for item in maps(family)}


def test_every_chain_that_a_rule_jumps_to_is_made_with_its_table_and_before_it() -> None:
    for family in TABLES:
        seen = set()
        for chain in chains(family):
            seen.add(chain.name)
            assert (
                set(re.findall(r"(?:jump|goto) (\S+)", " ".join(rule.text for rule in rules_of(chain))))
                <= seen
            )


def test_every_map_is_known_to_a_plugin_and_to_one_only() -> None:
    """GC and DEL find elements by the beginning of a map's name."""
    for table in TABLES:
        prefixes = [MAPS_OF[intent] for intent, where in TABLE_OF.items() if where == table]
        for item in maps(table):
            assert sum(item.name.startswith(each) for each in prefixes) == 1
