"""CHECK: what the plan wants and what the kernel has, compared record by record.

Spec: section 2 "CHECK". Pure.
"""

from __future__ import annotations

from core.apply import attempt
from core.errors import CHECK_FAILED, CNIError
from core.plan import Sysctl, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.plan import Plan


def check(kernel: Any, plan: Plan) -> list[str]:
    """Every difference between the plan and the kernel, `want ..., found ...`. Raises CNIError if the kernel cannot tell."""
    differences = []
    for record in [member for each in plan.shared + plan.owned for member in getattr(each, "members", (each,))]:
        if isinstance(record, Sysctl) and not record.required:
            continue  # whoever comes later in the chain may set it otherwise
        found = attempt("find", record, kernel.find, record)
        if found is None:
            differences.append(f"want {describe(record)}, found nothing")
        elif found != record:
            differences.append(f"want {describe(record)}, found {describe(found)}")
    return differences


def report(differences: list[str]) -> None:
    """Raise CNIError(CHECK_FAILED) with all differences, if there are any."""
    if differences:
        raise CNIError(CHECK_FAILED, f"{len(differences)} difference(s) from what ADD made: {differences[0]}", "; ".join(differences[1:]))
