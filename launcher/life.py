"""Who lives: every attachment of a network that a cache, the kernel or a reservation tells of, and what proves that it lives or is gone.

Law: what cannot be proven gone counts as alive, and one sign of life outweighs every sign of death. A host interface dies with its
other end's namespace, so one that carries an owner proves that his namespace lives, whatever has become of its path, and whoever knows of it.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from core.attachment import NEVER_GONE, host_ifname, host_ifnames, owner_text
from launcher import answers, netns, surroundings, target
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.traces import Link, Trace, elements, links, traces

LIVES, GONE, UNKNOWN = "lives", "gone", "unknown"
ENDS = ("veth", "netkit", "tun")  # kinds of links that end in a container
OUR_RUN = re.compile(r"run-\d+-\d+")
YOUNG = 2.0  # seconds in which an ADD makes its interface after its reservation, and the kernel removes those of a namespace that is gone
PAUSE = 0.05  # seconds between two looks
CLOCK = 0.05  # seconds by which the times of files and of processes may differ


@dataclass(frozen=True)
class Verdict:
    """What is known of an attachment, and why. passing: it may be another in a moment."""

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
        """(container ID, ifname), as plugins are told; files of old releases do not tell the latter."""
        return self.container_id, self.ifname or "eth0"

    @property
    def made(self) -> float:
        """When the oldest file that tells of it was written, in seconds since the epoch; infinite when there is none."""
        ages = [time.time() - found.age for found in self.trace.reservations]
        return min([*ages, *([self.cached.written] if self.cached else [])], default=float("inf"))

    @property
    def is_older_than_pids(self) -> bool:
        """Whether it was made before the numbers of processes began to mean what they mean here."""
        return self.made < surroundings.pids_began() - CLOCK or target.is_older_than_pids(self.container_id)


@dataclass
class Host:
    """What the signs are read from, seen once.

    claimed: interfaces that results name. occupied: identities of the network namespaces of processes, None when they cannot be seen.
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
    host = Host(host_links, frozenset(name for item in everything for name in host_ends(item)), occupied())
    for attachment in by_owner.values():
        attachment.verdict = judge(attachment, network, host)
    for attachment in by_owner.values():
        if not attachment.ifname:  # a reservation of an old release is of the container as a whole
            alive = [
                each.verdict
                for each in by_owner.values()
                if each.container_id == attachment.container_id and each.verdict.state != GONE
            ]
            attachment.verdict = next(iter(alive), attachment.verdict)
    return list(by_owner.values())


def judge(attachment: Attachment, network: Network, host: Host) -> Verdict:
    """What the signs say."""
    reason = ended(attachment, host)
    if reason:
        return Verdict(GONE, reason)
    alive, dead = (
        next(signs_of_life(attachment, host), ""),
        next(signs_of_death(attachment, network, host), ""),
    )
    if alive:
        return Verdict(LIVES, alive, passing=bool(dead))
    if dead:
        return Verdict(
            GONE,
            dead,
            passing=any(found.age < YOUNG and not found.mark for found in attachment.trace.reservations),
        )
    return Verdict(UNKNOWN, "nothing tells whether its namespace is still there")


def ended(attachment: Attachment, host: Host) -> str:
    """Why nothing more can live in a namespace that `cniwire run` made for itself: its process has ended, and no other is in there."""
    return (
        ""
        if attachment.is_older_than_pids or not is_abandoned(attachment.container_id, host.occupied)
        else "its process has ended"
    )


def is_abandoned(name: str, occupied: frozenset[tuple[int, int]] | None) -> bool:
    """Whether a namespace is one that `cniwire run` made for itself, the process has ended, and no other is in there."""
    if (
        not OUR_RUN.fullmatch(name)
        or target.is_older_than_pids(name)
        or not target.owner_gone(name)
        or occupied is None
    ):
        return False
    place = netns.identity(netns.path_of(name))
    return place is not None and place not in occupied


def signs_of_life(attachment: Attachment, host: Host) -> Iterator[str]:
    """What proves that an attachment's namespace is there."""
    cached, trace = attachment.cached, attachment.trace
    named = [name for comment in trace.comments for name in comment.split(" ")[1:] if name in host.links]
    for name in trace.links + named + (host_ends(cached) if cached else []):
        if name in trace.links or is_end(host.links.get(name)):
            yield f"interface {name} ends in its namespace"
    if cached and (path := target.reachable(cached)):
        yield f"its namespace {path} is there"
    for machine, boot, path in [target.noted(found.mark) for found in trace.reservations]:
        if (machine, boot) == target.here() and netns.identity(path):
            yield f"its namespace {path} is there"


def signs_of_death(attachment: Attachment, network: Network, host: Host) -> Iterator[str]:
    """What proves that it is gone. Paths and pids prove nothing where they may have meant something else."""
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
    if bridge and not cached and not any(may_be_its(link, bridge, host) for link in host.links.values()):
        yield f"no port of {bridge} is its"


def denies(comment: str, host_links: Mapping[str, Link]) -> bool:
    """Whether a witness behind the owner in an nft element's comment is no more: an interface, or a path with its folder's device and inode.

    `net/c1/eth0 lxc1 netns:26:1041:/run/netns/c1`; without any, the host veth that our bridge names after the owner; `-` is none at all.
    """
    owner, _, rest = comment.partition(" ")
    name, _, place = f" {rest}".partition(" netns:")
    name = name.strip() or (host_ifname(owner) if not rest else "")
    link = host_links.get(name)
    if name not in ("", NEVER_GONE) and (
        link is None or (name in host_ifnames(owner) and link.alias not in ("", owner))
    ):
        return True
    device, inode, path = [*place.split(":", 2), "", ""][:3]
    try:
        folder = os.stat("/proc" if path.startswith("/proc/") else os.path.dirname(path))
        return (device, inode) == (f"{folder.st_dev}", f"{folder.st_ino}") and not os.path.lexists(path)
    except (OSError, ValueError):
        return False


def gone(cached: Cached) -> str:
    """Why a cached attachment is provably gone, "" when it lives or nobody can tell; waits for interfaces that go with its namespace."""
    reason, begin = target.gone(cached), time.monotonic()
    if not reason or surroundings.foreign():
        return ""
    owner, ends = owner_text(cached.network, *cached.key), host_ends(cached)
    while any(link.alias == owner or (link.name in ends and is_end(link)) for link in links().values()):
        if is_abandoned(cached.request.container_id, occupied()):
            return reason
        if time.monotonic() - begin > YOUNG:
            return ""
        time.sleep(PAUSE)
    return reason


def host_ends(cached: Cached) -> list[str]:
    """The interfaces outside of the container that its result names."""
    return [
        item["name"] for item in answers.interfaces(cached.result) if item["name"] and not item["sandbox"]
    ]


def is_end(link: Link | None) -> bool:
    """Whether an interface ends in another namespace, and so dies with it. Of a tun nobody can tell."""
    return link is not None and link.kind in ENDS and (link.apart or link.kind == "tun")


def bridge_of(network: Network) -> str:
    """The bridge whose ports all attachments of a network are, "" when its main plugin is another."""
    main = network.plugins[0]
    return str(main.get("bridge") or "cni0") if main["type"] == "bridge" else ""


def may_be_its(link: Link, bridge: str, host: Host) -> bool:
    """Whether an interface may be the end of an attachment of which nothing else is known: a port without owner, as the Go suite makes it."""
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
