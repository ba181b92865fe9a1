"""What stands on links: the host's end of a pair, queue disciplines, the filters of an ingress hook."""

from __future__ import annotations

from errno import EINVAL

from core.kernel.state import ABSENT
from core.netlink import link as codec
from core.netlink import tc
from core.plan.records import CONTAINER, HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.kernel.state import State

NOTHING = (*ABSENT, EINVAL)  # EINVAL: of a link without such a class


def host_end(kernel: State, ifname: str) -> codec.Link | None:
    """The host's end of the veth pair whose other end is the container's *ifname*. Raises OSError."""
    inside = kernel.link(CONTAINER, ifname)
    if inside is None or inside.kind != "veth" or not inside.peer:
        return None
    (replies,) = kernel.at(HOST).ask_each((codec.get_link_at(inside.peer),), ABSENT)
    end = codec.read_link(replies[0][1]) if replies else None
    return end if end and end.kind == "veth" and end.peer == inside.index else None


def standing(kernel: State, *places: tuple[int, int]) -> list[tc.Qdisc | None]:
    """The queue discipline at each (index of a link, parent), None for none and for the kernel's own.

    Raises OSError.
    """
    outcome = kernel.at(HOST).exchange(tuple([tc.get_qdisc(*place) for place in places]))
    found: list[tc.Qdisc | None] = []
    for replies, failure in outcome:
        if failure and failure.errno not in NOTHING:
            raise failure
        qdisc = tc.read_qdisc(replies[0][1]) if replies else None
        found.append(qdisc if qdisc and qdisc.handle else None)
    return found


def is_bucket(root: tc.Qdisc | None) -> bool:
    """Whether a root is a token bucket with the handle that ours and the reference's have."""
    return root is not None and (root.kind, root.handle) == ("tbf", tc.ROOT_HANDLE)


def filters(kernel: State, index: int) -> list[tc.Filter]:
    """The filters of a link's ingress hook, without the tables that they stand in. Raises OSError."""
    (replies,) = kernel.at(HOST).ask_each((tc.list_filters(index),), NOTHING)
    found = [tc.read_filter(payload) for _, payload in replies]
    return [each for each in found if (each.handle & 0xFFF if each.kind == "u32" else each.handle)]
