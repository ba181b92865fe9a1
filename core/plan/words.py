"""Records in a person's words: what CHECK misses, and a port as people write it. Loaded where something is wrong. Pure."""

from __future__ import annotations

from core import address
from core.address import Cidr
from core.nft.names import Element
from core.plan.records import mac_text
from core.record import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUBJECTS = ("ifname", "name", "link", "map", "key", "place")  # the first of these fields that a record has names it
HOME = ("place", "data", "key")  # what a person does not compare


def missing(record: Any) -> str:
    """What it means that the kernel has nothing of *record*: `eth0 is gone`."""
    if isinstance(record, Element) and "hostport" in record.map:
        return f"{port(_key(record))} is not published any more"
    told = str(getattr(record, "absent", "{} is missing"))
    shown = {name: _text(getattr(record, name)) for name in fields(record)}
    return _plain(told.format(type(record).__name__, **shown))


def changed(record: Any, found: Any) -> str:
    """How what the kernel has differs from *record*: `eth0: mtu is 1400, not 1500`."""
    if getattr(record, "altered", ""):
        return str(record.altered).format(**{name: _text(getattr(record, name)) for name in fields(record)})
    differing = [name for name in fields(record) if getattr(record, name) != getattr(found, name) and name not in HOME]
    if isinstance(record, Element):
        held = "" if found.owner == record.owner else f" and belongs to {found.owner or 'nobody'}"
        return f"{port(_key(record)) if 'hostport' in record.map else record.text} leads elsewhere{held}"
    if differing == ["value"]:
        return f"{subject(record)} is {found.value}, not {record.value}"
    return f"{subject(record)}: {', '.join([_compared(name, getattr(record, name), getattr(found, name)) for name in differing]) or 'changed'}"


def names(record: Any) -> set[object]:
    """Every name in a record, of interfaces, maps, chains, tables."""
    values = [getattr(record, name) for name in fields(record)]
    return {part for value in values if isinstance(value, str) for part in (value, *value.split("/"))}


def borne(record: Any) -> set[object]:
    """The names that are gone when the record is."""
    return {getattr(record, name) for name in getattr(record, "bears", ())}


def _key(record: Element) -> str:
    return record.text.partition(" : ")[0]


def subject(record: Any) -> str:
    """What a record is about: an interface, a bridge, a chain, a setting."""
    return str(getattr(record, next((name for name in SUBJECTS if name in fields(record)), ""), type(record).__name__))


def port(text: str) -> str:
    """`8080/tcp` of the element `tcp . 8080`, `10.0.0.1:8080/tcp` of `10.0.0.1 . tcp . 8080`; with its end where it names one."""
    key, _, end = text.partition(" : ")
    *host, protocol, number = key.split(" . ")
    shown = "".join([_bracketed(each) + ":" for each in host]) + f"{number}/{protocol}"
    to, _, inner = end.partition(" . ")
    return f"{shown} to {_bracketed(to)}:{inner}" if inner else shown


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _compared(name: str, want: object, found: object) -> str:
    shown = name.replace("_", " ")
    if isinstance(want, bool):
        return f"not {shown}" if want else f"{shown}, which it should not be"
    return f"other {shown}" if isinstance(want, tuple) else f"{shown} is {_text(found)}, not {_text(want)}"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return address.text(value) if len(value) in (4, 16) else mac_text(value) if len(value) == 6 else value.hex()
    if isinstance(value, Cidr) and not value.prefix_len:
        return "everywhere"
    return str(value)


def _plain(told: str) -> str:
    """Without what an empty field leaves open; the way to everywhere is the default route."""
    return told.replace("route to everywhere", "default route").removesuffix(" via ")
