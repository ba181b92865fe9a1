"""The nft match words of portmap's conditionsV4 and conditionsV6, compiled without the nft program.

    ip saddr|daddr, ip6 saddr|daddr   [==|!=]   ADDRESS, ADDRESS/PREFIX or ADDRESS-ADDRESS
    iifname, meta iifname             [==|!=]   NAME or "NAME"
    tcp|udp|sctp|th sport|dport       [==|!=]   PORT or PORT-PORT
    meta mark, mark                   [==|!=]   NUMBER

Several matches may follow one another; all have to hold. Pure.
"""

from __future__ import annotations

from core import address
from core.expression import (
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
    of_family,
    payload,
)
from core.netlink import pack
from core.ruleset import PROTOCOLS

OPERATORS = {"==": EQ, "!=": NEQ}
SIZES = {"ip": 4, "ip6": 16}
PORT_FIELDS = {"sport": 0, "dport": 2}


def compile_words(words: list[str]) -> Rule:
    """The matches of *words* as one Rule without a verdict. Raises ValueError naming the word that is not understood."""
    tokens = " ".join(words).split()
    expressions, position = b"", 0
    while position < len(tokens):
        compiled, position = _match(tokens, position)
        expressions += compiled
    return Rule(" ".join([token for token in tokens if token != "=="]), expressions)


def _match(tokens: list[str], start: int) -> tuple[bytes, int]:
    """One match: its expressions, and where the next begins."""
    field = tokens[start : start + (1 if tokens[start] in ("iifname", "mark") else 2)]
    position = start + len(field)
    operator = EQ
    if tokens[position : position + 1] and tokens[position] in OPERATORS:
        operator = OPERATORS[tokens[position]]
        position += 1
    if position >= len(tokens):
        raise ValueError(f"want a value behind {' '.join(tokens[start:])!r}")
    return _compiled(field, operator, tokens[position]), position + 1


def _compiled(field: list[str], operator: int, value: str) -> bytes:
    if field[0] in SIZES and field[1:] in (["saddr"], ["daddr"]):
        return _address(SIZES[field[0]], field[1] == "saddr", operator, value)
    if field[-1] == "iifname" and field[0] in ("meta", "iifname"):
        name = value.strip('"').encode()
        if not 0 < len(name) < 16:
            raise ValueError(f"want the name of an interface, found {value!r}")
        return meta(IIFNAME) + compare(name.ljust(16, b"\0"), operator)
    if field[-1] == "mark" and field[0] in ("meta", "mark"):
        return meta(MARK) + compare(pack("=I", _number(value, 2**32 - 1)), operator)
    if len(field) == 2 and field[0] in ("tcp", "udp", "sctp", "th") and field[1] in PORT_FIELDS:
        protocol = b"" if field[0] == "th" else meta(L4PROTO) + compare(bytes([PROTOCOLS[field[0]]]))
        return protocol + payload(TRANSPORT_HEADER, PORT_FIELDS[field[1]], 2) + _ports(operator, value)
    raise ValueError(f"want ip|ip6 saddr|daddr, iifname, tcp|udp|sctp|th sport|dport or mark, found {' '.join(field)!r}")


def _address(size: int, source: bool, operator: int, value: str) -> bytes:
    low, dash, high = value.partition("-")
    if dash:
        first, last = address.parse(low), address.parse(high)
        if not len(first) == len(last) == size or first > last:
            raise ValueError(f"want a range of addresses, found {value!r}")
        return of_family(size) + address_field(size, source) + between(first, last, operator)
    net = address.parse_cidr(value) if "/" in value else address.host_prefix(address.parse(value))
    if len(net.address) != size:
        raise ValueError(f"want an {'IPv4' if size == 4 else 'IPv6'} address, found {value!r}")
    return in_network(address.network(net), source, operator)


def _ports(operator: int, value: str) -> bytes:
    low, dash, high = value.partition("-")
    first = _number(low, 65535).to_bytes(2, "big")
    return between(first, _number(high, 65535).to_bytes(2, "big"), operator) if dash else compare(first, operator)


def _number(value: str, largest: int) -> int:
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= largest:
        raise ValueError(f"want a number up to {largest}, found {value!r}")
    return number
