"""The nft match words of portmap's conditionsV4 and conditionsV6, compiled without the nft program.

    ip saddr|daddr, ip6 saddr|daddr   [==|!=]   ADDRESS, ADDRESS/PREFIX or ADDRESS-ADDRESS
    iifname, meta iifname             [==|!=]   NAME or "NAME"; NAME* for all that begin with it
    tcp|udp|sctp|th sport|dport       [==|!=]   PORT or PORT-PORT
    meta mark, mark                   [==|!=]   NUMBER

Several matches may follow one another; all have to hold. `{ VALUE, VALUE }` stands for any of several (!=:
for none of them). Pure.
"""

from __future__ import annotations

from core import address
from core.address import FAMILIES, V4
from core.netlink.message import pack
from core.nft.expression import (
    EQ,
    IIFNAME,
    L4PROTO,
    MARK,
    NEQ,
    TRANSPORT_HEADER,
    Rule,
    address_field,
    between,
    compare,
    in_network,
    meta,
    network_text,
    of_family,
    payload,
)
from core.nft.names import PROTOCOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family

OPERATORS = {"==": EQ, "!=": NEQ}
MOST_WAYS = 64
SIDES = {
    "-s": "saddr",
    "--source": "saddr",
    "--src": "saddr",
    "-d": "daddr",
    "--destination": "daddr",
    "--dst": "daddr",
}
FAMILY_OF = {each.word: each for each in FAMILIES}
PORT_FIELDS = {"sport": 0, "dport": 2}


class Choice(Rule):
    """A match of any of several. Each becomes a rule, as an anonymous set would cost more messages."""

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
        if tokens[0] in ("iif", "oif"):
            raise ValueError(f"want iifname and the name of an interface, found {' '.join(tokens[:2])!r}")
        size = 1 if tokens[0] in ("iifname", "mark") else 2
        field, rest = tokens[:size], tokens[size:]
        operator = rest.pop(0) if rest[:1] and rest[0] in OPERATORS else "=="
        if not rest:
            raise ValueError(f"want a value behind {' '.join(tokens)!r}")
        values, tokens = _values(rest)
        found = dict([_match(field, OPERATORS[operator], value) for value in values])
        sign = " != " if operator == "!=" else " "
        text, _, _ = next(iter(found)).partition(" VALUE ")
        shown = [each.partition(" VALUE ")[2] for each in found]
        texts.append(f"{text}{sign}{shown[0] if len(shown) == 1 else '{ ' + ', '.join(shown) + ' }'}")
        matches = [Rule(each.replace(" VALUE ", sign), match) for each, match in found.items()]
        if operator == "!=":
            matches = [
                Rule(
                    " ".join([each.text for each in matches]),
                    b"".join([each.expressions for each in matches]),
                )
            ]
        ways = [
            Rule(f"{way.text} {each.text}".strip(), way.expressions + each.expressions)
            for way in ways
            for each in matches
        ]
        if len(ways) > MOST_WAYS:
            raise ValueError(f"want at most {MOST_WAYS} combinations of values, found {len(ways)}")
    text = " ".join(texts)
    return Rule(text, ways[0].expressions) if len(ways) == 1 else Choice(text, b"", tuple(ways))


def _values(tokens: list[str]) -> tuple[list[str], list[str]]:
    """The value that *tokens* begin with, or those in its braces; and what follows."""
    if tokens[0] != "{":
        return tokens[:1], tokens[1:]
    if "}" not in tokens:
        raise ValueError(f"want a closing }} behind {' '.join(tokens)!r}")
    end = tokens.index("}")
    return [value.strip() for value in " ".join(tokens[1:end]).split(",")], tokens[end + 1 :]


def from_iptables(words: list[str], family: Family) -> list[str]:
    """The nft words for iptables' [!] -s|-d NET[,NET...]. Raises ValueError for any other."""
    tokens, found = " ".join(words).split(), list[str]()
    while tokens:
        operator = "!=" if tokens[0] == "!" else "=="
        field, nets, *rest = tokens[operator == "!=" :] if len(tokens) > 1 + (operator == "!=") else ("", "")
        if field not in SIDES:
            raise ValueError(f"want -s or -d and a network, found {' '.join(tokens)!r}")
        found += [family.word, SIDES[field], operator, "{", *nets.split(), "}"]
        tokens = rest
    compile_words(found)
    return found


def _match(field: list[str], operator: int, value: str) -> tuple[str, bytes]:
    """One match as nft prints it, VALUE where an operator may stand, and its expressions."""
    if field[0] in FAMILY_OF and field[1:] in (["saddr"], ["daddr"]):
        shown, match = _address(FAMILY_OF[field[0]], field[1] == "saddr", operator, value)
        return f"{' '.join(field)} VALUE {shown}", match
    if field in (["iifname"], ["meta", "iifname"]):
        shown, match = _interface(operator, value)
        return f"iifname VALUE {shown}", match
    if field in (["mark"], ["meta", "mark"]):
        mark = _number(value, 2**32 - 1)
        return f"meta mark VALUE 0x{mark:08x}", meta(MARK) + compare(pack("=I", mark), operator)
    if field[0] in ("tcp", "udp", "sctp", "th") and field[1:] in (["sport"], ["dport"]):
        protocol = b"" if field[0] == "th" else meta(L4PROTO) + compare(bytes([PROTOCOLS[field[0]]]))
        shown, match = _ports(operator, value)
        return f"{' '.join(field)} VALUE {shown}", protocol + payload(
            TRANSPORT_HEADER, PORT_FIELDS[field[1]], 2
        ) + match
    raise ValueError(
        f"want ip|ip6 saddr|daddr, iifname, tcp|udp|sctp|th sport|dport or mark, found {' '.join(field)!r}"
    )


def _interface(operator: int, value: str) -> tuple[str, bytes]:
    """A name, or what names begin with and an asterisk."""
    name = value.strip('"')
    packed = name.encode()
    if not 0 < len(packed) < 16 or packed == b"*":
        raise ValueError(f"want the name of an interface, found {value!r}")
    return f'"{name}"', meta(IIFNAME) + compare(
        packed[:-1] if name.endswith("*") else packed.ljust(16, b"\0"), operator
    )


def _address(family: Family, source: bool, operator: int, value: str) -> tuple[str, bytes]:
    low, dash, high = value.partition("-")
    first = (
        address.network(address.parse_cidr(value))
        if "/" in value
        else address.host_prefix(address.parse(low))
    )
    last = address.parse(high) if dash else first.address
    if not first.family is address.family(last) is family:
        raise ValueError(f"want an {'IPv4' if family is V4 else 'IPv6'} address, found {value!r}")
    if last == first.address:
        return network_text(first, source).split()[-1], in_network(first, source, operator)
    if last < first.address:
        raise ValueError(f"want a range of addresses, the smaller first, found {value!r}")
    shown = f"{address.text(first.address)}-{address.text(last)}"
    return shown, of_family(family) + address_field(family, source) + between(first.address, last, operator)


def _ports(operator: int, value: str) -> tuple[str, bytes]:
    low, dash, high = value.partition("-")
    first = _number(low, 65535)
    last = _number(high, 65535) if dash else first
    if last < first:
        raise ValueError(f"want a range of ports, the smaller first, found {value!r}")
    if last == first:
        return f"{first}", compare(first.to_bytes(2, "big"), operator)
    return f"{first}-{last}", between(first.to_bytes(2, "big"), last.to_bytes(2, "big"), operator)


def _number(value: str, largest: int) -> int:
    try:
        number = int(value, 16 if value[:2] == "0x" else 10) if value.isascii() and value.isalnum() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= largest:
        raise ValueError(f"want a number up to {largest}, found {value!r}")
    return number
