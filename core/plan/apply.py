"""Carrying out a plan: the only place that decides what is created, compared, deleted and undone.

Law: undo only what this run created, newest first. An OSError of the kernel becomes a CNIError here and
nowhere else. What kinds of records differ in is read from their classes (core.record.KernelRecord), never
from their types. Pure but for the clock of the verb.

What is shared (the bridge, its address, forwarding) is found or created, in the order of the plan. Two runs
may create it at once: whoever is told EEXIST looks again and goes on. It is never undone, because another
attachment may use it by now; but a link that is there for its members (a vrf) is deleted where it has none.

What is owned is created exclusively: the kernel's EEXIST is the lock, nobody looks first. Everything created
is noted, and after a failure deleted newest first; what dies with the veth needs no deletion of its own. A
request without an answer may have been carried out, so it is undone, too. And so is one that was refused when
a part of it was done, as a link that is moved and cannot get its name: the error says which (made).

What is changed is not ours: what stands there is noted first, and written back after a failure.

Shared nft tables and chains are the exception to the order. Nearly always they are there, so nobody asks for
them. The elements that stand on them are created first, and the kernel refuses that (ENOENT) where a map or
chain is missing; then all of it is made in one transaction, and the elements are created again. With the
elements comes a list of the marks that all rules carry, so a flushed or edited chain is noticed without
another wait, and healed before ADD answers.

A host port that is taken is an EEXIST, too. Its element names the owner, who is replaced in the same
transaction if provably gone, and else named in the error. DEL and GC go on after failures and report all.
"""

from __future__ import annotations

from errno import EAFNOSUPPORT, EEXIST, EOPNOTSUPP, EPROTONOSUPPORT

from core.deadline import Expired, grace
from core.deadline import check as check_deadline
from core.errors import DELEGATE_FAILED, KERNEL_REFUSED, TRY_AGAIN_LATER, CNIError, of_kernel
from core.record import CHANGED, HEALED, SETTING, WITH_MEMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from core.plan.records import Plan

    T = TypeVar("T")
    Keep = Callable[[list[Any]], None]

UNSUPPORTED = (EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT)  # there cannot be anything to delete
RACES = 5  # how often a chain may vanish before its element is there


def add(kernel: Any, plan: Plan, finish: Callable[[], T], keep: Keep | None = None) -> T:
    """Ensure what is shared, create what is owned, write what is changed, then *finish*.

    After a failure nothing that this run created remains, and what it changed is as before. Returns what
    *finish* returns. Raises CNIError. keep: gets what is found (core.plan.changed.Before) ahead of changes.
    """
    created: list[Any] = []
    skeleton = [record for record in plan.shared if record.lifecycle == HEALED]
    try:
        if any([_ensure(kernel, record) for record in plan.shared if record.lifecycle != HEALED]):
            _heal(kernel, skeleton)  # then that is missing, too; it would be found out later, and dearly
        for batch in _batches(plan.owned):
            check_deadline()
            created.extend(_create(kernel, batch, skeleton))
        if plan.changed:
            from core.plan import changing  # late: few plugins change what is not theirs

            changing.write(kernel, plan, created, keep, _ensure, attempt)
        if skeleton and not kernel.stands(skeleton):
            _heal(kernel, skeleton)
        return _finished(finish)
    except BaseException as error:
        if not created and getattr(error, "same_container", False):
            raise  # nothing was done, and the caller knows another place
        undo(kernel, [*created, *getattr(error, "under_way", ())])
        for record in [each for each in plan.shared if each.lifecycle == WITH_MEMBERS]:
            _quietly(kernel.delete, record)
        if any([record.entries for record in skeleton]):
            _quietly(kernel.sweep)  # this run may have made it, and every packet walks it
        raise


def _finished(finish: Callable[[], T]) -> T:
    try:
        return finish()
    except OSError as error:
        raise CNIError(of_kernel(error.errno), f"everything was made, but: {error.strerror}") from error


def undo(kernel: Any, created: list[Any]) -> None:
    """Delete what one run created and write back what it changed, newest first.

    What dies with its link needs no deletion of its own.
    """
    grace()
    for batch in _batches([record for record in reversed(created) if not record.dies_with_link]):
        _quietly(kernel.restore if batch[0].lifecycle == CHANGED else kernel.delete, *batch)


def _quietly(work: Callable[..., object], *arguments: object) -> None:
    """Do what undoes; the failure before it is the one to report."""
    try:
        work(*arguments)
    except (OSError, CNIError):
        return


def _ensure(kernel: Any, record: Any) -> bool:
    """Find or create what is shared; whether it had to be created."""
    return bool(attempt("create", record, _find_or_create, kernel, record))


def _find_or_create(kernel: Any, record: Any) -> bool:
    found = kernel.find(record)
    if found and (found == record or record.lifecycle != SETTING):
        return False
    try:
        kernel.create(record)
    except FileExistsError:
        if not kernel.find(record):  # lost a race, and the winner made something else
            raise
    return True


def _heal(kernel: Any, skeleton: list[Any]) -> None:
    from core.plan.healing import heal  # late: nearly always all of it stands

    heal(kernel, skeleton, attempt)


def _batches(records: Iterable[Any]) -> list[list[Any]]:
    """Neighbours that travel in one message to the kernel, in order."""
    batches: list[list[Any]] = []
    last: tuple[str, str] | None = None
    for record in records:
        kind = (record.batch, getattr(record, "place", "")) if record.batch else None
        if kind and kind == last:
            batches[-1].append(record)
        else:
            batches.append([record])
        last = kind
    return batches


def _create(kernel: Any, batch: list[Any], skeleton: list[Any]) -> list[Any]:
    """Create a batch and return it; after a failure the error's under_way is what may be there."""
    try:
        if batch[0].atomic:
            _create_in(kernel, skeleton, batch)
        else:
            attempt("create", batch[0], kernel.create, *batch)
    except CNIError as error:
        if isinstance(error, Expired) or getattr(error.__cause__, "unanswered", False):
            error.under_way = batch  # type: ignore[attr-defined]
        else:
            error.under_way = getattr(error.__cause__, "made", ())  # type: ignore[attr-defined]
        raise
    return batch


def _create_in(kernel: Any, skeleton: list[Any], batch: list[object]) -> None:
    """Create nft elements.

    The kernel refuses them where a shared table or chain is missing, which is then made.

    Somebody's last DEL may take a chain away again before we are there.
    """
    for last in [False] * RACES + [True]:
        try:
            _create_or_replace(kernel, batch)
            return
        except CNIError as error:
            if last or not isinstance(error.__cause__, FileNotFoundError):
                raise
            _heal(kernel, skeleton)


def _create_or_replace(kernel: Any, batch: list[Any]) -> None:
    try:
        attempt("create", batch[0], kernel.create, *batch)
    except CNIError as error:
        if not isinstance(error.__cause__, FileExistsError):
            raise
        from core.plan.taken import stale  # late: nearly always nothing stands in the way

        attempt("replace", batch[0], lambda: kernel.replace(stale(kernel, batch), batch))


def delete(kernel: Any, footprint: Iterable[object], gone: list[object] | None = None) -> list[CNIError]:
    """Delete by identity; absent is success, and a failure does not stop the rest.

    What was really there is appended to *gone*. Returns the failures.
    """
    failures = []
    deleted = gone if gone is not None else []
    for batch in _batches(footprint):
        try:
            deleted.extend(attempt("delete", batch[0], kernel.delete, *batch))
        except CNIError as error:
            if getattr(error.__cause__, "errno", 0) not in UNSUPPORTED:
                failures.append(error)
    return failures


def gc(
    kernel: Any, network: str, kinds: Iterable[object], valid: set[str], gone: list[object] | None = None
) -> list[CNIError]:
    """Delete what *network* owns of the *kinds* and no valid owner claims; else as delete."""
    try:
        owned = kernel.owned(network, kinds)
    except OSError as error:
        return [
            CNIError(of_kernel(error.errno), f"cannot list what network {network} owns: {error.strerror}")
        ]
    failures = delete(kernel, [record for owner, record in owned if owner not in valid], gone)
    try:
        kernel.sweep()
    except OSError as error:
        failures.append(
            CNIError(
                of_kernel(error.errno), f"cannot delete chains that nothing needs any more: {error.strerror}"
            )
        )
    return failures


def raise_all(failures: list[CNIError], again: bool = False) -> None:
    """Raise one CNIError that tells all failures; its code is TRY_AGAIN_LATER if a retry may cure every one.

    again: the runtime has to come again in any case (DEL), or something is lost.
    """
    if failures:
        codes = {
            TRY_AGAIN_LATER if again and failure.code in (KERNEL_REFUSED, DELEGATE_FAILED) else failure.code
            for failure in failures
        }
        code = codes.pop() if len(codes) == 1 else TRY_AGAIN_LATER if again else KERNEL_REFUSED
        raise CNIError(code, "; ".join([str(failure) for failure in failures]))


def attempt(action: str, record: Any, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do *work* on a record and translate what the kernel refuses. Raises CNIError."""
    try:
        return work(*arguments)
    except OSError as error:
        from core.plan.words import describe  # late: only where something is wrong

        record = getattr(error, "record", record)
        code = (error.errno == EEXIST and record.taken) or of_kernel(error.errno)
        raise CNIError(code, f"cannot {action} {describe(record)}: {error.strerror}") from error
