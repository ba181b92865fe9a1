"""Host ports that another container has in iptables, where the rule that stands first wins in silence. Pure.

The kernel refuses nobody there, so the rules are read: two chains of ports clash where they translate the
same port, of addresses that overlap, under the same conditions. Whoever has a port is told by a comment with
network and container, which does not prove that he is gone; so he has it until his DEL, or GC.
"""

from __future__ import annotations

from core import address
from core.errors import PORT_TAKEN, CNIError
from core.iptables.backend import DNAT
from core.iptables.text import meaning, option, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.iptables.text import Group, Ruleset
    from core.publication import Mapping

    Conditions = frozenset[tuple[Group, ...]]

OURS = ("-p", "-j", "--dports", "--comment")  # of an entry: what is no condition


def refuse(
    now: Ruleset, chain: str, container_id: str, wanted: Iterable[Mapping], entries: list[str]
) -> None:
    """Raise CNIError(PORT_TAKEN) where another container's chain has one of the *wanted* ports.

    now: table nat of the family. chain: our own, whose *entries* lead to it. One container may have a port on
    several networks.
    """
    ports = {(each.protocol, each.host_port): each for each in wanted}
    conditions = _conditions(entries)
    others: dict[str, list[str]] = {}
    for rule in now.get(DNAT, []):
        others.setdefault(target(rule), []).append(rule)
    for other, leading in others.items():
        comment = option(leading[0], "--comment")
        same = other == chain or f'id: "{container_id}"' in comment
        if same or _conditions(leading) != conditions:
            continue
        for rule in now.get(other, []):
            mapping = _clash(rule, ports)
            if mapping:
                told = f"host port {mapping.published} is already taken by {comment or other} (chain {other})"
                raise CNIError(PORT_TAKEN, told, "choose another port, or delete that attachment first")


def _clash(rule: str, ports: dict[tuple[str, int], Mapping]) -> Mapping | None:
    """The wanted port that a rule translates; None where it is of another address, or no translation."""
    number = option(rule, "--dport") if target(rule) == "DNAT" else ""
    mapping = ports.get((option(rule, "-p"), int(number))) if number.isdigit() else None
    host = option(rule, "-d").partition("/")[0]
    ours = address.text(mapping.host_address) if mapping and mapping.host_address else ""
    return mapping if not host or ours in ("", host) else None


def _conditions(entries: list[str]) -> Conditions:
    """What has to hold for a chain to be entered, besides protocol and port: one of these."""
    return frozenset([tuple([each for each in meaning(rule) if each[1] not in OURS]) for rule in entries])
