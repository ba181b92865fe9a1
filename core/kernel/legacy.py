"""Chains that iptables-legacy has, in the shapes of the Go reference suite: found and deleted with its tool.

Loaded only where it has made a table. Other than those of iptables-nft, netlink does not reach them.
"""

from __future__ import annotations

from errno import EIO

from core.iptables import admission, tool
from core.iptables.commands import deleted
from core.iptables.records import Chain
from core.iptables.text import option, place, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.iptables.text import Ruleset

NAT, FILTER = "nat", "filter"
RACES = 5  # how often others may change what we decided by


def delete_chains(
    _kernel: Any, family: str, names: list[str], udp: list[tuple[str, int]] | None = None
) -> None:
    """Delete chains of table nat and every rule that jumps to one; absent is success.

    udp: gets (family, port) of what they matched. Raises OSError; FileNotFoundError where there is no tool.
    """
    now = _delete(family, NAT, [Chain(family, NAT, name) for name in names])
    if udp is not None:
        rules = [rule for name in names for rule in now.get(name, []) if option(rule, "-p") == "udp"]
        ports = dict.fromkeys([option(rule, "--dport") for rule in rules])
        udp += [(family, int(port)) for port in ports if port.isdigit()]


def _delete(family: str, table: str, records: list[Any]) -> Ruleset:
    """Delete what is there of *records*; returns the chains of the table before. Raises OSError."""
    now: Ruleset = {}
    for last in [False] * RACES + [True]:
        now = tool.save(family, tool.LEGACY).get(table, {}) if records else {}
        commands = deleted(now, records)
        if not commands:
            break
        try:
            tool.restore(family, {table: commands}, tool.LEGACY)
            break
        except OSError as error:
            if last or error.errno != EIO:
                raise
    return now


def delete_admission(addresses: list[bytes]) -> None:
    """Delete the rules that admit *addresses*, all of one family. Raises OSError."""
    records = [rule for each in addresses for rule in admission.rules(each)]
    _delete(records[0].family, FILTER, records)


def has_admission(addresses: list[bytes]) -> bool:
    """Whether both rules stand for each of *addresses*, all of one family. Raises OSError."""
    records = [rule for each in addresses for rule in admission.rules(each)]
    now = tool.save(records[0].family, tool.LEGACY).get(FILTER, {})
    return all([place(each.rule, now.get(each.chain, [])) >= 0 for each in records])


def delete_commented(family: str, table: str, comment: str) -> None:
    """Delete the rules of a table that have a comment. Raises OSError."""
    now = tool.save(family, tool.LEGACY).get(table, {})
    doomed = [
        f"-D {chain} {rule}"
        for chain, rules in now.items()
        for rule in rules
        if option(rule, "--comment") == comment
    ]
    if doomed:
        tool.restore(family, {table: doomed}, tool.LEGACY)


def has_rules(family: str, names: list[str]) -> bool:
    """Whether one of these chains of table nat has a rule. Raises OSError."""
    now = tool.save(family, tool.LEGACY).get(NAT, {})
    return any([now.get(name) for name in names])


def jumps(family: str, entry: str) -> list[tuple[str, str]]:
    """(chain, comment) of every rule of *entry* that jumps to a chain. Raises OSError."""
    rules = tool.save(family, tool.LEGACY).get(NAT, {}).get(entry, [])
    return [(target(rule), option(rule, "--comment")) for rule in rules]
