"""Queue disciplines and filters as rtnetlink messages, and the replies read back.

Nothing is sent here. linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h. Pure.
"""

from __future__ import annotations

from core.netlink.message import (
    CREATE,
    DUMP,
    ECHO,
    EXCL,
    LITTLE,
    Message,
    attribute,
    attribute_list,
    attributes,
    head,
    nest,
    pack,
    string,
    text,
    unpack_from,
    unsigned,
)
from core.record import Record

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
TCA_KIND, TCA_OPTIONS, TCA_DUMP_INVISIBLE = 1, 2, 10
TCA_TBF_PARMS, TCA_TBF_RATE64 = 1, 4
TCA_U32_SEL, TCA_U32_ACT = 5, 7
TCA_ACT_KIND, TCA_ACT_OPTIONS = 1, 2
TCA_MIRRED_PARMS, TCA_EGRESS_REDIR = 2, 1
TC_H_ROOT, TC_H_INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
TC_ACT_STOLEN, TC_U32_TERMINAL = 4, 1
ETH_P_ALL = 0x0300 if LITTLE else 0x0003  # 3, in network byte order
U32_MAX = 0xFFFFFFFF

TCMSG, TCMSG_BYTES = "=BxxxiIII", 20
TC_RATESPEC = "BBHhHI"  # cell_log, linklayer, overhead, cell_align, mpu, rate
TC_TBF_QOPT = f"={TC_RATESPEC}{TC_RATESPEC}III"  # rate, peakrate, limit, buffer, mtu
TC_U32_SEL = "=BBBxHHhhIIIii"  # flags, offshift, nkeys, offmask, off, offoff, hoff, hmask; and one key
TC_MIRRED = "=IIiiiiI"  # index, capab, action, refcnt, bindcnt, eaction, ifindex

ROOT_HANDLE, INGRESS_HANDLE = 0x0001_0000, 0xFFFF_0000  # 1: and ffff:
CHILD = ROOT_HANDLE | 1  # the one class of a token bucket
PRIORITY, FIRST_NODE, FIRST_ACTION = 1, 0x8000_0800, 1  # of the filter; 800::800; of its actions


class Qdisc(Record):
    """A queue discipline; handle 0 for one that the kernel gave the link by itself.

    options: what the kind has, as it came.
    """

    index: int
    handle: int
    parent: int
    kind: str
    options: bytes


class Bucket(Record):
    """The values of a tbf: bytes a second, bytes, and ticks of 64 ns that a full bucket lasts."""

    rate: int
    limit: int
    buffer: int


class Filter(Record):
    """A filter; targets: the indexes of the links that it redirects to, 0 for one that is gone."""

    index: int
    handle: int
    parent: int
    info: int
    kind: str
    targets: tuple[int, ...]


def _tcmsg(index: int, handle: int, parent: int, info: int = 0) -> bytes:
    return pack(TCMSG, 0, index, handle, parent, info)


def _new_qdisc(index: int, handle: int, parent: int, kind: str, options: bytes) -> Message:
    made = _tcmsg(index, handle, parent) + string(TCA_KIND, kind) + options
    return Message(RTM_NEWQDISC, CREATE | EXCL, made)


def new_bucket(index: int, bucket: Bucket) -> Message:
    """tc qdisc add dev DEV root handle 1: tbf rate RATE limit LIMIT burst ...

    The kernel needs no rate table, as it works times out by itself.
    """
    rate = min(bucket.rate, U32_MAX)
    parms = pack(TC_TBF_QOPT, 0, 0, 0, 0, 0, rate, 0, 0, 0, 0, 0, 0, bucket.limit, bucket.buffer, 0)
    wide = attribute(TCA_TBF_RATE64, pack("=Q", bucket.rate)) if bucket.rate > U32_MAX else b""
    options = nest(TCA_OPTIONS, attribute(TCA_TBF_PARMS, parms), wide)
    return _new_qdisc(index, ROOT_HANDLE, TC_H_ROOT, "tbf", options)


def new_flow_queue(index: int, handle: int) -> Message:
    """tc qdisc add dev DEV parent 1:1 handle HANDLE fq_codel"""
    return _new_qdisc(index, handle, CHILD, "fq_codel", b"")


def new_plain_queue(index: int, handle: int, limit: int) -> Message:
    """tc qdisc add dev DEV parent 1:1 handle HANDLE bfifo limit LIMIT"""
    return _new_qdisc(index, handle, CHILD, "bfifo", attribute(TCA_OPTIONS, pack("=I", limit)))


def new_ingress(index: int) -> Message:
    """tc qdisc add dev DEV ingress"""
    return _new_qdisc(index, INGRESS_HANDLE, TC_H_INGRESS, "ingress", b"")


def get_qdisc(index: int, parent: int) -> Message:
    """Ask for the queue discipline at TC_H_ROOT, TC_H_INGRESS, or a class. Without ECHO no kernel replies."""
    return Message(RTM_GETQDISC, ECHO, _tcmsg(index, 0, parent))


def list_qdiscs(invisible: bool = False) -> Message:
    """Ask for the queue disciplines of all links.

    invisible: those included that the kernel gave a class by itself.
    """
    all_of_them = attribute(TCA_DUMP_INVISIBLE, b"") if invisible else b""
    return Message(RTM_GETQDISC, DUMP, _tcmsg(0, 0, 0) + all_of_them)


def del_qdisc(index: int, handle: int, parent: int) -> Message:
    return Message(RTM_DELQDISC, 0, _tcmsg(index, handle, parent))


def read_qdisc(payload: bytes) -> Qdisc:
    """Decode the payload of an RTM_NEWQDISC message. Raises ValueError."""
    _, index, handle, parent, _ = head(TCMSG, payload)
    found = attributes(payload, TCMSG_BYTES)
    return Qdisc(index, handle, parent, text(found.get(TCA_KIND, b"")), found.get(TCA_OPTIONS, b""))


def read_bucket(qdisc: Qdisc) -> Bucket:
    """The values of a tbf. Raises ValueError."""
    found = attributes(qdisc.options)
    values = head(TC_TBF_QOPT, found.get(TCA_TBF_PARMS, b""))
    rate, limit, buffer = values[5], values[12], values[13]
    return Bucket(unsigned(found.get(TCA_TBF_RATE64, b"")) or rate, limit, buffer)


def new_redirect(index: int, target: int) -> Message:
    """tc filter add dev DEV parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect

    dev TARGET. The node has the number that the kernel would give it, so that a second one is EEXIST.
    """
    match_all = pack(TC_U32_SEL, TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    parms = pack(TC_MIRRED, 0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, target)
    action = string(TCA_ACT_KIND, "mirred") + nest(TCA_ACT_OPTIONS, attribute(TCA_MIRRED_PARMS, parms))
    options = nest(
        TCA_OPTIONS, nest(TCA_U32_ACT, nest(FIRST_ACTION, action)), attribute(TCA_U32_SEL, match_all)
    )
    made = _tcmsg(index, FIRST_NODE, INGRESS_HANDLE, PRIORITY << 16 | ETH_P_ALL) + string(TCA_KIND, "u32")
    return Message(RTM_NEWTFILTER, CREATE | EXCL, made + options)


def list_filters(index: int) -> Message:
    """Ask for the filters of a link's ingress queue discipline."""
    return Message(RTM_GETTFILTER, DUMP, _tcmsg(index, 0, INGRESS_HANDLE))


def del_filter(found: Filter) -> Message:
    made = _tcmsg(found.index, found.handle, found.parent, found.info) + string(TCA_KIND, found.kind)
    return Message(RTM_DELTFILTER, 0, made)


def read_filter(payload: bytes) -> Filter:
    """Decode the payload of an RTM_NEWTFILTER message. Raises ValueError."""
    _, index, handle, parent, info = head(TCMSG, payload)
    found = attributes(payload, TCMSG_BYTES)
    kind = text(found.get(TCA_KIND, b""))
    actions = attributes(found.get(TCA_OPTIONS, b"")).get(TCA_U32_ACT, b"") if kind == "u32" else b""
    targets = [_target(attributes(action)) for _, action in attribute_list(actions)]
    return Filter(index, handle, parent, info, kind, tuple([each for each in targets if each is not None]))


def _target(action: dict[int, bytes]) -> int | None:
    """The index of the link that an action redirects to; None where it is no redirection."""
    parms = attributes(action.get(TCA_ACT_OPTIONS, b"")).get(TCA_MIRRED_PARMS, b"")
    if text(action.get(TCA_ACT_KIND, b"")) != "mirred" or len(parms) < 28:
        return None
    *_, how, target = unpack_from(TC_MIRRED, parms)
    return int(target) if how == TCA_EGRESS_REDIR else None
