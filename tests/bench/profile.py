"""`make profile`: where the time of one call goes, from runs of the real bundle under strace.

What a usual ADD loads lies in one piece in the bundle; traced is a copy in which every module is read by
itself, so that each shows. Tracing makes every traced call some 20 to 40 microseconds dearer;
the untraced time is told beside the sum. Figures are medians of several calls.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bundle.build import archive
from launcher import lab
from tests.bench.chain import Chain
from tests.bench.node import Attachment, Json, Node, Suite

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "dist" / "cniwire"
PLACES = ROOT / "build" / "modules.json"  # where bundle/build.py wrote which module lies where in the archive
ARCHIVE = "cniwire.modules"
FILES = "openat,read,write,fsync,fdatasync,flock,unlink,unlinkat,rename,renameat,link,linkat,close"
CALLS = f"execve,pread64,{FILES},socket,sendto,sendmsg,recvfrom,recvmsg,setns,poll,select,exit_group"
STRACE = (
    *("/usr/bin/strace", "-f", "--seccomp-bpf", "-ttt", "-T", "-yy", "-s", "4"),
    *("-e", f"trace={CALLS}", "--signal=none"),
)
OF_RESERVATIONS = ("flock", "unlink", "unlinkat", "rename", "renameat", "link", "linkat")
LINE = re.compile(
    r"^(?:\d+ +)?(?P<at>\d+\.\d+) (?P<call>\w+)\((?P<arguments>.*)\)\s+= .*<(?P<took>\d+\.\d+)>$"
)


class Event(NamedTuple):
    """One traced system call; times in ms, from the first."""

    at: float
    took: float
    call: str
    arguments: str


def events(trace: Path) -> list[Event]:
    """Every call of *trace* in order, with the end of the process as the last."""
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match:
            found.append(
                Event(float(match["at"]) * 1e3, float(match["took"]) * 1e3, match["call"], match["arguments"])
            )
        elif "+++ exited" in line:
            found.append(Event(float(line.split("+++")[0].split()[-1]) * 1e3, 0.0, "exit", ""))
    return [event._replace(at=event.at - found[0].at) for event in found]


def module_names() -> dict[int, str]:
    """Offset in the archive to module."""
    places: dict[str, tuple[int, int]] = json.loads(PLACES.read_text()) if PLACES.exists() else {}
    return {offset: name for name, (_, offset) in places.items()}


def kind(event: Event) -> str:
    """What a call at work is for, as a line of the profile."""
    for word, socket in (("NETFILTER", "nft"), ("ROUTE", "rtnetlink"), ("NETLINK", "netlink")):
        if word in event.arguments.split(",")[0]:
            return f"kernel: {socket} {'close' if event.call == 'close' else 'messages'}"
    if event.call == "socket" or "socket:[" in event.arguments:
        return f"kernel: {'other sockets' if event.call != 'close' else 'packet socket close'}"
    if event.call in ("poll", "select"):
        return "kernel: waiting"
    if event.call in ("fsync", "fdatasync"):
        return "files of the reservations, to disk"
    if event.call == "setns" or "/ns/" in event.arguments or "netns" in event.arguments:
        return "kernel: namespaces"
    if "/proc/sys" in event.arguments or "/sys/" in event.arguments:
        return "kernel: sysctl and sysfs"
    if event.call in OF_RESERVATIONS or "networks" in event.arguments:
        return "files of the reservations"
    return "files, other"


def parts(found: list[Event], modules: dict[int, str]) -> Iterator[tuple[str, float]]:
    """(line of the profile, ms) for each stretch of one traced call; together they are the whole of it."""
    starts = [number for number, event in enumerate(found) if event.call == "execve"]
    opened = [event.call == "openat" and ARCHIVE in event.arguments for event in found]
    archive = opened.index(True)
    yield "start: interpreter", found[archive].at - found[starts[-1]].at
    batch: dict[str, int] = {}
    for event, following in zip(found[archive:], found[archive + 1 :], strict=False):
        after = following.at - event.at - event.took
        if event.call == "pread64" and ARCHIVE in event.arguments:
            offset = int(event.arguments.rsplit(",", 1)[1])
            yield f"import: {modules.get(offset, f'module at {offset}')}", event.took + after
            continue
        name = kind(event)
        if event.call in ("sendto", "sendmsg"):
            batch[name] = batch.get(name, 0) + 1
        is_batch = name.endswith("messages") and name in batch
        yield f"{name}, batch {batch[name]}" if is_batch else name, event.took
        is_end = following.call == "exit" and event.call == "exit_group"
        yield "end of the process" if is_end else "Python between calls", after


def taken_apart(folder: Path) -> Suite:
    """A copy of the bundle whose modules are read one by one."""
    copy = folder / "apart"
    shutil.copytree(BUNDLE, copy, symlinks=True)
    archive(copy / "lib", apart=True)
    return Suite("apart", copy)


class Profile:
    """Calls of bridge and portmap, with and without a tracer.

    traced: for each plugin the parts of each traced call of *verb*; plain: the wall times of untraced ones.
    """

    def __init__(self, node: Node, apart: Suite, verb: str) -> None:
        self.node, self.apart, self.whole, self.verb = node, apart, node.suite, verb
        self.chain, self.modules, self.trace = Chain(), module_names(), node.folder / "trace"
        self.tracer = [*STRACE, "-o", str(self.trace)]
        self.traced: dict[str, list[dict[str, float]]] = {"bridge": [], "portmap": []}
        self.plain: dict[str, list[float]] = {"bridge": [], "portmap": []}

    def measure(self, rounds: int) -> None:
        """Add and delete so many attachments of each kind; the first two warm up."""
        place = self.node.container()
        for number in range(2 * rounds + 2):
            attachment, traced = self.node.successor(place), bool(number % 2)
            result = self.call("bridge", "ADD", attachment, None, traced)
            result = self.call("portmap", "ADD", attachment, result, traced)
            for plugin in ("bridge", "portmap"):
                self.call(plugin, "CHECK", attachment, result, traced)
            for plugin in ("portmap", "bridge"):
                self.call(plugin, "DEL", attachment, result, traced)
        for found in (self.traced, self.plain):
            for calls in found.values():
                del calls[:1]

    def call(
        self, plugin: str, command: str, attachment: Attachment, previous: Json | None, traced: bool
    ) -> Json:
        measured = command == self.verb
        self.node.prefix = self.tracer if traced and measured else []
        self.node.suite = self.apart if traced and measured else self.whole
        config = self.chain.bridge(self.node) if plugin == "bridge" else self.chain.portmap(self.node)
        sample, result = self.node.call(command, config, attachment, previous)
        if measured and traced:
            sums: dict[str, float] = {}
            for name, ms in parts(events(self.trace), self.modules):
                sums[name] = sums.get(name, 0.0) + ms
            self.traced[plugin].append(sums)
        elif measured:
            self.plain[plugin].append(sample.wall_ms)
        return result


def told(plugin: str, verb: str, traced: list[dict[str, float]], plain: list[float]) -> Iterator[str]:
    """The profile of one plugin, imports after the rest and the dearest first."""
    names = sorted({name for sums in traced for name in sums})
    medians = {name: statistics.median(sums.get(name, 0.0) for sums in traced) for name in names}
    imports = {name: ms for name, ms in medians.items() if name.startswith("import: ")}
    total = sum(medians.values())
    yield f"{plugin} {verb}: {statistics.median(plain):.2f} ms untraced, {total:.2f} ms traced"
    rest = {name: ms for name, ms in medians.items() if name not in imports}
    for name, ms in [*rest.items(), (f"imports, {len(imports)} modules", sum(imports.values()))]:
        yield f"  {name:50}{ms:7.2f}"
    for name, ms in sorted(imports.items(), key=lambda item: -item[1]):
        yield f"    {name:48}{ms:7.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make profile ARGS=...", description=__doc__)
    parser.add_argument("--verb", choices=("ADD", "CHECK", "DEL"), default="ADD")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, "-m", "tests.bench.profile", *sys.argv[1:]])
    with (
        tempfile.TemporaryDirectory(prefix="profile-") as folder,
        Node(Suite("ours", BUNDLE), Path(folder)) as node,
    ):
        profile = Profile(node, taken_apart(Path(folder)), options.verb)
        profile.measure(options.rounds)
    for plugin, traced in profile.traced.items():
        print(*told(plugin, options.verb, traced, profile.plain[plugin]), "", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
