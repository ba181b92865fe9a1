"""Records in a person's words: what CHECK misses, and what the kernel refused.

Loaded where something is wrong. Pure.
"""

from __future__ import annotations

from core import address
from core.address import Cidr, mac_text
from core.record import Record, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUBJECTS = ("ifname", "name", "link", "map", "key", "place")  # the first of these that a record has names it
NOT_COMPARED = ("place", "data", "key", "about")  # what a person does not compare
NOT_TOLD = ("about",)  # of an nft element, whose text says it
USUAL = ("place", "parent_place")  # not told where they are what they are for all records of the kind
EMPTY: tuple[object, ...] = (None, False, 0, b"", "", ())
MAC_BYTES = 6


def describe(value: object) -> str:
    """A record with its fields: addresses as text, defaults left out."""
    items = [(name, getattr(value, name)) for name in fields(value) if name not in NOT_TOLD]
    told = [(name, item) for name, item in items if item not in EMPTY and not _is_usual(value, name, item)]
    return f"{type(value).__name__}({', '.join([_shown(name, item) for name, item in told])})"


def _is_usual(value: object, name: str, item: object) -> bool:
    return name in USUAL and getattr(type(value), name, None) == item


def _shown(name: str, item: object) -> str:
    if item is True:
        return name
    if isinstance(item, bytes):
        return f"{name} {_text(item, is_mac=name == 'mac')}"
    if isinstance(item, tuple):
        return f"{name} {'; '.join([_brief(each) for each in item])}"
    if isinstance(item, Record) and not isinstance(item, Cidr):
        return describe(item)
    return f"{name} {item}" if isinstance(item, (int, Cidr)) else f"{item}"


def _brief(item: object) -> str:
    """A member of a list: a rule by its text, a map or chain by its name, a VLAN by its number."""
    if isinstance(item, tuple):
        return " ".join([_brief(each) for each in item])
    return str(getattr(item, "text", "") or getattr(item, "name", "") or item)


def missing(record: Any) -> str:
    """What it means that the kernel has nothing of *record*: `eth0 is gone`."""
    published = getattr(getattr(record, "about", None), "published", "")
    if published:
        return f"{published} is not published any more"
    return _plain(record.absent.format_map(Shown(record)))


def changed(record: Any, found: Any) -> str:
    """How what the kernel has differs from *record*: `eth0: mtu is 1400, not 1500`."""
    if record.altered:
        return str(record.altered.format_map(Shown(record)))
    if hasattr(record, "about"):
        held = "" if found.owner == record.owner else f" and belongs to {found.owner or 'nobody'}"
        return f"{getattr(record.about, 'published', record.text)} leads elsewhere{held}"
    differing = [(name, getattr(record, name), getattr(found, name)) for name in fields(record)]
    told = [
        _compared(name, want, has)
        for name, want, has in differing
        if want != has and name not in NOT_COMPARED
    ]
    if hasattr(record, "value"):
        return f"{subject(record)} is {found.value}, not {record.value}"
    inner = [(getattr(record, "data", None), getattr(found, "data", None))]
    for want, has in [pair for pair in inner if isinstance(pair[0], Record) and pair[0] != pair[1]]:
        told += [
            _compared(name, getattr(want, name), getattr(has, name))
            for name in fields(want)
            if getattr(want, name) != getattr(has, name, None)
        ]
    return f"{subject(record)}: {', '.join(told) or 'changed'}"


class Shown:
    """The attributes of a record by name, as text."""

    def __init__(self, record: object) -> None:
        self.record = record

    def __getitem__(self, name: str) -> str:
        return _text(getattr(self.record, name))


def names(record: Any) -> set[object]:
    """Every name in a record, of interfaces, maps, chains, tables."""
    values = [getattr(record, name) for name in fields(record)]
    return {part for value in values if isinstance(value, str) for part in (value, *value.split("/"))}


def borne(record: Any) -> set[object]:
    """The names that are gone when the record is."""
    return {getattr(record, name) for name in record.bears}


def subject(record: Any) -> str:
    """What a record is about: an interface, a bridge, a chain, a setting."""
    return str(
        getattr(record, next((name for name in SUBJECTS if hasattr(record, name)), ""), type(record).__name__)
    )


def _compared(name: str, want: object, found: object) -> str:
    shown = name.replace("_", " ")
    if isinstance(want, bool):
        return f"not {shown}" if want else f"{shown}, which it should not be"
    return f"other {shown}" if isinstance(want, tuple) else f"{shown} is {_text(found)}, not {_text(want)}"


def _text(value: object, is_mac: bool = False) -> str:
    if isinstance(value, bytes) and not is_mac and len(value) in (address.V4.size, address.V6.size):
        return address.text(value)
    if isinstance(value, bytes):
        return mac_text(value) if is_mac or len(value) == MAC_BYTES else value.hex()
    if isinstance(value, Cidr) and not value.prefix_len:
        return "everywhere"
    return str(value)


def _plain(told: str) -> str:
    """Without what an empty field leaves open; the way to everywhere is the default route."""
    return told.replace("route to everywhere", "default route").removesuffix(" via ")
