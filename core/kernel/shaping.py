"""Limited links as a kernel's records: token buckets, queues, ingress hooks, redirections, ifbs.

Law: a queue discipline that somebody else put on a link is neither replaced nor added to.
"""

from __future__ import annotations

from errno import EEXIST, ENOENT, EOPNOTSUPP

from core.kernel import links
from core.kernel.queueing import filters, is_bucket, standing
from core.netlink import tc
from core.netlink.message import unsigned
from core.plan.records import HOST, Link
from core.plan.shaping import Ifb, IngressHook, Queue, Redirect, TokenBucket, queue_handle
from core.record import replace
from core.system import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State
    from core.netlink.message import Message

UNKNOWN_KIND = (ENOENT, EOPNOTSUPP)  # of a queue discipline, filter or action; of a link
WAYS = {
    TokenBucket: (tc.TC_H_ROOT, "root", "what the container takes in"),
    IngressHook: (tc.TC_H_INGRESS, "ingress", "what the container sends"),
}


def _at(kernel: State, want: Any, parent: int) -> tc.Qdisc | None:
    link = kernel.link(want.place, want.link)
    return standing(kernel, (link.index, parent))[0] if link else None


def _find_bucket(kernel: State, want: TokenBucket) -> TokenBucket | None:
    root = _at(kernel, want, tc.TC_H_ROOT)
    if root is None or not is_bucket(root):
        return None
    seen = tc.read_bucket(root)
    buffer = want.buffer if want.buffer == tc.U32_MAX else seen.buffer  # the reference's value overflows
    return replace(want, rate=seen.rate, limit=seen.limit, buffer=buffer)


def _find_queue(kernel: State, want: Queue) -> Queue | None:
    found = _at(kernel, want, tc.CHILD) if want.handle else _kernels_own(kernel, want)
    if found is None:
        return None
    limit = unsigned(found.options[:4]) if found.kind == "bfifo" and want.handle else want.limit
    return replace(want, handle=found.handle, limit=limit)


def _kernels_own(kernel: State, want: Queue) -> tc.Qdisc | None:
    """The queue that the kernel made with a token bucket."""
    link = kernel.link(want.place, want.link)
    replies = kernel.at(HOST).ask(tc.list_qdiscs(invisible=True)) if link else []
    found = [tc.read_qdisc(payload) for _, payload in replies]
    own = [each for each in found if link and (each.index, each.parent) == (link.index, tc.CHILD)]
    return own[0] if own and not own[0].handle else None


def _find_hook(kernel: State, want: IngressHook) -> IngressHook | None:
    found = _at(kernel, want, tc.TC_H_INGRESS)
    return want if found and found.kind == "ingress" else None


def _find_redirect(kernel: State, want: Redirect) -> Redirect | None:
    link, ifb = kernel.link(want.place, want.link), kernel.link(want.place, want.ifb)
    if link is None or ifb is None:
        return None
    return want if any([ifb.index in each.targets for each in filters(kernel, link.index)]) else None


def _create(kernel: State, *batch: Any) -> None:
    """Send all of it together; the first refusal is raised.

    Of the two messages for a queue the second is refused where the first is not.
    """
    _refuse_where_taken(kernel, batch)
    made_by = [MESSAGES[type(want)](kernel, kernel.need(HOST, want.link).index, want) for want in batch]
    outcome = kernel.at(HOST).exchange(tuple([message for messages in made_by for message in messages]))
    failures = iter([failure for _, failure in outcome])
    refused: list[tuple[Any, Any]] = []
    for want, messages in zip(batch, made_by):
        first, *others = [next(failures) for _ in messages]
        if first and others and first.errno in UNKNOWN_KIND:
            lacks = "this kernel has no fq_codel (CONFIG_NET_SCH_FQ_CODEL)"
            kernel.notes.append(f"{lacks}: what has to wait waits in one row")
        if first and all(others):
            refused.append((want, [first, *others][-1]))
    for want, failure in refused[:1]:
        failure.record = want
        failure.made = [each for each in batch if each not in [other for other, _ in refused]]
        raise _explained(failure, want)


def _bucket(_kernel: State, index: int, want: TokenBucket) -> tuple[Message, ...]:
    return (tc.new_bucket(index, tc.Bucket(want.rate, want.limit, want.buffer)),)


def _queue(_kernel: State, index: int, want: Queue) -> tuple[Message, ...]:
    plain = tc.new_plain_queue(index, want.handle, want.limit)
    return tc.new_flow_queue(index, want.handle), plain


def _hook(_kernel: State, index: int, _want: IngressHook) -> tuple[Message, ...]:
    return (tc.new_ingress(index),)


def _redirect(kernel: State, index: int, want: Redirect) -> tuple[Message, ...]:
    return (tc.new_redirect(index, kernel.need(HOST, want.ifb).index),)


def _explained(failure: OSError, want: Any) -> OSError:
    if failure.errno in UNKNOWN_KIND:
        failure.strerror = f"{failure.strerror}: this kernel has no {want.needs}"
    return failure


def _refuse_where_taken(kernel: State, batch: tuple[Any, ...]) -> None:
    """Raises FileExistsError where a queue discipline stands already that a record of the batch has to be.

    The kernel would refuse that record by itself, but not the others, which stand on it.
    """
    asked = [want for want in batch if type(want) in WAYS]
    places = [(kernel.need(HOST, want.link).index, WAYS[type(want)][0]) for want in asked]
    for want, found in zip(asked, standing(kernel, *places) if places else ()):
        if found:
            told = f"{want.link} {_in_the_way(kernel, want, found)}"
            refusal = FileExistsError(EEXIST, f"{strerror(EEXIST)}: {told}")
            refusal.record = want  # type: ignore[attr-defined]
            raise refusal


def _in_the_way(kernel: State, want: Any, found: tc.Qdisc) -> str:
    """Whose queue discipline it is, and what to do about it."""
    leaf = standing(kernel, (found.index, tc.CHILD))[0] if is_bucket(found) else None
    if leaf and leaf.handle == queue_handle(want.owner):
        return f"is limited for {want.owner} already; call DEL first"
    _, where, traffic = WAYS[type(want)]
    theirs = f"has the queue discipline {found.kind} {found.handle >> 16:x}: of somebody else at its {where}"
    named = where if found.parent == tc.TC_H_ROOT else found.kind
    remedy = f"let them limit {traffic}, or take it away (tc qdisc del dev {want.link} {named})"
    return f"{theirs}, which is left alone; {remedy}"


def _create_ifb(kernel: State, want: Ifb) -> None:
    try:
        links.CREATE[Link](kernel, want)
    except OSError as error:
        there = kernel.link(HOST, want.name) if error.errno == EEXIST else None
        if there:
            error.strerror = f"{error.strerror}, for {there.alias or 'an attachment of another suite'}"
        raise _explained(error, want) from None


def _delete(kernel: State, *batch: Any) -> list[str]:
    from core.kernel import marks  # late: DEL, GC and rollback only

    return marks.delete(kernel, batch)


def owned(kernel: State, kind: type, network: str) -> list[tuple[str, Any]]:
    """(owner, record) of all that a network has of a kind. Raises OSError."""
    from core.kernel import marks  # late: GC only

    return marks.owned(kernel, kind, network)


MESSAGES: dict[type, Any] = {
    TokenBucket: _bucket,
    Queue: _queue,
    IngressHook: _hook,
    Redirect: _redirect,
}
FIND: dict[type, Any] = {
    Ifb: links.FIND[Link],
    TokenBucket: _find_bucket,
    Queue: _find_queue,
    IngressHook: _find_hook,
    Redirect: _find_redirect,
}
CREATE: dict[type, Any] = {
    Ifb: _create_ifb,
    TokenBucket: _create,
    Queue: _create,
    IngressHook: _create,
    Redirect: _create,
}
DELETE: dict[type, Any] = {Ifb: _delete, TokenBucket: _delete, IngressHook: _delete}
