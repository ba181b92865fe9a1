"""Container IDs as people read and type them: a long one by its beginning, as far as that is its own.

Runtimes make IDs of 64 hexadecimal digits. Only such long ones are shortened, and only they may be named by a beginning: a name that
somebody chose stands for itself, and `down we` does not take down `web`.
"""

import re
from collections.abc import Iterable

from launcher.cache import Request
from launcher.failures import UsageFailure

LONG = re.compile(r"[0-9a-f]{32,}")
SHORT, TYPED = 12, 4  # how much is shown where it suffices; how much has to be typed
POD, NAMESPACE = "K8S_POD_NAME", "K8S_POD_NAMESPACE"  # keys of CNI_ARGS
POD_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def shortened(container_ids: Iterable[str]) -> dict[str, str]:
    """What to show for each ID: of a long one the first twelve digits, or as many as no other begins with."""
    known = set(container_ids)
    return {each: _short(each, known - {each}) if LONG.fullmatch(each) else each for each in known}


def _short(container_id: str, others: set[str]) -> str:
    length = SHORT
    while any(other.startswith(container_id[:length]) for other in others) and length < len(container_id):
        length += 1
    return container_id[:length]


def meant(text: str, container_ids: Iterable[str]) -> str:
    """The ID that *text* is, or is the beginning of; else *text*. Raises UsageFailure when several begin so."""
    known = set(container_ids)
    if text in known or len(text) < TYPED:
        return text
    begun = sorted(each for each in known if LONG.fullmatch(each) and each.startswith(text))
    if len(begun) > 1:
        several = ", ".join(shortened(begun)[each] for each in begun[:5]) + (
            ", ..." if len(begun) > 5 else ""
        )
        raise UsageFailure(
            f"{len(begun)} containers have an ID that begins with {text}", several, "type more of it"
        )
    return begun[0] if begun else text


def pod(request: Request) -> str:
    """`namespace/name` of the Kubernetes pod, "" where CNI_ARGS name none that Kubernetes would allow."""
    args = dict(request.args)
    parts = [args.get(NAMESPACE, ""), args.get(POD, "")]
    return "/".join(parts) if all(POD_NAME.fullmatch(part) for part in parts) else ""
