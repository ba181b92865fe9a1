"""From what is wanted and what iptables-save tells to the commands of one iptables-restore. Pure."""

from __future__ import annotations

from core.iptables.records import Chain, ChainRule
from core.iptables.text import place, target
from core.record import SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.iptables.text import Ruleset


def created(now: Ruleset, records: list[Any]) -> list[str]:
    """The commands that make what is missing of *records*, and write an attachment's own chains anew.

    First all chains, as rules jump to them; then what goes; then rules, in the order of the records.
    """
    chains = [each for each in records if each.rank == Chain.rank]
    old = [each.name for each in chains if each.lifecycle != SHARED and each.name in now]
    made = [f"-N {each.name}" for each in chains if each.name not in now]
    made += _jumps(now, old) + [f"-F {name}" for name in old]
    for each in records:
        if each.rank == Chain.rank:
            made += [f"-A {each.name} {rule}" for rule in each.rules]
            continue
        kept = [rule for rule in now.get(each.chain, []) if target(rule) not in old]
        if place(each.rule, kept, each.lifecycle == SHARED) < 0:
            made.append(f"-I {each.chain} 1 {each.rule}" if each.first else f"-A {each.chain} {each.rule}")
    return made


def deleted(now: Ruleset, records: list[Any]) -> list[str]:
    """The commands that delete what is there of *records*, and what jumps to their chains."""
    names = [each.name for each in records if each.rank == Chain.rank and each.name in now]
    made = _jumps(now, names)
    for each in records:
        if each.rank == ChainRule.rank:
            rules = now.get(each.chain, [])
            found = place(each.rule, rules)
            if found >= 0 and f"-D {each.chain} {rules[found]}" not in made:
                made.append(f"-D {each.chain} {rules[found]}")
    return made + [f"-F {name}" for name in names] + [f"-X {name}" for name in names]


def _jumps(now: Ruleset, names: list[str]) -> list[str]:
    """The commands that delete every rule of the table that jumps to one of the chains."""
    return [
        f"-D {chain} {rule}"
        for chain, rules in now.items()
        if names and chain not in names
        for rule in rules
        if target(rule) in names
    ]
