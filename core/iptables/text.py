"""What iptables-save prints and iptables-restore reads: words, rules, and when two rules are the same. Pure.

    *nat
    :CNI-HOSTPORT-DNAT - [0:0]
    -A POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \\"net\\" id: \\"c1\\"" -j CNI-0123
    COMMIT

A rule here is the text behind `-A CHAIN`.
"""

from __future__ import annotations

from core.address import host_prefix as whole
from core.address import network, parse, parse_cidr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Group = tuple[str, ...]
    Ruleset = dict[str, list[str]]  # chain -> its rules
    Saved = dict[str, Ruleset]  # table -> its chains

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,[]!+=@%"
LONG = {  # spellings of options, as iptables-save has them
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--protocol": "-p",
    "--in-interface": "-i", "--out-interface": "-o", "--jump": "-j", "--goto": "-g", "--match": "-m",
    "--destination-ports": "--dports", "--source-ports": "--sports",
    "--destination-port": "--dport", "--source-port": "--sport",
}  # fmt: skip
ADDRESSES = ("-s", "-d")
EVERYBODY = [("", name, "") for name in ADDRESSES]  # groups that say nothing


def quoted(word: str) -> str:
    """A word as iptables-restore reads it: in double quotes where it is not plain."""
    if word and all([each in PLAIN for each in word]):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def line(words: Iterable[str]) -> str:
    """Words as one rule, or a part of one."""
    return " ".join([quoted(word) for word in words])


def words(rule: str) -> list[str]:
    """The words of a rule, without quotes."""
    found: list[str] = []
    current, inside, open_ = "", False, False
    at = 0
    while at < len(rule):
        char = rule[at]
        if inside and char == "\\" and at + 1 < len(rule):
            at += 1
            current += rule[at]
        elif char == '"':
            inside, open_ = not inside, True
        elif char == " " and not inside:
            if current or open_:
                found.append(current)
            current, open_ = "", False
        else:
            current += char
        at += 1
    return [*found, current] if current or open_ else found


def tables(printed: str) -> Saved:
    """The chains of each table, as iptables-save prints them. Raises ValueError where a table has no end.

    A table that comes into being meanwhile may be printed twice by iptables-legacy; the last time counts.
    """
    found: Saved = {}
    chains: Ruleset = {}
    begun = ended = 0
    for each in printed.splitlines():
        if each.startswith("*"):
            begun += 1
            chains = found[each[1:]] = {}
        elif each == "COMMIT":
            ended += 1
        elif each.startswith(":"):
            chains[each[1:].partition(" ")[0]] = []
        elif each.startswith("-A "):
            _, chain, rule = each.split(" ", 2) if each.count(" ") > 1 else (*each.split(" "), "")
            chains.setdefault(chain, []).append(rule)
    if begun != ended:
        raise ValueError(f"{begun} tables begin and {ended} end")
    return found


def target(rule: str) -> str:
    """Where a rule jumps to, "" for nowhere."""
    return option(rule, "-j")


def option(rule: str, name: str) -> str:
    """The value of an option of a rule as iptables-save prints it; "" where it has none."""
    if name not in rule:
        return ""
    found = words(rule)
    return found[found.index(name) + 1] if name in found[:-1] else ""


def meaning(rule: str) -> list[Group]:
    """The options of a rule, each with its values and a `!` in front where it is negated; in one order.

    Equal for two spellings of one rule, but for what only the tool knows. What says nothing (-m, a network
    of all addresses) is left out.
    """
    groups: list[list[str]] = []
    negated = False
    for word in words(rule):
        if word == "!":
            negated = True
        elif word.startswith("-") and len(word) > 1 and not word[1:].isdigit():
            groups.append(["!" * negated, LONG.get(word, word)])
            negated = False
        elif groups:
            groups[-1].append(word)
        else:
            groups.append(["", word])
    kept = [_plain(group) for group in groups if group[1] != "-m"]
    return sorted([group for group in kept if group not in EVERYBODY])


def _plain(group: list[str]) -> Group:
    sign, name, *values = group
    if name in ADDRESSES and len(values) == 1:
        values = [_network(values[0])]
    elif name == "--dports" and len(values) == 1:
        values = sorted(set(values[0].split(",")))
    return sign, name, *values


def _network(value: str) -> str:
    """An address or network in one spelling; "" for all addresses."""
    try:
        found = network(parse_cidr(value) if "/" in value else whole(parse(value)))
    except ValueError:
        return value
    return str(found) if found.prefix_len else ""


def same(one: str, other: str) -> bool:
    """Whether two rules are the same but for their spelling."""
    return one == other or meaning(one) == meaning(other)


def place(rule: str, rules: list[str], shared: bool = False) -> int:
    """Where the same rule is among *rules*, -1 for nowhere.

    shared: it is nobody's own, so what its comment says is no difference: the reference's releases differ.
    """
    if rule in rules:
        return rules.index(rule)
    wanted = _without_comment(rule) if shared else meaning(rule)
    read = _without_comment if shared else meaning
    return next((at for at, each in enumerate(rules) if read(each) == wanted), -1)


def _without_comment(rule: str) -> list[Group]:
    return [group for group in meaning(rule) if group[1] != "--comment"]
