"""The fields that conditions name: which values they have, how nft prints them, their expressions. Pure."""

from __future__ import annotations

from core import address
from core.address import FAMILIES, V4
from core.netlink.message import pack
from core.nft.expression import (
    EQ,
    GT,
    GTE,
    IIFNAME,
    L4PROTO,
    LT,
    LTE,
    MARK,
    NEQ,
    NFT_CT_MARK,
    NFT_CT_STATE,
    NFTA_FIB_F_DADDR,
    NFTA_FIB_F_SADDR,
    TRANSPORT_HEADER,
    address_field,
    address_type,
    between,
    bitwise,
    compare,
    conntrack,
    in_network,
    meta,
    network_text,
    of_family,
    payload,
    to_network_order,
)
from core.nft.names import PROTOCOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family

OPERATORS = {"": EQ, "==": EQ, "!=": NEQ, "<": LT, "<=": LTE, ">": GT, ">=": GTE}
EQUALITY = ("", "==", "!=")
FAMILY_OF = {each.word: each for each in FAMILIES}
SIDES = {"saddr": (True, NFTA_FIB_F_SADDR), "daddr": (False, NFTA_FIB_F_DADDR)}
PORT_FIELDS = {"sport": 0, "dport": 2}  # in the transport header
MARKS = {"meta mark": meta(MARK), "ct mark": conntrack(NFT_CT_MARK)}
STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}  # of nft's ct state
# linux/rtnetlink.h, RTN_*
TYPES = {"unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5}
TYPES |= {"blackhole": 6, "unreachable": 7, "prohibit": 8}


def match(name: str, operator: str, value: str, mask: int) -> tuple[str, bytes]:
    """One value of the field *name*, as nft prints it, and the expressions of the match.

    operator: a key of OPERATORS; "" where none is written, which for a state means one of several.
    mask: 0 for none.
    Raises ValueError.
    """
    first, last = name.partition(" ")[0], name.rpartition(" ")[2]
    if name in MARKS:
        return _mark(MARKS[name], operator, value, mask)
    if last in PORT_FIELDS:
        return _port(first, PORT_FIELDS[last], operator, value)
    if first in FAMILY_OF:
        return _address(FAMILY_OF[first], SIDES[last][0], operator, value)
    if operator not in EQUALITY:
        raise ValueError(f"want == or != behind {name}, found {operator!r}")
    if name == "ct state":
        return _state(operator, value)
    if first == "fib":
        return _type(SIDES[name.split()[1]][1], operator, value)
    return _interface(operator, value)


def _mark(load: bytes, operator: str, value: str, mask: int) -> tuple[str, bytes]:
    """A mark is a number of the machine's order, so it is turned before it is compared by size."""
    low, high = _bounds(value, 2**32 - 1, "marks")
    if mask:
        load += bitwise(4, pack("=I", mask))
    if mask and (high & ~mask or low != high):
        raise ValueError(f"want a number within the mask 0x{mask:08x}, found {value!r}")
    shown = f"0x{low:08x}" if low == high else f"0x{low:08x}-0x{high:08x}"
    if low == high and operator in EQUALITY:
        return shown, load + compare(pack("=I", low), OPERATORS[operator])
    return shown, load + to_network_order(4) + _sized(low, high, 4, operator)


def _port(protocol: str, offset: int, operator: str, value: str) -> tuple[str, bytes]:
    of = b"" if protocol == "th" else meta(L4PROTO) + compare(bytes([PROTOCOLS[protocol]]))
    low, high = _bounds(value, 65535, "ports")
    shown = f"{low}" if low == high else f"{low}-{high}"
    return shown, of + payload(TRANSPORT_HEADER, offset, 2) + _sized(low, high, 2, operator)


def _sized(low: int, high: int, size: int, operator: str) -> bytes:
    first, last = low.to_bytes(size, "big"), high.to_bytes(size, "big")
    if first == last:
        return compare(first, OPERATORS[operator])
    _check_range(operator, f"{low}-{high}")
    return between(first, last, OPERATORS[operator])


def _check_range(operator: str, value: str) -> None:
    if operator not in EQUALITY:
        raise ValueError(f"want a single value behind {operator}, found {value!r}")


def _bounds(value: str, largest: int, what: str) -> tuple[int, int]:
    low, dash, high = value.partition("-")
    first = number(low, largest)
    last = number(high, largest) if dash else first
    if last < first:
        raise ValueError(f"want a range of {what}, the smaller first, found {value!r}")
    return first, last


def number(value: str, largest: int) -> int:
    """A number, in hexadecimal behind 0x. Raises ValueError."""
    try:
        found = int(value, 16 if value[:2] == "0x" else 10) if value.isascii() and value.isalnum() else -1
    except ValueError:
        found = -1
    if not 0 <= found <= largest:
        raise ValueError(f"want a number up to {largest}, found {value!r}")
    return found


def _address(family: Family, source: bool, operator: str, value: str) -> tuple[str, bytes]:
    low, dash, high = value.partition("-")
    first = (
        address.network(address.parse_cidr(value))
        if "/" in value
        else address.host_prefix(address.parse(low))
    )
    last = address.parse(high) if dash else first.address
    if not first.family is address.family(last) is family:
        raise ValueError(f"want an {'IPv4' if family is V4 else 'IPv6'} address, found {value!r}")
    if last < first.address:
        raise ValueError(f"want a range of addresses, the smaller first, found {value!r}")
    if dash or first.prefix_len < family.size * 8:
        _check_range(operator, value)
    if last == first.address and operator in EQUALITY:
        return network_text(first, source).split()[-1], in_network(first, source, OPERATORS[operator])
    field = of_family(family) + address_field(family, source)
    if last == first.address:
        return address.text(last), field + compare(last, OPERATORS[operator])
    shown = f"{address.text(first.address)}-{address.text(last)}"
    return shown, field + between(first.address, last, OPERATORS[operator])


def _interface(operator: str, value: str) -> tuple[str, bytes]:
    """A name, or what names begin with and an asterisk."""
    name = value.strip('"')
    packed = name.encode()
    if not 0 < len(packed) < 16 or packed == b"*":
        raise ValueError(f"want the name of an interface, found {value!r}")
    return f'"{name}"', meta(IIFNAME) + compare(
        packed[:-1] if name.endswith("*") else packed.ljust(16, b"\0"), OPERATORS[operator]
    )


def _state(operator: str, value: str) -> tuple[str, bytes]:
    """States without an operator are any of several; behind one it is a single state."""
    names = value.split(",") if not operator else [value]
    bits = sum([STATES[name] for name in dict.fromkeys([_known(name, STATES, "a state") for name in names])])
    load = conntrack(NFT_CT_STATE)
    if operator:
        return value, load + compare(pack("=I", bits), OPERATORS[operator])
    shown = ",".join([name for name, bit in STATES.items() if bits & bit])
    return shown, load + bitwise(4, pack("=I", bits)) + compare(bytes(4), NEQ)


def _type(side: int, operator: str, value: str) -> tuple[str, bytes]:
    kind = TYPES[_known(value, TYPES, "a type of address")]
    return value, address_type(side) + compare(pack("=I", kind), OPERATORS[operator])


def _known(value: str, names: dict[str, int], what: str) -> str:
    if value not in names:
        raise ValueError(f"want {what}, one of {', '.join(names)}, found {value!r}")
    return value
