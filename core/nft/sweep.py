"""Deletion of chains that attachments shared and nobody needs any more.

With a chain go the maps that it alone looks up, and the rules that lead to it.

Law: in use is whatever an element jumps to, and whatever looks up a map with elements in it. Looked at and
deleted are one generation of the rule set: when anybody changes anything in between, the kernel refuses, and
we look again. Loaded by GC, and by DEL of mappings that have chains of their own.
"""

from __future__ import annotations

from errno import ERESTART

from core.nft.changes import delete_chain, delete_map, delete_rule, flush
from core.nft.names import DASH, is_on_demand
from core.nft.standing import jumps, lookups, standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.netlink.message import Message
    from core.nft.client import Netfilter
    from core.nft.standing import Found, Standing

TRIES = 5  # whoever changes rules meanwhile will have us sweep later


def sweep(netfilter: Netfilter, table: str) -> list[str]:
    """Delete the chains of *table* that nothing needs; returns their names. Raises OSError."""
    for _ in range(TRIES):
        netfilter.standing.clear()
        generation = netfilter.generation()
        now = standing(netfilter, table)
        doomed = _unneeded(netfilter, table, now)
        if not doomed:
            return []
        try:
            netfilter.commit(_removal(table, now, doomed), generation=generation)
        except OSError as error:
            if error.errno != ERESTART:
                raise
        else:
            return doomed
    return []


def _unneeded(netfilter: Netfilter, table: str, now: Standing) -> list[str]:
    """The names of chains that no element jumps to, and no element is looked up by."""
    found = []
    for name in now.hooks:
        if not is_on_demand(name):
            continue
        rules = now.rules.get(name, [])
        entries = [rule for members in now.rules.values() for rule in members if jumps(rule) == name]
        by_elements = now.uses[name] - len(rules) - len(entries)
        if not by_elements and not any([netfilter.list(table, each) for each in _maps(rules)]):
            found.append(name)
    return found


def _maps(rules: list[Found]) -> set[str]:
    """The maps that rules look up and that are not always there."""
    return {each for rule in rules for each in lookups(rule) if DASH in each}


def _entry_of(rule: Found) -> str:
    """The chain that a rule was added for, wherever it leads, "" for none."""
    return rule.comment.partition(" ")[2]


def _removal(table: str, now: Standing, doomed: list[str]) -> list[Message]:
    """First what leads to the chains, then the chains, then their maps."""
    made = []
    for where, rules in now.rules.items():
        made += [
            delete_rule(table, where, rule.handle)
            for rule in rules
            if where not in doomed and (jumps(rule) in doomed or _entry_of(rule) in doomed)
        ]
    made += [flush(table, name) for name in doomed if now.rules.get(name)]
    made += [delete_chain(table, name) for name in doomed]
    maps = {each for name in doomed for each in _maps(now.rules.get(name, []))}
    needed = {each for where, rules in now.rules.items() if where not in doomed for each in _maps(rules)}
    return made + [delete_map(table, each) for each in sorted(maps - needed)]
