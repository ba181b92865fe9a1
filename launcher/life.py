"""Which attachments live: a verdict on all that a cache, the kernel or a reservation tells of.

Law: what cannot be proven gone counts as alive, and one sign of life outweighs every sign of death.

A host interface dies with the namespace of its other end. So an interface that carries an owner proves
that the owner's namespace lives, even if its path is gone and no cache knows of it.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from core import witness
from core.attachment import owner_text
from launcher import answers, netns, surroundings, target
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.traces import Link, Trace, elements, links, traces

LIVES, GONE, UNKNOWN = "lives", "gone", "unknown"
OUR_RUN = re.compile(r"run-\d+-\d+")
# Seconds in which an ADD that has a reservation makes its interface, and in which the kernel removes
# the interfaces of a namespace that has ended.
YOUNG = 2.0
PAUSE = 0.05  # seconds between two looks
CLOCK = 0.05  # seconds by which the times of files and of processes may differ


@dataclass(frozen=True)
class Verdict:
    """Whether an attachment lives, and why. passing: the verdict is likely to change within seconds."""

    state: str
    reason: str
    passing: bool = False


@dataclass
class Attachment:
    """One owner on a network. cached: what a runtime's cache has; trace: what the host has."""

    container_id: str
    ifname: str
    cached: Cached | None = None
    trace: Trace = field(default_factory=lambda: Trace("", ""))
    verdict: Verdict = Verdict(UNKNOWN, "")

    @property
    def key(self) -> tuple[str, str]:
        """(container ID, ifname) for plugins; eth0 where a file of an old release tells no ifname."""
        return self.container_id, self.ifname or "eth0"

    @property
    def made(self) -> float:
        """When its oldest file was written, in seconds since the epoch; infinite without any."""
        ages = [time.time() - found.age for found in self.trace.reservations]
        return min([*ages, *([self.cached.written] if self.cached else [])], default=float("inf"))

    @property
    def is_older_than_pids(self) -> bool:
        """Whether it was made before this pid namespace: its pids mean nothing here."""
        return self.made < surroundings.pids_began() - CLOCK or target.is_older_than_pids(self.container_id)


@dataclass
class Host:
    """What is read once from the host, to judge all attachments by.

    claimed: interfaces that results name. occupied: identities of the network namespaces in which processes
    are, None when they cannot be seen.
    """

    links: Mapping[str, Link]
    claimed: frozenset[str] = frozenset()
    occupied: frozenset[tuple[int, int]] | None = frozenset()


def survey(network: Network, cached: Iterable[Cached]) -> list[Attachment]:
    """Every attachment on *network*, judged. *cached*: all that the caches hold. Raises OSError."""
    everything, host_links = list(cached), links()
    found = [
        Attachment(trace.container_id, trace.ifname, None, trace)
        for trace in traces(network, host_links.values(), elements()).values()
    ]
    by_owner = {owner_text(network.name, each.container_id, each.ifname): each for each in found}
    for item in everything:
        if item.network == network.name:
            attachment = by_owner.setdefault(owner_text(network.name, *item.key), Attachment(*item.key))
            attachment.container_id, attachment.cached = item.request.container_id, item
    claimed = frozenset(name for item in everything for name in answers.host_interfaces(item.result))
    host = Host(host_links, claimed, occupied())
    for attachment in by_owner.values():
        attachment.verdict = judge(attachment, network, host)
    for attachment in by_owner.values():
        if not attachment.ifname:  # a reservation of an old release belongs to the container as a whole
            same = [each for each in by_owner.values() if each.container_id == attachment.container_id]
            alive = [each.verdict for each in same if each.verdict.state != GONE]
            attachment.verdict = next(iter(alive), attachment.verdict)
    return list(by_owner.values())


def judge(attachment: Attachment, network: Network, host: Host) -> Verdict:
    """The verdict on an attachment."""
    reason = ended(attachment, host)
    if reason:
        return Verdict(GONE, reason)
    alive = next(signs_of_life(attachment, host), "")
    dead = next(signs_of_death(attachment, network, host), "")
    if alive:
        return Verdict(LIVES, alive, passing=bool(dead))
    if dead:
        fresh = any(found.age < YOUNG and not found.mark for found in attachment.trace.reservations)
        return Verdict(GONE, dead, passing=fresh)
    return Verdict(UNKNOWN, "nothing tells whether its namespace is still there")


def ended(attachment: Attachment, host: Host) -> str:
    """Why the namespace of a `cniwire run` is certainly unused, "" where it is not; see is_abandoned."""
    if attachment.is_older_than_pids or not is_abandoned(attachment.container_id, host.occupied):
        return ""
    return "its process has ended"


def is_abandoned(name: str, occupied: frozenset[tuple[int, int]] | None) -> bool:
    """Whether a `cniwire run` made the namespace for itself and has ended, and no other process is in it."""
    if occupied is None or not OUR_RUN.fullmatch(name):
        return False
    if target.is_older_than_pids(name) or not target.owner_gone(name):
        return False
    place = netns.identity(netns.path_of(name))
    return place is not None and place not in occupied


def signs_of_life(attachment: Attachment, host: Host) -> Iterator[str]:
    """What proves that an attachment's namespace is there."""
    cached, trace = attachment.cached, attachment.trace
    named = [name for comment in trace.comments for name in comment.split(" ")[1:] if name in host.links]
    for name in trace.links + named + (answers.host_interfaces(cached.result) if cached else []):
        if name in trace.links or is_end(host.links.get(name)):
            yield f"interface {name} ends in its namespace"
    if cached and (path := target.reachable(cached)):
        yield f"its namespace {path} is there"
    for machine, boot, path in [target.noted(found.mark) for found in trace.reservations]:
        if (machine, boot) == target.here() and netns.identity(path):
            yield f"its namespace {path} is there"


def signs_of_death(attachment: Attachment, network: Network, host: Host) -> Iterator[str]:
    """What proves that an attachment is gone.

    A path or a pid proves nothing where it was noted in another pid namespace or on another machine.
    """
    cached, trace = attachment.cached, attachment.trace
    for machine, boot, path in [target.noted(found.mark) for found in trace.reservations]:
        if not path or machine != target.here()[0]:
            continue
        if boot != target.here()[1]:
            yield "it was made before this boot"
        elif not attachment.is_older_than_pids and target.is_missing(path):
            yield f"{path} is no namespace any more"
    if cached and not attachment.is_older_than_pids and (reason := target.gone(cached)):
        yield reason
    if any(denies(comment, host.links) for comment in trace.comments):
        yield "its interface or namespace is no more"
    bridge = bridge_of(network)
    unseen = not cached and not trace.links
    if bridge and unseen and not any(may_be_its(link, bridge, host) for link in host.links.values()):
        yield f"no port of {bridge} is its"


def denies(comment: str, host_links: Mapping[str, Link]) -> bool:
    """Whether a witness that an nft element's comment names does not exist any more."""
    named = witness.read(comment)
    link = host_links.get(named.link)
    if named.link and (link is None or witness.holds_anothers(named.link, link.alias, named.owner)):
        return True
    try:
        folder = os.stat(witness.folder(named.path))
        is_ours = witness.folder_identity(folder.st_dev, folder.st_ino) == named.folder
        return is_ours and not os.path.lexists(named.path)
    except (OSError, ValueError):
        return False


def gone(cached: Cached) -> str:
    """Why a cached attachment is provably gone, "" when it lives or nothing proves that it does not.

    Waits up to YOUNG seconds for the kernel to remove its interfaces.
    """
    reason, begin = target.gone(cached), time.monotonic()
    if not reason or surroundings.foreign():
        return ""
    owner, ends = owner_text(cached.network, *cached.key), answers.host_interfaces(cached.result)
    while any(link.alias == owner or (link.name in ends and is_end(link)) for link in links().values()):
        if is_abandoned(cached.request.container_id, occupied()):
            return reason
        if time.monotonic() - begin > YOUNG:
            return ""
        time.sleep(PAUSE)
    return reason


def is_end(link: Link | None) -> bool:
    """Whether an interface ends in another namespace, and so dies with it; a tun counts as one that does."""
    return link is not None and link.kind in witness.ENDS and (link.apart or link.kind == "tun")


def bridge_of(network: Network) -> str:
    """The bridge that every attachment of a network is a port of, "" when its first plugin is not bridge."""
    main = network.plugins[0]
    return str(main.get("bridge") or "cni0") if main["type"] == "bridge" else ""


def may_be_its(link: Link, bridge: str, host: Host) -> bool:
    """Whether an interface may belong to an attachment that has no owned interface.

    That is a port of its bridge without an owner, as the Go suite makes them, which no result names.
    """
    return link.master == bridge and is_end(link) and not link.alias and link.name not in host.claimed


def occupied() -> frozenset[tuple[int, int]] | None:
    """The network namespaces in which processes are; None when some may not be looked at."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                status = os.stat(f"/proc/{name}/ns/net")
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError:
                return None
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)
