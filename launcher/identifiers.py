"""Container IDs as people read and type them: a long one by its beginning, as long as that is unambiguous.

Runtimes make IDs of 64 hexadecimal digits. Only such long ones are shortened, and only they may be named by a
beginning. A name that somebody chose has to be typed whole: `down we` does not take down `web`.
"""

import re
from collections.abc import Iterable

from launcher.failures import UsageFailure
from launcher.request import Request

LONG = re.compile(r"[0-9a-f]{32,}")
SHORT, TYPED = 12, 4  # characters that are shown if they suffice, and that have to be typed at least
POD, NAMESPACE = "K8S_POD_NAME", "K8S_POD_NAMESPACE"  # keys of CNI_ARGS
POD_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def shortened(container_ids: Iterable[str]) -> dict[str, str]:
    """What to show for each ID: of a long one twelve digits, or more where another one begins alike."""
    known = set(container_ids)
    return {each: _short(each, known - {each}) if LONG.fullmatch(each) else each for each in known}


def _short(container_id: str, others: set[str]) -> str:
    length = SHORT
    while any(other.startswith(container_id[:length]) for other in others) and length < len(container_id):
        length += 1
    return container_id[:length]


def meant(text: str, container_ids: Iterable[str]) -> str:
    """The ID that is *text* or begins with it; else *text* itself.

    Raises UsageFailure when there are several.
    """
    known = set(container_ids)
    if text in known or len(text) < TYPED:
        return text
    begun = sorted(each for each in known if LONG.fullmatch(each) and each.startswith(text))
    if len(begun) > 1:
        several = ", ".join([*[shortened(begun)[each] for each in begun[:5]], *["..."] * (len(begun) > 5)])
        found = f"{len(begun)} containers have an ID that begins with {text}"
        raise UsageFailure(found, several, "type more of it")
    return begun[0] if begun else text


def pod(request: Request) -> str:
    """`namespace/name` of the Kubernetes pod, "" where CNI_ARGS name none or no valid one."""
    args = dict(request.args)
    parts = [args.get(NAMESPACE, ""), args.get(POD, "")]
    return "/".join(parts) if all(POD_NAME.fullmatch(part) for part in parts) else ""
