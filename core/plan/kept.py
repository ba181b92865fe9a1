"""What was there before an attachment changed it, as the document that DEL reads.

The form is that of the reference's tuning plugin, an object with those of mac, promisc, mtu, allmulti and
txQLen that are to be changed, and three keys of ours, over which the reference passes:

    sysctl    path below /proc/sys -> {"before": what was there, "after": what was written}
    owner     network/containerID/ifname
    netns     the namespace's cookie, a number that no other has until the next boot; 0 where it has none

Pure.
"""

from __future__ import annotations

from core.address import mac_parse, mac_text
from core.cni import json
from core.errors import INVALID_CONFIG, CNIError
from core.plan.changed import LinkSettings, TunedSysctl
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SYSCTL, OWNER, NETNS = "sysctl", "owner", "netns"
BEFORE, AFTER = "before", "after"
LOST = "what it has kept is lost; remove it"


class Damaged(CNIError):
    """A document that cannot be understood."""


class Kept(Record):
    """What a document says. owner: "" in one of the reference's; netns: 0 in one of the reference's.

    link: fields of LinkSettings and their values; sysctls: key -> (before, after).
    """

    link: dict[str, Any]
    sysctls: dict[str, tuple[str, str]]
    owner: str
    netns: int


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object, bits: int = 32) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits


def _is_mac(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(mac_parse(value))
    except ValueError:
        return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_sysctls(value: object) -> bool:
    return isinstance(value, dict) and all([_is_sysctl(key, item) for key, item in value.items()])


def _is_sysctl(key: str, item: object) -> bool:
    named = key.startswith("net/") and "\0" not in key and ".." not in key.split("/")
    return named and isinstance(item, dict) and all([_is_text(item.get(when)) for when in (BEFORE, AFTER)])


FIELDS = {  # key of the document -> field of LinkSettings
    "mac": "mac",
    "promisc": "promiscuous",
    "mtu": "mtu",
    "allmulti": "all_multicast",
    "txQLen": "tx_queue_len",
}
UNASKED = {"mtu": 0}
RIGHT: dict[str, Callable[[Any], bool]] = {  # by key, what a value has to be
    "mac": _is_mac,
    "promisc": _is_switch,
    "mtu": _is_number,
    "allmulti": _is_switch,
    "txQLen": _is_number,
    SYSCTL: _are_sysctls,
    OWNER: _is_text,
    NETNS: lambda value: _is_number(value, bits=64),
}


def parse(data: bytes, name: str) -> Kept:
    """What the document called *name* says. Raises Damaged naming what is wrong in it."""
    try:
        told = json.parse_object(data, name)
    except CNIError as error:
        raise Damaged(error.code, error.msg, LOST) from None
    told = {key: value for key, value in told.items() if key in RIGHT and value is not None}
    for key, value in told.items():
        if not RIGHT[key](value):
            raise Damaged(INVALID_CONFIG, f"{name}: {key}: found {json.render(value)[:80]}", LOST)
    link = {field: told[key] for key, field in FIELDS.items() if key in told}
    if "mac" in link:
        link["mac"] = mac_parse(link["mac"])
    sysctls = {key: (item[BEFORE], item[AFTER]) for key, item in told.get(SYSCTL, {}).items()}
    return Kept(link, sysctls, told.get(OWNER, ""), told.get(NETNS, 0))


def render(kept: Kept) -> bytes:
    """The document that says it."""
    told = {key: kept.link[field] for key, field in FIELDS.items() if field in kept.link}
    if "mac" in told:
        told["mac"] = mac_text(told["mac"])
    sysctls = {key: {BEFORE: before, AFTER: after} for key, (before, after) in kept.sysctls.items()}
    told |= {SYSCTL: sysctls} if sysctls else {}
    told |= {OWNER: kept.owner} | ({NETNS: kept.netns} if kept.netns else {})
    return json.render(told).encode()


def of(before: list[Any], owner: str, netns: int, earlier: Kept | None) -> Kept:
    """What apply has found (core.plan.changed.Before), but for what an *earlier* ADD has found already."""
    made = Kept({}, {}, owner, netns)
    for each in [each for each in before if each.found is not None]:
        KEEPERS[type(each.record)](made, each)
    if earlier:
        made.link.update(earlier.link)
        for key, (first, after) in earlier.sysctls.items():
            made.sysctls[key] = first, made.sysctls.get(key, ("", after))[1]
    return made


def _keep_link(made: Kept, each: Any) -> None:
    """The settings that are going to be written; a link without a MAC (lo) cannot be given none again."""
    values = {field: getattr(each.found, field) for field in FIELDS.values()}
    for field, value in values.items():
        if value is not None and (any(value) if field == "mac" else value != UNASKED.get(field)):
            made.link[field] = value


def _keep_sysctl(made: Kept, each: Any) -> None:
    made.sysctls[each.record.key] = each.found.value, each.record.value


KEEPERS: dict[type, Callable[[Kept, Any], None]] = {LinkSettings: _keep_link, TunedSysctl: _keep_sysctl}
