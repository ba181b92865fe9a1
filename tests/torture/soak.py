"""`make soak`: random ADDs, CHECKs and DELs at 50 attachments alive, for an hour, then everything deleted.

Compared with the start: links, nft elements and chains, files, processes, the kernel's memory, and what ADD
and DEL take. Every call executes the plugins of the chain bridge + host-local + portmap, as a runtime does,
two at a time.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from launcher import lab
from tests.harness.configs import PORTMAP, bridge
from tests.torture.run import FOLDERS
from tests.torture.testbed import Attachment, Testbed, Truth

AT_ONCE = 2
NAMESPACES = 70  # containers: more than are alive, so that one may wait for its next life
SLOWER = 1.25  # by how much the last tenth may be slower than the first; the machine is not ours alone
SLACK_KB = 24 << 10  # of kernel memory that comes and goes by itself
SLABS = ("Slab", "SUnreclaim", "KernelStack", "PageTables", "Percpu")


class Sample(NamedTuple):
    """One call of the chain: when it began, in seconds since the start, and how many milliseconds it took."""

    verb: str
    at_s: float
    took_ms: float


def memory() -> dict[str, int]:
    """What the kernel uses, in KiB, by kind; of the whole machine."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {name.rstrip(":"): int(size) for name, size, *_ in lines if name.rstrip(":") in SLABS}


def objects() -> dict[str, int]:
    """Active slab objects of the kinds that attachments are made of, where the kernel tells."""
    try:
        lines = [line.split() for line in Path("/proc/slabinfo").read_text().splitlines()[2:]]
    except OSError:
        return {}
    return {
        name: int(active)
        for name, active, *_ in lines
        if name.startswith(("nf_", "nft_", "net_namespace", "sock_inode", "dentry", "skbuff"))
    }


def processes() -> list[str]:
    """Plugins that still run, in this lab's process namespace."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(os.path.basename(word) in (b"bridge", b"host-local", b"portmap") for word in command[:3]):
            found.append(b" ".join(command).decode(errors="replace"))
    return found


class Soak:
    """The load.

    alive: attachment -> the result of its chain and its host ports.
    lock: held to change or walk through what the workers share.
    """

    def __init__(self, folder: Path, executables: Path, attachments: int, seed: int) -> None:
        self.bed = Testbed(folder, executables)
        self.bed.networks = {
            "soak": [
                bridge(self.bed.data, "10.1.0.0/24", "fd01::/64", ipMasq=True, macspoofchk=True),
                PORTMAP,
            ]
        }
        self.random = random.Random(seed)
        self.wanted = attachments
        self.alive: dict[Attachment, tuple[Any, tuple[tuple[str, int], ...]]] = {}
        self.busy: set[Attachment] = set()
        self.lock = threading.Lock()
        self.samples: list[Sample] = []
        self.began = time.monotonic()
        self.all = [Attachment("soak", f"c{number}", "eth0") for number in range(NAMESPACES)]
        for at in self.all:
            self.bed.container(at.container)

    def chain(self, verb: str, at: Attachment, result: Any, ports: tuple[tuple[str, int], ...]) -> Any:
        """One verb of all plugins. Raises AssertionError with the plugin's error."""
        path = str(self.bed.container(at.container).path)
        order = reversed(range(2)) if verb == "DEL" else range(2)
        began = time.monotonic()
        for number in order:
            keys = {"prevResult": result} if result else {}
            code, stdout = self.bed.ended(
                self.bed.started(verb, at, self.bed.request(at, number, ports, **keys), path)
            )
            assert code == 0, f"{verb} {at}: {stdout.decode()}"
            result = json.loads(stdout) if verb == "ADD" else result
        self.samples.append(Sample(verb, began - self.began, (time.monotonic() - began) * 1000))
        return result

    def choose(self) -> tuple[str, Attachment]:
        """What to do next: keep the number of the living where it is wanted, one call for each attachment."""
        with self.lock:
            living = [at for at in self.alive if at not in self.busy]
            resting = [at for at in self.all if at not in self.alive and at not in self.busy]
            deed = self.random.random()
            verb = (
                "ADD"
                if not living or (len(self.alive) < self.wanted and deed < 0.8)
                else "DEL"
                if deed < 0.9
                else "CHECK"
            )
            at = self.random.choice(resting if verb == "ADD" else living)
            self.busy.add(at)
            return verb, at

    def step(self) -> None:
        """One call, whose kind and attachment are random; now and then the container dies first."""
        verb, at = self.choose()
        try:
            number = self.all.index(at)
            if verb == "ADD":
                ports = tuple(
                    [
                        (self.random.choice(("tcp", "udp")), 20000 + 4 * number + each)
                        for each in range(self.random.randrange(4))
                    ]
                )
                made = self.chain("ADD", at, None, ports)
                with self.lock:
                    self.alive[at] = made, ports
            else:
                result, ports = self.alive[at]
                dies = verb == "DEL" and self.random.random() < 0.2
                if dies:
                    self.bed.containers[at.container].close()
                self.chain(verb, at, result if self.random.random() < 0.8 or verb == "CHECK" else None, ports)
                if dies:
                    del self.bed.containers[at.container]
                    self.bed.container(at.container)
                if verb == "DEL":
                    with self.lock:
                        del self.alive[at]
        finally:
            with self.lock:
                self.busy.discard(at)

    def steps(self, until: float) -> int:
        """One worker's part: steps until *until*, living in the host's namespace."""
        done = 0
        with self.bed.host.entered():
            while time.monotonic() < until:
                self.step()
                done += 1
        return done

    def run(self, seconds: float) -> int:
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(self.steps, [until] * AT_ONCE))

    def empty(self) -> None:
        """Delete everybody."""
        for at, (result, ports) in list(self.alive.items()):
            self.chain("DEL", at, result, ports)
            del self.alive[at]

    def warm(self) -> None:
        """Every container lives once, so that what is made only once exists before the start is measured."""
        for at in self.all[:8]:
            self.alive[at] = self.chain("ADD", at, None, (("udp", 30000 + self.all.index(at)),)), ()
        self.empty()
        self.samples.clear()


def differences(before: Truth, after: Truth) -> list[str]:
    """What is not as at the start."""
    found = [
        f"{name}: {sorted(map(str, is_))[:9]}"
        for name, was, is_ in zip(Truth._fields, before, after)
        if was != is_
    ]
    return found + [f"process: {line}" for line in processes()]


def settled() -> None:
    """Give the kernel time to free what was deleted: namespaces and rules go in the background."""
    for _ in range(3):
        with suppress(PermissionError):  # of an ordinary user; what is cached then counts as used
            Path("/proc/sys/vm/drop_caches").write_text("2")
        time.sleep(1)


def pace(samples: list[Sample], verb: str, seconds: float) -> tuple[float, float]:
    """Medians in ms of the first and the last tenth; what empties the node in the end does not count."""
    took = [one for one in samples if one.verb == verb]
    first = [one.took_ms for one in took if one.at_s <= max(seconds / 10, 1)]
    last = [one.took_ms for one in took if seconds * 0.9 <= one.at_s <= seconds]
    return (statistics.median(first) if first else 0.0), (statistics.median(last) if last else 0.0)


def soak(seconds: float, executables: Path, attachments: int, seed: int, strict: bool) -> list[str]:
    """Run it and print the figures; what is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir="/dev/shm"))
    load = Soak(folder, executables, attachments, seed)
    try:
        load.warm()
        settled()
        before, memory_before, objects_before = load.bed.truth(), memory(), objects()
        load.began = time.monotonic()
        done = load.run(seconds)
        alive = len(load.alive)
        load.empty()
        settled()
        after, memory_after, objects_after = load.bed.truth(), memory(), objects()
    finally:
        load.bed.close()
        shutil.rmtree(folder, ignore_errors=True)
    wrong = differences(before, after)
    print(f"{done} calls of the chain in {seconds:.0f} s, {alive} attachments alive at the end")
    for verb in ("ADD", "CHECK", "DEL"):
        first, last = pace(load.samples, verb, seconds)
        count = sum(one.verb == verb for one in load.samples)
        medians = f"median {first:6.1f} ms in the first tenth, {last:6.1f} ms in the last"
        print(f"{verb:6} {count:7}   {medians}")
        if strict and verb != "CHECK" and last > first * SLOWER:
            wrong.append(f"{verb} became slower: {first:.1f} ms, then {last:.1f} ms")
    for name, was in memory_before.items():
        print(f"{name:12} {was:9} KiB, then {memory_after[name]:9} KiB ({memory_after[name] - was:+})")
    grown = memory_after.get("SUnreclaim", 0) - memory_before.get("SUnreclaim", 0)
    if strict and grown > SLACK_KB:
        wrong.append(f"the kernel's memory grew by {grown} KiB")
    print(
        "slab objects",
        ", ".join(f"{name} {objects_after.get(name, 0) - was:+}" for name, was in objects_before.items())
        or "cannot be read here",
    )
    return wrong


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long (default: 60; with --short eight seconds)")
    parser.add_argument("--short", action="store_true", help="pace and memory are printed only")
    parser.add_argument("--attachments", type=int, default=50, help="alive at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plugins", default="source", help="source, bundle or a folder")
    wanted = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    executables = FOLDERS.get(wanted.plugins, Path(wanted.plugins)).resolve()
    seconds = 60 * wanted.minutes if wanted.minutes else 8 if wanted.short else 3600
    wrong = soak(seconds, executables, wanted.attachments, wanted.seed, not wanted.short)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"soak: {len(wrong)} differences from the start")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
