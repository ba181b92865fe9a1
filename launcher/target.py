"""What can be wired (a named namespace, a path, a process), and whether what was wired is gone.

Law: what cannot be proven gone counts as alive.
"""

import contextlib
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from core.attachment import digest
from launcher import identifiers, netns, surroundings
from launcher.cache import Cached
from launcher.failures import PRIVILEGE, Failure, UsageFailure
from launcher.surroundings import start_time

PROC = re.compile(r"/proc/(\d+)/")
PROCESS_ID = re.compile(r"(?:pid|run)-(\d+)-(\d+)")  # container IDs that carry the process and its start time


@dataclass(frozen=True)
class Target:
    """A namespace to wire: the container ID that stands for it and its path ("" when it is gone)."""

    container_id: str
    netns: str


def resolve(text: str, container_id: str = "", known: Callable[[], list[Cached]] = list) -> Target:
    """The target that *text* names: a name in /run/netns, a pid, a path, or a container ID or its beginning.

    container_id: overrides the derived one. known: returns the attachments in the cache, which tell where a
    container's namespace is.
    Raises Failure when there is no such namespace, or when it is our own.
    """
    target = _derive(text, known)
    found = netns.identity(target.netns)
    if found is None:
        raise Failure(*_missing(text, target.netns))
    if found == netns.identity("/proc/thread-self/ns/net"):
        hint = "a container needs a namespace of its own: `cniwire up` makes one"
        raise Failure(f"{text} is in this very network namespace", hint=hint)
    return Target(container_id, target.netns) if container_id else target


def derive(text: str, known: Callable[[], list[Cached]] = list) -> Target:
    """As resolve, for a target that may be gone: its path is "" then.

    The container ID is right nevertheless, if the name or the cache tells it.
    """
    target = _derive(text, known)
    return target if netns.identity(target.netns) else Target(target.container_id, "")


def _derive(text: str, known: Callable[[], list[Cached]]) -> Target:
    if not text:
        raise UsageFailure("target: want the name of a namespace, a pid or a path, found nothing")
    if "/" in text:
        return _at_path(os.path.abspath(text), known)
    if is_pid(text) and not os.path.lexists(netns.path_of(text)):
        begun = begins(text, known)
        if begun and start_time(int(text)) is not None:
            both = f"{text} is a process, and the beginning of the container ID {begun}"
            raise UsageFailure(both, hint=f"write /proc/{text}/ns/net, or more of the ID")
        if begun:
            return _named(text, known)
        return Target(f"pid-{text}-{start_time(int(text)) or 0}", f"/proc/{text}/ns/net")
    return _named(text, known)


def is_pid(text: str) -> bool:
    """Whether *text* can be the number of a process."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def begins(text: str, known: Callable[[], list[Cached]]) -> str:
    """The container ID that begins with *text* and is longer, "" for none.

    Raises UsageFailure for several.
    """
    found = identifiers.meant(text, [cached.request.container_id for cached in known()])
    return found if found != text else ""


def notice(text: str, known: Callable[[], list[Cached]]) -> str:
    """A warning where *text* is taken as the name of a namespace and could mean something else, else ""."""
    if "/" in text or not text or not os.path.lexists(netns.path_of(text)):
        return ""
    is_process = is_pid(text) and start_time(int(text)) is not None
    others = [f"process {text} is /proc/{text}/ns/net"] if is_process else []
    with contextlib.suppress(UsageFailure):
        begun = begins(text, known)
        others += [f"container {begun} needs more of its ID"] if begun else []
    return f"{text} is taken as the namespace of that name; {', '.join(others)}" if others else ""


def _named(text: str, known: Callable[[], list[Cached]]) -> Target:
    """A named namespace; where there is none, the one of the container that *text* means."""
    path = netns.path_of(text)
    if os.path.lexists(path):
        return Target(text, path)
    attached = known()
    container_id = identifiers.meant(text, [cached.request.container_id for cached in attached])
    paths = [cached.request.netns for cached in attached if cached.request.container_id == container_id]
    return Target(container_id, next(filter(None, paths), path))


def _at_path(path: str, known: Callable[[], list[Cached]]) -> Target:
    folder, name = os.path.split(path)
    if os.path.realpath(folder) == os.path.realpath(netns.DIRECTORY):
        return Target(name, netns.path_of(name))
    process = re.fullmatch(r"/proc/(\d+)/ns/net", path)
    if process:
        return _derive(process[1], known)
    import hashlib  # only for paths

    return Target("netns-" + hashlib.sha512(path.encode()).hexdigest()[:20], path)


def _missing(text: str, path: str) -> tuple[str, str, str]:
    if text.isdigit():
        return f"no process {text}, or its namespace may not be opened", "", PRIVILEGE if os.geteuid() else ""
    if "/" in text:
        return f"{text} is no network namespace", "", "want a file as in /run/netns, or /proc/PID/ns/net"
    hint = f"`cniwire up NETWORK {text}` makes it, `cniwire ls` shows what there is"
    return f"no namespace {text!r}", f"{path} is none", hint


def own_id() -> str:
    """The container ID for a namespace that lives as long as this process: `run-PID-STARTTIME`."""
    return f"run-{os.getpid()}-{start_time(os.getpid())}"


def owner_gone(container_id: str) -> bool:
    """Whether a container ID names a process, and that has ended."""
    match = PROCESS_ID.fullmatch(container_id)
    return bool(match and start_time(int(match[1])) != int(match[2]))


def process_gone(cached: Cached) -> bool:
    """Whether a namespace's path leads through a process that has ended; another may have its pid by now."""
    match = PROC.match(cached.request.netns)
    return bool(match and cached.started and start_time(int(match[1])) != cached.started)


def is_older_than_pids(container_id: str) -> bool:
    """Whether a container ID names a process that is older than process 1 of this pid namespace.

    Its pid is that of another process here. In the machine's first pid namespace no living process is older
    than process 1; such an ID is of an earlier boot there, and its process gone, so the answer is no.
    """
    match = PROCESS_ID.fullmatch(container_id)
    return bool(match and not surroundings.has_all_pids() and int(match[2]) < (start_time(1) or 0))


def gone(cached: Cached) -> str:
    """Why a cached attachment's container is provably gone, "" when that cannot be proven."""
    request = cached.request
    if owner_gone(request.container_id) or process_gone(cached):
        return "its process has ended"
    if request.netns and is_missing(request.netns):
        return f"{request.netns} is no namespace any more"
    return ""


def reachable(cached: Cached) -> str:
    """The namespace path for a DEL: "" when it is gone, or its pid may be another process's by now."""
    request = cached.request
    reused = request.container_id.startswith("pid-") and owner_gone(request.container_id)
    reused = reused or process_gone(cached)
    return "" if reused or netns.identity(request.netns) is None else request.netns


def noted(mark: bytes) -> tuple[bytes, bytes, str]:
    """(machine, boot, namespace path) in our host-local's mark on a reservation; empty for another mark.

    Form 1 holds four bytes of the boot ID. Forms 2 and 3 hold two, and behind them two of the namespace's
    identity, which are ignored here: if the boot's two are those of this boot, all of its four are returned.
    """
    form, machine, boot, path = mark[:1], mark[1:5], mark[5:9], os.fsdecode(mark[9:])
    if form in (b"2", b"3") and boot[:2] == here()[1][:2]:
        boot = here()[1]
    return (machine, boot, path) if form in (b"1", b"2", b"3") and path.startswith("/") else (b"", b"", "")


@functools.cache
def here() -> tuple[bytes, bytes]:
    """This machine and this boot as a mark of form 1 has them, four bytes each; empty if unknown."""
    try:
        with open("/etc/machine-id", "rb") as machine, open("/proc/sys/kernel/random/boot_id", "rb") as boot:
            boot_id = bytes.fromhex(boot.read(64).replace(b"-", b"").decode())
            return digest(machine.read(64).strip())[:4], boot_id[:4]
    except (OSError, ValueError):
        return b"", b""


def is_missing(path: str) -> bool:
    """Whether there is no namespace at *path* any more.

    False where we cannot know: its folder is not here (and it is not in /proc), or we may not look.
    """
    known_place = PROC.match(path) or os.path.isdir(os.path.dirname(path))
    return bool(known_place) and netns.identity(path) is None and not _hidden(path)


def _hidden(path: str) -> bool:
    """Whether *path* may exist without our being allowed to look."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except PermissionError:
            return True
    return False
