"""Barriers on the forward hook, and the openings in them, as a kernel's records.

Looked at and written are one generation of the rule set, as two ADDs may open the same chain at once.
"""

from __future__ import annotations

from errno import ERESTART

from core import system
from core.netlink.message import attribute_list
from core.nft import foreign
from core.nft.admission import BIT, marked
from core.nft.expression import Rule, decide
from core.nft.standing import jumps
from core.nft.values import NF_ACCEPT, NFT_JUMP
from core.plan.opening import CNI_FORWARD, DOCKER_USER, MANAGED, Barrier, Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State
    from core.netlink.message import Message
    from core.nft.standing import Found

TRIES = 50  # whoever changes rules all the time makes ADD fail, and the runtime comes again
ENTRY_COMMENT = "CNI firewall plugin rules"  # the reference's, in FORWARD
ADMIN_COMMENT = "CNI firewall plugin admin overrides"  # in CNI-FORWARD
COMMENT = "cniwire: containers that firewall admits"
LEGACY = "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"


def barriers(kernel: Any, families: tuple[str, ...]) -> list[Barrier]:
    """Whose chains drop what is forwarded and nobody accepts, in tables of *families*. Raises OSError."""
    found = []
    for base in foreign.forward_chains(kernel.netfilter):
        if base.family not in families:
            continue
        rules = foreign.rules(kernel.netfilter, base.family, base.table, base.name)
        last = foreign.end(rules)
        decided = foreign.decision(last) if last else ""
        if decided != "drop" and (not base.drops or decided == "accept"):
            continue
        found.append(
            Barrier(
                base.family,
                base.table,
                base.name,
                int.from_bytes(last.handle, "big") if last and decided == "drop" else 0,
                base.table not in MANAGED and foreign.is_owned(kernel.netfilter, base.family, base.table),
                any([jumps(rule) == DOCKER_USER for rule in rules]),
            )
        )
    return found


def is_legacy() -> bool:
    """Whether iptables-legacy has a filter table, whose rules netlink does not tell."""
    return any(["filter" in _lines(path) for path in LEGACY])


def _lines(path: str) -> list[str]:
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    except OSError:
        return []
    try:
        return system.read(descriptor, 4096).decode("ascii", "replace").split()
    except OSError:
        return []
    finally:
        system.close(descriptor)


def _accept() -> Rule:
    """What is marked is accepted, in the shape that iptables knows, too."""
    match = marked()
    expressions = match.expressions + foreign.counter() + decide(NF_ACCEPT)
    return Rule(f"{match.text} counter accept", expressions)


def _jump(chain: str) -> Rule:
    return Rule(f"counter jump {chain}", foreign.counter() + decide(NFT_JUMP, chain))


def _rules(kernel: State, want: Opening, chain: str) -> list[Found]:
    return foreign.rules(kernel.netfilter, want.family, want.table, chain)


def _is_accepted(rules: list[Found]) -> bool:
    """Whether our rule is among those that are asked."""
    match = marked().expressions
    accepts = [member for _, member in attribute_list(decide(NF_ACCEPT))]
    for rule in rules:
        *members, last = foreign.meaning(rule) or [b""]
        if [last] == accepts and foreign.is_marked(members, match, BIT):
            return True
        if foreign.decision(rule):
            return False
        if rule.comment == COMMENT and _is_ours_in_other_words(rule):
            return True
    return False


def _is_ours_in_other_words(rule: Found) -> bool:
    """As kernels before 5.6 tell rules."""
    from core.nft.readback import same  # late: hardly any kernel is that old

    return same(_accept().expressions, rule.expressions)


def _find(kernel: State, want: Opening) -> Opening | None:
    """The opening, if packets get to it."""
    return None if _missing(kernel, want) else want


def _missing(kernel: State, want: Opening) -> list[Message]:
    """The messages that make what is missing of an opening. Raises OSError."""
    base = want.family, want.table, want.chain
    outer = _rules(kernel, want, want.chain)
    made: list[Message] = []
    if _is_accepted(outer):
        return made  # whoever administrates it has written it there
    if want.via == CNI_FORWARD:
        made += _entries(kernel, want, outer)
    place, rules = base, outer
    if want.via:
        place = want.family, want.table, want.via
        rules = _rules(kernel, want, want.via)
    if not _is_accepted(rules):
        last = foreign.end(rules)
        made.append(foreign.new_rule(place, _accept(), COMMENT, last.handle if last else b""))
    return made


def _entries(kernel: State, want: Opening, outer: list[Found]) -> list[Message]:
    """What leads to CNI-FORWARD, and in it to the chain of administrators; both come first."""
    made = [
        foreign.new_chain(want.family, want.table, name)
        for name in (CNI_FORWARD, want.admin)
        if not foreign.has_chain(kernel.netfilter, want.family, want.table, name)
    ]
    for chain, to, words in (
        (want.chain, CNI_FORWARD, ENTRY_COMMENT),
        (CNI_FORWARD, want.admin, ADMIN_COMMENT),
    ):
        rules = outer if chain == want.chain else _rules(kernel, want, chain)
        if not any([jumps(rule) == to for rule in rules]):
            made.append(foreign.new_rule((want.family, want.table, chain), _jump(to), words, first=True))
    return made


def _create(kernel: State, want: Opening) -> None:
    """Make what is missing, in one transaction. Raises OSError; FileExistsError where nothing is."""
    for attempt in range(TRIES):
        generation = kernel.netfilter.generation()
        made = _missing(kernel, want)
        if not made:
            raise FileExistsError(17, system.strerror(17))
        try:
            kernel.netfilter.commit(made, generation=generation)
        except OSError as error:
            if error.errno != ERESTART or attempt == TRIES - 1:
                raise
        else:
            return


FIND: dict[type, Any] = {Opening: _find}
CREATE: dict[type, Any] = {Opening: _create}
