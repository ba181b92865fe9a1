"""Writing what is not ours: what stands there is noted first, so that it can be written back.

Loaded by plugins that change something. Pure but for the clock of the verb.
"""

from __future__ import annotations

from errno import ENODEV

from core.deadline import check as check_deadline
from core.errors import CNIError
from core.plan.changed import Before
from core.record import WITH_MEMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from core.plan.records import Plan

RACES = 5  # how often a master may vanish before its member is there


def write(
    kernel: Any,
    plan: Plan,
    created: list[Any],
    keep: Callable[[list[Any]], None] | None,
    ensure: Callable[[Any, Any], bool],
    attempt: Callable[..., Any],
) -> None:
    """Write what a plan changes. What was there is appended to *created* before it is touched.

    Raises CNIError.

    ensure, attempt: those of core.plan.apply.
    """
    before = [Before(record, attempt("find", record, kernel.find, record)) for record in plan.changed]
    if keep:
        keep(before)
    masters = [record for record in plan.shared if record.lifecycle == WITH_MEMBERS]
    for each in before:
        if each.found != each.record:
            check_deadline()
            created.append(each)
            _write(kernel, each.record, masters, ensure, attempt)


def _write(
    kernel: Any,
    record: Any,
    masters: list[Any],
    ensure: Callable[[Any, Any], bool],
    attempt: Callable[..., Any],
) -> None:
    """Write one record.

    Since a master was found, it may have lost its last member, and so have been deleted.
    """
    for last in [False] * RACES + [True]:
        try:
            attempt("write", record, kernel.create, record)
            return
        except CNIError as error:
            if last or not masters or getattr(error.__cause__, "errno", 0) != ENODEV:
                raise
            for master in masters:
                ensure(kernel, master)
