"""What CHECK found, for a person: each cause in words, without the records that only a bug report needs.

Our plugins write a line for each cause and indent the lines that follow from it. What another plugin says is
shown as it is.
"""

import re
from collections.abc import Sequence

from core.errors import CHECK_FAILED, CNIError
from launcher.plain import escape

DIFFERENCES = re.compile(r"\d+ differences? from what ADD made: (.*)", re.DOTALL)
RECORD = ": want "  # a record of the plan stands behind it


def differences(error: CNIError) -> list[str]:
    """The lines of a CHECK that failed, as the plugin wrote them; none where it said something else."""
    found = DIFFERENCES.search(error.msg) if error.code == CHECK_FAILED else None
    return [found[1], *error.details.splitlines()] if found else []


def lines(told: Sequence[str], verbose: bool) -> list[str]:
    """Markup for each cause and a count of what follows; with *verbose* everything, records included."""
    if verbose:
        return [escape(line) for line in told]
    causes = dict.fromkeys(line.partition(RECORD)[0] for line in told if not line.startswith(" "))
    further = sum(line.startswith(" ") for line in told)
    counted = f"[dim]{further} more follow{'s' if further == 1 else ''} from that; --verbose shows all[/]"
    return [*map(escape, causes), *([counted] if further else [])]
