"""The nft match words of portmap's conditionsV4 and conditionsV6, compiled without the nft program.

    ip saddr|daddr, ip6 saddr|daddr   ADDRESS, ADDRESS/PREFIX or ADDRESS-ADDRESS
    iifname, iif                      NAME or "NAME"; iifname: NAME* for all that begin with it
    tcp|udp|sctp|th sport|dport       PORT or PORT-PORT
    [meta] mark, ct mark              NUMBER or NUMBER-NUMBER; NUMBER behind `& MASK`
    ct state                          new, established, related, invalid or untracked
    fib saddr|daddr type              local, unicast, broadcast, multicast, anycast and so on

Behind each may stand `==` or `!=` (eq, ne), where values are ordered `<`, `<=`, `>` or `>=` (lt, le, gt, ge).
Several matches may follow one another; all have to hold. `{ VALUE, VALUE }` stands for any of several (!=:
for none of them). An interface is known by its name, not by its number, whichever word is written: it may be
made anew. Pure.
"""

from __future__ import annotations

from core.nft.expression import Rule
from core.nft.matches import EQUALITY, FAMILY_OF, MARKS, PORT_FIELDS, match, number

MOST_WAYS = 64
SIGNS = ("==", "!=", "<=", ">=", "<", ">")  # those of two characters first
WORDS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
# What is written -> what nft prints, or what is meant.
FIELDS = {
    **{f"{word} {side}": f"{word} {side}" for word in FAMILY_OF for side in ("saddr", "daddr")},
    **{f"{word} {port}": f"{word} {port}" for word in ("tcp", "udp", "sctp", "th") for port in PORT_FIELDS},
    **dict.fromkeys(("iifname", "meta iifname", "iif", "meta iif"), "iifname"),
    **dict.fromkeys(("meta mark", "mark"), "meta mark"),
    **{each: each for each in ("ct mark", "ct state", "fib saddr type", "fib daddr type")},
}
LONGEST = 3  # words of a field
KNOWN = (
    "ip|ip6 saddr|daddr, iif, iifname, tcp|udp|sctp|th sport|dport, meta mark, ct mark, ct state"
    " or fib saddr|daddr type"
)


class Choice(Rule):
    """A match of any of several, each of which becomes a rule: an anonymous set would cost more messages.

    expressions: where there is only one.
    """

    text: str
    expressions: bytes
    alternatives: tuple[Rule, ...] = ()


def compile_words(words: list[str]) -> Rule:
    """The matches of *words* as one Rule without a verdict.

    Raises ValueError naming the word that is not understood.
    """
    tokens = " ".join(words).replace("{", " { ").replace("}", " } ").split()
    if not tokens:
        raise ValueError("want a match, found nothing")
    texts, ways = list[str](), [Rule("", b"")]
    while tokens:
        text, matches, tokens = _compiled(tokens)
        texts.append(text)
        ways = [
            Rule(f"{way.text} {each.text}".strip(), way.expressions + each.expressions)
            for way in ways
            for each in matches
        ]
        if len(ways) > MOST_WAYS:
            raise ValueError(f"want at most {MOST_WAYS} combinations of values, found {len(ways)}")
    text = " ".join(texts)
    if len(ways) == 1:  # of several values behind !=, too, where nft would print a set
        return ways[0] if ways[0].text == text else Choice(text, ways[0].expressions, tuple(ways))
    return Choice(text, b"", tuple(ways))


def _compiled(tokens: list[str]) -> tuple[str, list[Rule], list[str]]:
    """The match that *tokens* begin with: its text, the rules any of which has to hold, and what follows."""
    written, rest = _field(tokens)
    field = FIELDS[written]
    mask, rest = _mask(field, rest)
    operator, rest = _operator(rest)
    if not rest:
        raise ValueError(f"want a value behind {' '.join(tokens)!r}")
    values, rest = _values(rest)
    if len(values) > 1 and operator not in EQUALITY:
        raise ValueError(f"want a single value behind {operator}, found a set")
    if mask or (field == "ct state" and (len(values) > 1 or operator)):
        operator = operator or "=="
    elif operator == "==":
        operator = ""
    for value in values:
        _check_value(written, value)
    found = dict([match(field, operator, value, mask) for value in values])
    begin = " ".join([each for each in (field, mask and f"& 0x{mask:08x}", operator) if each])
    matches = [Rule(f"{begin} {value}", expressions) for value, expressions in found.items()]
    if operator == "!=":
        text = " ".join([each.text for each in matches])
        matches = [Rule(text, b"".join([each.expressions for each in matches]))]
    several = ", ".join(found)
    return f"{begin} {several if len(found) == 1 else f'{{ {several} }}'}", matches, rest


def _mask(field: str, tokens: list[str]) -> tuple[int, list[str]]:
    """The mask of a mark that *tokens* begin with, 0 for none; and what follows."""
    if field not in MARKS or tokens[:1] not in (["&"], ["and"]):
        return 0, tokens
    mask = number("".join(tokens[1:2]), 2**32 - 1)
    if not mask:
        raise ValueError(f"want a mask with a bit in it behind {field} &, found {tokens[1]!r}")
    return mask, tokens[2:]


def _field(tokens: list[str]) -> tuple[str, list[str]]:
    """The field that *tokens* begin with, as it is written, and what follows."""
    for size in range(LONGEST, 0, -1):
        written = " ".join(tokens[:size])
        if written in FIELDS:
            return written, tokens[size:]
    raise ValueError(f"want {KNOWN}, found {' '.join(tokens[:2])!r}")


def _operator(tokens: list[str]) -> tuple[str, list[str]]:
    """The operator that *tokens* begin with, if they do, also without a space behind it; and what follows."""
    first = tokens[0] if tokens else ""
    if first in WORDS:
        return WORDS[first], tokens[1:]
    sign = next((each for each in SIGNS if first.startswith(each)), "")
    behind = first[len(sign) :]
    return sign, [behind, *tokens[1:]] if behind else tokens[1:]


def _values(tokens: list[str]) -> tuple[list[str], list[str]]:
    """The value that *tokens* begin with, or those in its braces; and what follows.

    States may stand in a row without braces, and with spaces behind the commas.
    """
    if tokens[0] != "{":
        value, rest = tokens[0], tokens[1:]
        while rest and (value.endswith(",") or rest[0].startswith(",")):
            value, rest = value + rest[0], rest[1:]
        return [value], rest
    if "}" not in tokens:
        raise ValueError(f"want a closing }} behind {' '.join(tokens)!r}")
    end = tokens.index("}")
    return [value.strip() for value in " ".join(tokens[1:end]).split(",")], tokens[end + 1 :]


def _check_value(written: str, value: str) -> None:
    """Refuse what nft would take for something else than this module does."""
    if "," in value and written != "ct state" and not value.startswith('"'):
        raise ValueError(f"want braces around several values, {{ {value} }}, found {value!r}")
    if written.endswith("iif") and (value.isdigit() or value.strip('"').endswith("*")):
        raise ValueError(f"want the name of one interface behind {written}, found {value!r}")
