"""Records of a limited link: token buckets, the queues below them, and the way through an ifb.

What goes out by a link is limited by a token bucket at its root. What comes in has to go out by something
first: an ingress hook redirects it to an ifb, a link that hands back whatever goes out by it. So what a
container takes in is limited at the host's end of its veth pair, and what it sends at the ifb.

Law and place are those of core.plan.records. Pure.
"""

from __future__ import annotations

from core.attachment import Attachment, hashed
from core.plan.records import HOST, Link
from core.record import OWNED, KernelRecord

SHAPING = "core.kernel.shaping"


class Ifb(Link):
    """The link that a container's egress is limited at.

    Its name is the reference's, so that the DEL of either suite deletes the other's.
    """

    home, universal = SHAPING, False
    absent = "{name} is gone"
    needs = "ifb (CONFIG_IFB)"


class TokenBucket(KernelRecord):
    """A tbf at the root of a link. rate: bytes a second; limit: bytes; buffer: ticks of 64 ns.

    In a footprint *link* is "": whichever link of *owner* has one of ours.
    """

    home, lifecycle, identity, batch = SHAPING, OWNED, ("place", "link"), "shaping"
    absent = "{link} is not limited any more"
    needs = "tbf (CONFIG_NET_SCH_TBF)"
    link: str
    owner: str
    rate: int = 0
    limit: int = 0
    buffer: int = 0
    place: str = HOST


class Queue(KernelRecord):
    """What waits below a token bucket: fq_codel, or at most *limit* bytes where the kernel has none.

    handle: which one of ours it is; 0 for the one that the kernel makes with a token bucket.
    """

    home, lifecycle, identity, batch, dies_with_link = SHAPING, OWNED, ("place", "link"), "shaping", True
    absent = "{link} has not the queue below its limit any more"
    needs = "bfifo (CONFIG_NET_SCH_FIFO)"
    link: str
    handle: int
    limit: int
    place: str = HOST


class IngressHook(KernelRecord):
    """An ingress queue discipline, which can redirect what comes in.

    In a footprint *link* is "": whichever link redirects to *ifb*.
    """

    home, lifecycle, identity, batch = SHAPING, OWNED, ("place", "link"), "shaping"
    absent = "{link} has no ingress hook any more"
    bears = ("link",)
    needs = "ingress queue discipline (CONFIG_NET_SCH_INGRESS)"
    link: str
    owner: str
    ifb: str
    place: str = HOST


class Redirect(KernelRecord):
    """The filter that hands all that comes in by a link to *ifb*; it goes with its hook."""

    home, lifecycle, identity, batch, dies_with_link = SHAPING, OWNED, ("place", "link"), "shaping", True
    absent = "what {link} takes in is not redirected to {ifb} any more"
    needs = "u32 or mirred (CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED)"
    link: str
    ifb: str
    place: str = HOST


def ifb_name(attachment: Attachment) -> str:
    """The reference's name. All attachments of a container to one network share it."""
    return hashed(15, "bwp", attachment.network + attachment.container_id)


def queue_handle(owner: str) -> int:
    """The handle of an owner's queues, of 16384 ones that neither people nor the kernel choose.

    Token buckets all have the handle 1:, as with the reference; by the queue below, DEL knows its own.
    """
    return (0x4000 | int(hashed(4, "", owner), 16) & 0x3FFF) << 16
