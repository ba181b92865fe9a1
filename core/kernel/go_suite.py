"""What the Go reference suite made: recognised and cleaned, never written.

Its links; core.kernel.go_rules has its rules.

Its host veths have random names and no alias.
"""

from __future__ import annotations

from core.attachment import Attachment, host_ifnames
from core.kernel.links import delete_link
from core.kernel.state import ABSENT
from core.netlink.link import Link, get_link_at, read_link
from core.plan.records import CONTAINER, HOST, Plan
from core.record import HEALED, OWNED, KernelRecord, fields, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State


class ContainerLink(KernelRecord):
    """CNI_IFNAME inside the container, whoever made it; its deletion takes the host's end along.

    owner: the attachment whose DEL this is; what another attachment of ours has under this name stays. "" for
    whoever.
    """

    home, lifecycle, identity = "core.kernel.go_suite", OWNED, ("place", "ifname")
    ifname: str
    owner: str = ""
    place: str = CONTAINER


def plan(made: Plan, ours: str, theirs: str) -> Plan:
    """What of our plan can be expected of an attachment that the Go suite made: links, addresses and routes.

    ours, theirs: the name of the host veth as we give it, and as it is.
    """
    owned = [_theirs(item, ours, theirs) for item in made.owned if item.universal]
    return Plan(tuple([item for item in made.shared if item.lifecycle != HEALED]), tuple(owned))


def _theirs(item: Any, ours: str, theirs: str) -> Any:
    changes = {name: theirs for name in fields(item) if getattr(item, name) == ours}
    return replace(item, **changes, **({"owner": ""} if hasattr(item, "owner") else {}))


def footprint(kernel: Any, attachment: Attachment) -> tuple[ContainerLink, ...]:
    """The container's link, where there is a namespace to look in."""
    return (ContainerLink(attachment.ifname, attachment.owner),) if kernel.netns is not None else ()


def _delete_container_link(kernel: State, want: ContainerLink) -> list[str]:
    """Delete CNI_IFNAME in the container. Raises OSError.

    A refused ADD is followed by DEL, too, which must not take away what made the ADD fail.
    """
    there = kernel.link(want.place, want.ifname)
    if there is None or (want.owner and _owner(kernel, there) not in ("", want.owner)):
        return []
    return delete_link(kernel, want.ifname, want.place)


def _owner(kernel: State, there: Link) -> str:
    """The owner of a container's link as the host's end tells it, "" where that is none of ours."""
    if there.kind != "veth" or not there.peer:
        return ""
    try:
        replies = kernel.at(HOST).ask(get_link_at(there.peer))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return ""  # it is in another namespace
    other = read_link(replies[0][1])
    return other.alias if other.peer == there.index and other.name in host_ifnames(other.alias) else ""


DELETE: dict[type, Any] = {ContainerLink: _delete_container_link}
