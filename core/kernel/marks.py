"""What of limited links bears a mark of ours, taken away by DEL, GC and rollback.

A token bucket is known by the handle of the queue below it, a hook by the ifb that its filter leads to, an
ifb by its alias. What bears no mark of ours stays.
"""

from __future__ import annotations

from core.attachment import host_ifnames, network_prefix, newborn_group
from core.kernel import links
from core.kernel.queueing import NOTHING, filters, host_end, is_bucket, standing
from core.netlink import link as codec
from core.netlink import tc
from core.plan.records import HOST
from core.plan.shaping import Ifb, IngressHook, TokenBucket, queue_handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State
    from core.netlink.message import Message


def delete(kernel: State, batch: tuple[Any, ...]) -> list[str]:
    """Take records away; absent is success. Returns the names of links that had them.

    Raises the first OSError when all have been tried.
    """
    gone, failures = list[str](), list[OSError]()
    for want in batch:
        try:
            gone += DELETE[type(want)](kernel, want)
        except OSError as error:
            error.record = want  # type: ignore[attr-defined]
            failures.append(error)
    for failure in failures[:1]:
        raise failure
    return gone


def _links_of(kernel: State, owner: str) -> list[codec.Link]:
    """The host's ends of an owner: by its alias, and by what the container has. Raises OSError."""
    names = host_ifnames(owner)
    kernel.look(HOST, *names)
    found = [kernel.links[HOST, name] for name in names if (HOST, name) in kernel.links]
    mine = {link.index: link for link in found if link.alias == owner}
    end = host_end(kernel, owner.rpartition("/")[2]) if kernel.netns is not None else None
    return [*(mine | ({end.index: end} if end else {})).values()]


def _delete_bucket(kernel: State, want: TokenBucket) -> list[str]:
    there = kernel.link(HOST, want.link) if want.link else None
    gone = []
    for link in ([there] if there else []) if want.link else _links_of(kernel, want.owner):
        root, leaf = standing(kernel, (link.index, tc.TC_H_ROOT), (link.index, tc.CHILD))
        mine = want.link or (leaf and leaf.handle == queue_handle(want.owner))
        if mine and is_bucket(root):
            gone += _taken_away(kernel, link.name, tc.del_qdisc(link.index, tc.ROOT_HANDLE, tc.TC_H_ROOT))
    return gone


def _delete_hook(kernel: State, want: IngressHook) -> list[str]:
    """One by its link, or else every one that leads to the ifb; on the owner's links also a dead end."""
    if want.link:
        link = kernel.link(HOST, want.link)
        there = link and standing(kernel, (link.index, tc.TC_H_INGRESS))[0]
        return _unhooked(kernel, want.link, link.index) if link and there and there.kind == "ingress" else []
    kernel.forget_link(HOST, want.ifb)
    ifb = kernel.link(HOST, want.ifb)
    target = ifb.index if ifb and ifb.kind == "ifb" and _is_of(ifb, want.owner) else 0
    gone = []
    for link in _links_of(kernel, want.owner):
        gone += _unhook(kernel, link.name, link.index, {target, 0})
    if target and not gone:
        for _, payload in kernel.at(HOST).ask(tc.list_qdiscs()):
            qdisc = tc.read_qdisc(payload)
            if qdisc.kind == "ingress":
                gone += _unhook(kernel, want.ifb, qdisc.index, {target})
    return gone


def _unhook(kernel: State, name: str, index: int, targets: set[int]) -> list[str]:
    """Take away what leads from a link to *targets*, the hook included, unless others use it, too."""
    hook = standing(kernel, (index, tc.TC_H_INGRESS))[0]
    present = filters(kernel, index) if hook and hook.kind == "ingress" else []
    mine = [each for each in present if each.targets and targets.issuperset(each.targets)]
    if not mine:
        return []
    if len(mine) == len(present):
        return _unhooked(kernel, name, index)
    return [gone for each in mine for gone in _taken_away(kernel, name, tc.del_filter(each))]


def _unhooked(kernel: State, name: str, index: int) -> list[str]:
    return _taken_away(kernel, name, tc.del_qdisc(index, tc.INGRESS_HANDLE, tc.TC_H_INGRESS))


def _taken_away(kernel: State, name: str, message: Message) -> list[str]:
    """Returns the name if there was something to take away. Raises OSError."""
    try:
        kernel.at(HOST).do(message)
    except OSError as error:
        if error.errno not in NOTHING:
            raise
        return []
    return [name]


def _is_of(ifb: codec.Link, owner: str) -> bool:
    """Whether an ifb is an owner's, or has no mark, as the reference's have none."""
    return links.is_of(ifb, owner) or (not ifb.alias and ifb.group in (0, newborn_group(owner)))


def _delete_ifb(kernel: State, want: Ifb) -> list[str]:
    kernel.forget_link(HOST, want.name)
    found = kernel.link(HOST, want.name)
    if found is None or found.kind != "ifb" or not _is_of(found, want.owner):
        return []
    kernel.forget_link(HOST, want.name)
    return _taken_away(kernel, want.name, codec.del_link(index=found.index))


def owned(kernel: State, kind: type, network: str) -> list[tuple[str, Any]]:
    """(owner, record) of the ifbs of a network, of what leads to them, and of its veths' buckets.

    Raises OSError.
    """
    prefix = network_prefix(network)
    found = [codec.read_link(payload) for _, payload in kernel.at(HOST).ask(codec.list_links())]
    mine = [link for link in found if link.kind and link.alias.startswith(prefix)]
    ifbs = [link for link in mine if link.kind == "ifb"]
    if kind is IngressHook:
        return [(link.alias, IngressHook("", link.alias, link.name)) for link in ifbs]
    if kind is Ifb:
        ifbs += [link for link in found if link.name.startswith("bwp") and links.is_of(link, prefix)]
        return [(link.alias, Ifb(HOST, link.name, "ifb", link.alias or prefix)) for link in ifbs]
    queues = {
        (qdisc.index, qdisc.handle)
        for qdisc in [tc.read_qdisc(payload) for _, payload in kernel.at(HOST).ask(tc.list_qdiscs())]
    }
    limited = [link for link in mine if (link.index, queue_handle(link.alias)) in queues]
    return [(link.alias, TokenBucket("", link.alias)) for link in limited if link.kind == "veth"]


DELETE: dict[type, Any] = {Ifb: _delete_ifb, TokenBucket: _delete_bucket, IngressHook: _delete_hook}
