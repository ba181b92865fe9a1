"""What stands in our nft tables, read back and compared with what belongs there.

Loaded by healing, by a CHECK that found another digest, and by whoever looks for what is left over. Every
function takes the Netfilter, whose socket asks.
"""

from __future__ import annotations

from core.netlink.message import attribute_list
from core.nft import values
from core.nft.changes import HOOKS, types
from core.nft.expression import Rule
from core.nft.names import MARK, Chain, Table
from core.nft.rules import rules_of
from core.nft.standing import Found, Standing, data_of, name_of, standing
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.nft.client import Netfilter
    from core.nft.names import Map

UNKNOWN = "(a rule that is not ours)"


def find_table(netfilter: Netfilter, want: Table) -> Table | None:
    return want if standing(netfilter, want.table).there else None


def find_map(netfilter: Netfilter, want: Map) -> Map | None:
    """The map; with other types, if they are not ours."""
    now = standing(netfilter, want.table)
    if want.name not in now.maps:
        return None
    return replace(want, key=("other types",)) if is_another(now, want) else want


def is_another(now: Standing, want: Map) -> bool:
    """Whether there is a map of that name with other types."""
    return want.name in now.maps and now.maps[want.name] != types(want)


def find_chain(netfilter: Netfilter, want: Chain) -> Chain | None:
    """The chain with the rules that it has. A rule that means the same as ours is told as ours."""
    now = standing(netfilter, want.table)
    if want.name not in now.hooks:
        return None
    maps = tuple([each for each in want.maps if find_map(netfilter, each) == each])
    entries = tuple([(where, rule) for where, rule in want.entries if is_entered(now, want, where)])
    found = (
        replace(want, maps=maps, entries=entries) if (maps, entries) != (want.maps, want.entries) else want
    )
    if is_elsewhere(now, want):
        found = replace(found, hook=None, name=f"{want.name} at another hook")
    if not want.size:
        return found
    rules, wanted = now.rules.get(want.name, []), rules_of(want)
    body = [_recognised(each, wanted[place : place + 1]) for place, each in enumerate(rules)]
    return found if tuple(body) == wanted else replace(found, body=tuple(body), kind="", mask=b"")


def is_elsewhere(now: Standing, want: Chain) -> bool:
    """Whether there is a chain of that name at another hook, or at none."""
    hook = want.hook
    return want.name in now.hooks and now.hooks[want.name] != (
        (HOOKS[hook.hook], hook.priority, hook.type, values.NF_ACCEPT) if hook else None
    )


def is_entered(now: Standing, chain: Chain, where: str) -> bool:
    """Whether a rule of ours in *where* leads to *chain*."""
    return any([rule.comment == f"{MARK} {chain.name}" for rule in now.rules.get(where, ())])


def _recognised(found: Found, wanted: tuple[Rule, ...]) -> Rule:
    """The rule that stands where *wanted* should: that one, or what it is instead."""
    if wanted and found.comment == MARK and same(wanted[0].expressions, found.expressions):
        return wanted[0]
    return Rule(UNKNOWN, found.expressions)


def _without_repeats(expressions: bytes) -> list[bytes]:
    """The expressions one by one, without a second match on the same family or protocol.

    nft leaves such a match out when it loads a rule set that it has listed.
    """
    members = [member for _, member in attribute_list(expressions)]
    kept: list[bytes] = []
    matches: set[tuple[bytes, bytes]] = set()
    place = 0
    while place < len(members):
        pair = (members[place], members[place + 1] if place + 1 < len(members) else b"")
        if name_of(pair[0]) == "meta" and name_of(pair[1]) == "cmp":
            kept += () if pair in matches else pair
            matches.add(pair)
            place += 2
        else:
            kept.append(members[place])
            place += 1
    return kept


def same(ours: bytes, theirs: bytes) -> bool:
    """Whether two expression lists mean the same.

    Kernels tell fewer attributes before 5.6, or more: what only one side has, has to be zero.
    """
    if ours == theirs:
        return True
    one, other = _without_repeats(ours), _without_repeats(theirs)
    return len(one) == len(other) and all([_alike(mine, its) for mine, its in zip(one, other)])


def _alike(ours: bytes, theirs: bytes) -> bool:
    """As `same`, of one expression: its name and its attributes, with or without the flag for nests."""
    if name_of(ours) != name_of(theirs):
        return False
    mine, its = data_of(ours), data_of(theirs)
    pairs = [(mine.get(kind, b""), its.get(kind, b"")) for kind in mine | its]
    return all(
        [
            one == other or not any(one + other) or attribute_list(one) == attribute_list(other) != []
            for one, other in pairs
        ]
    )
