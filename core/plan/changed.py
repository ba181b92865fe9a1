"""Records of what is not ours, whose settings are written back, and of links that are there for others.

apply notes what it finds before it changes anything, and writes that back on rollback, newest first. What DEL
needs to write back is in a file: core.kernel.backup. Pure.
"""

from __future__ import annotations

from core.plan.records import CONTAINER, Link
from core.record import CHANGED, WITH_MEMBERS, KernelRecord

CHANGES = "core.kernel.changes"


class Master(Link):
    """A link that is there for its members, such as a vrf: created by the first, deleted with the last."""

    home, lifecycle = CHANGES, WITH_MEMBERS
    absent = "{name} is gone"


class LinkSettings(KernelRecord):
    """Settings of a link that is not ours; what is empty or None is left alone."""

    home, lifecycle, identity = CHANGES, CHANGED, ("place", "link")
    absent = "{link} is gone"
    place: str
    link: str
    mac: bytes = b""
    mtu: int = 0
    promiscuous: bool | None = None
    all_multicast: bool | None = None
    tx_queue_len: int | None = None


class TunedSysctl(KernelRecord):
    """A setting below /proc/sys that is not ours."""

    home, lifecycle, identity = "core.kernel.tuned", CHANGED, ("place", "key")
    absent = "{key} cannot be read"
    key: str
    value: str
    place: str = CONTAINER


class Membership(KernelRecord):
    """A link as a member of *master* (a vrf, a bond, a bridge), "" for none."""

    home, lifecycle, identity = CHANGES, CHANGED, ("place", "link")
    absent = "{link} is gone"
    place: str
    link: str
    master: str


class Moved(KernelRecord):
    """A link of the host, *name*, that is in the container as *ifname*.

    Its alias there is the name that it had.
    """

    home, lifecycle, identity = CHANGES, CHANGED, ("name",)
    absent = "{ifname} is gone"
    bears = ("ifname",)
    name: str
    ifname: str


class Before(KernelRecord):
    """What was there before *record* was written; None for nothing."""

    home, lifecycle = CHANGES, CHANGED
    record: KernelRecord
    found: KernelRecord | None
