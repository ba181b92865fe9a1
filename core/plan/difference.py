"""CHECK: what the plan wants and what the kernel has, compared record by record.

Spec: section 2 "CHECK". Pure.
"""

from __future__ import annotations

from core.errors import CHECK_FAILED, CNIError
from core.plan.apply import attempt
from core.record import HEALED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.plan.records import Plan

FOLLOWS = "  "  # before what is missing because something else is


def check(kernel: Any, plan: Plan) -> list[str]:
    """Every difference between the plan and the kernel, `eth0 is gone: want ..., found ...`.

    Raises CNIError if the kernel cannot tell.

    In the order of work, so that the cause comes before what follows from it; a line about the latter is
    indented.
    """
    differences, gone = list[str](), set[object]()
    for record in [
        member for each in plan.shared + plan.owned + plan.changed for member in _compared(kernel, each)
    ]:
        if not getattr(record, "required", True):
            continue  # whoever comes later in the chain may set it otherwise
        found = attempt("find", record, kernel.find, record)
        if found != record:
            differences.append(_told(record, found, gone))
    return differences


def _compared(kernel: Any, record: Any) -> tuple[Any, ...]:
    """What is looked at one by one: nothing of a shared table or chain that is as made, as one look tells."""
    if record.lifecycle != HEALED:
        return (record,)
    if attempt("find", record, kernel.is_as_made, record):
        return ()
    from core.nft.rules import members  # late: nearly always all of it stands

    return members(record)


def _told(record: Any, found: Any, gone: set[object]) -> str:
    """One difference; *gone*, the names that went with earlier ones, is added to."""
    from core.plan import words  # late: only where there is a difference

    if found is not None:
        return f"{words.changed(record, found)}: want {words.describe(record)}, found {words.describe(found)}"
    follows = FOLLOWS if gone & words.names(record) else ""
    gone |= words.borne(record)
    return f"{follows}{words.missing(record)}: want {words.describe(record)}, found nothing"


def report(differences: list[str]) -> None:
    """Raise CNIError(CHECK_FAILED) with all differences, if there are any.

    The first is in the message, each other one is a line of the details.
    """
    if differences:
        count = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
        raise CNIError(
            CHECK_FAILED, f"{count} from what ADD made: {differences[0]}", "\n".join(differences[1:])
        )
