"""Chains and rules of iptables as a kernel's records, in whatever table: one read, one write for a family.

What is wanted is compared with what iptables-save tells, and the difference is one iptables-restore. Nothing
that is shared is made alone: its creation is noted, and travels with the first thing that stands on it.

Who decided by a look that is out of date is refused by the tool, as a whole: a chain is made by -N, a rule of
somebody deleted by -D. Then we look again; what differs from what was refused is tried, and if nothing does,
the tool's complaint is the error. So ADDs and DELs at one time need no lock of ours.
"""

from __future__ import annotations

from errno import EBUSY, EIO, ENOENT

from core.deadline import check as check_deadline
from core.errors import TRY_AGAIN_LATER, CNIError
from core.iptables import tool
from core.iptables.commands import created, deleted
from core.iptables.records import Chain, ChainRule, SharedChain, SharedRule
from core.iptables.text import place, same, target
from core.iptables.tool import PROGRAMS
from core.record import SHARED, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from core.iptables.text import Ruleset, Saved
    from core.kernel.state import State
    from core.publication import Mapping

    Compose = Callable[[Ruleset, list[Any]], list[str]]

RACES = 10  # how often others may change what we decided by


class Tables:
    """What is known of iptables for the length of one call.

    saved: family -> what iptables-save told, until something is changed.
    noted: shared records that are to be made with the next ones.
    """

    def __init__(self) -> None:
        self.saved: dict[str, Saved] = {}
        self.noted: list[Any] = []


def _tables(kernel: State) -> Tables:
    kernel.xtables = kernel.xtables or Tables()
    found: Tables = kernel.xtables
    return found


def _read(kernel: State, family: str) -> Saved:
    """The tables as they are, or as they were at the last look of this call. Raises OSError."""
    saved = _tables(kernel).saved
    if family not in saved:
        saved[family] = tool.save(family)
    return saved[family]


def _chains(kernel: State, record: Any) -> Ruleset:
    """The chains of a record's table."""
    return _read(kernel, record.family).get(record.table, {})


def _find_chain(kernel: State, want: Chain) -> Chain | None:
    """The chain with the rules that it has; one that is the same in other words is told as ours."""
    rules = _chains(kernel, want).get(want.name)
    if rules is None:
        return None
    alike = len(rules) == len(want.rules) and all([same(one, other) for one, other in zip(rules, want.rules)])
    return want if want.lifecycle == SHARED or alike else replace(want, rules=tuple(rules))


def _find_entry(kernel: State, want: ChainRule) -> ChainRule | None:
    """The rule, wherever it stands in its chain.

    Where another one leads to the same chain, it may be the same in words that a person wrote, which only the
    tool understands.
    """
    rules = _chains(kernel, want).get(want.chain, [])
    if place(want.rule, rules, want.lifecycle == SHARED) >= 0:
        return want
    if not [rule for rule in rules if target(rule) == target(want.rule)]:
        return None
    try:
        tool.restore(want.family, {want.table: [f"-C {want.chain} {want.rule}"]})
    except OSError as error:
        if error.errno != EIO:
            raise
        return None
    return want


def _note(kernel: State, *records: Any) -> None:
    """What is shared is made with what stands on it."""
    _tables(kernel).noted += records


def _create(kernel: State, *records: Any) -> None:
    """Create an attachment's chains and rules, with what was noted.

    Raises OSError, whose attribute made is what was made of other families.
    """
    tables = _tables(kernel)
    wanted, tables.noted = [*tables.noted, *records], []
    made: list[Any] = []
    for family in dict.fromkeys([each.family for each in records]):
        own = [each for each in records if each.family == family]
        try:
            _write(kernel, family, [each for each in wanted if each.family == family], created)
        except OSError as error:
            error.record, error.made = own[0], made  # type: ignore[attr-defined]
            raise
        made += own


def _write(kernel: State, family: str, records: list[Any], compose: Compose) -> bool:
    """Carry out what *compose* makes of the tables and the records; whether there was anything to do.

    Raises OSError. Where all is the attachment's own, nobody looks first: a chain that is there is refused.
    """
    saved = _tables(kernel).saved
    unseen = compose is created and not any([each.lifecycle == SHARED for each in records])
    commands = _composed(saved.get(family, {}) if unseen else _read(kernel, family), records, compose)
    for last in [False] * RACES + [True]:
        check_deadline()
        saved.pop(family, None)
        if not any(commands.values()):
            return False
        try:
            tool.restore(family, commands)
            return True
        except OSError as error:
            if last or error.errno != EIO:
                raise
            again = _composed(_read(kernel, family), records, compose)
            if again == commands:
                raise
            commands = again
    return False


def _composed(now: Saved, records: list[Any], compose: Compose) -> dict[str, list[str]]:
    """The commands for each table."""
    return {
        table: compose(now.get(table, {}), [each for each in records if each.table == table])
        for table in dict.fromkeys([each.table for each in records])
    }


def _delete(kernel: State, *records: Any) -> list[Any]:
    """Delete by identity; returns what was there. Where the tool is missing, it can have made nothing.

    Raises OSError.
    """
    gone: list[Any] = []
    for family in dict.fromkeys([each.family for each in records]):
        mine = [each for each in records if each.family == family]
        try:
            gone += mine if _write(kernel, family, mine, deleted) else []
        except OSError as error:
            if error.errno != ENOENT:
                raise
    return gone


def need_room(kernel: State, records: Iterable[Any], wanted: list[Mapping], backend: Any) -> None:
    """Raise CNIError where a port of *wanted* leads to another container, or a chain of others is missing.

    records: the chains of ports, and what leads to them, made by *backend*. Raises OSError.
    """
    from core.iptables import taken  # late: bridge takes no ports

    container, marks = backend.attachment.container_id, backend.mark_chain
    for chain in [each for each in records if each.rank == Chain.rank]:
        of_family = [each for each in records if each.family == chain.family]
        entries = [each.rule for each in of_family if each.rank == ChainRule.rank]
        mine = [each for each in wanted if each.family.word == chain.family]
        taken.refuse(_chains(kernel, chain), chain.name, container, mine, entries)
        if marks in [target(rule) for rule in chain.rules] and marks not in _chains(kernel, chain):
            told = f"externalSetMarkChain: {PROGRAMS[chain.family]} has no chain {marks} in table nat"
            raise CNIError(TRY_AGAIN_LATER, told, "whoever makes it, as kube-proxy does, is not up yet")


def probe(kernel: State) -> str:
    """Why iptables cannot be used here, "" where it can."""
    try:
        _read(kernel, "ip")
    except OSError as error:
        return error.strerror or ("busy" if error.errno == EBUSY else "it failed")
    return "" if tool.program("ip", "restore") else "there is no iptables-restore in PATH"


FIND: dict[type, Any] = {
    Chain: _find_chain,
    SharedChain: _find_chain,
    ChainRule: _find_entry,
    SharedRule: _find_entry,
}
CREATE: dict[type, Any] = {Chain: _create, ChainRule: _create, SharedChain: _note, SharedRule: _note}
DELETE: dict[type, Any] = {Chain: _delete, ChainRule: _delete}
