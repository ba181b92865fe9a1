"""`make fuzz`: random inputs, in process; a million in the long form.

The inputs are environments, configurations, results, files and netlink replies.
Whatever comes in: no exception, one JSON document or none, an error exactly when the exit code says so,
an error that was foreseen, and after an error nothing has changed. An input is known by target and number and
can be had again: `--target files --first 4711 --inputs 1`.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from launcher import lab
from tests.torture.fuzz.inputs import Inputs
from tests.torture.fuzz.scratch import Bench
from tests.torture.fuzz.targets import TARGETS, record

MS_RDONLY, MS_REMOUNT = 1, 32  # mount(2)
HARMLESS = ("proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "nsfs", "mqueue", "cgroup2", "cgroup")
LONG, SHORT = 1_000_000, 5_000
LONGEST_S = 20  # that one input may take


def overdue(_: int, __: object) -> None:
    raise TimeoutError(f"took longer than {LONGEST_S} s")


def run(target: str, numbers: range, bench: Bench, seed: int = 0) -> tuple[int, dict[str, str]]:
    """Try inputs; how many, and the findings, one example of each kind."""
    random = Random()
    found: dict[str, str] = {}
    signal.signal(signal.SIGALRM, overdue)
    for number in numbers:
        random.seed(f"{seed}/{target}/{number}")
        signal.alarm(LONGEST_S)
        try:
            TARGETS[target][0](bench, Inputs(random))
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            text = f"{type(error).__name__}: {error}"
            found.setdefault(text[:60], f"{target} {number}: {text}")
    signal.alarm(0)
    return len(numbers), found


def guard(folder: Path) -> None:
    """Make the machine's files read-only for this process: an input may name any path. Raises OSError."""
    lab.call(lab.libc.unshare, lab.CLONE_NEWNS | lab.CLONE_NEWNET)
    lab.mount("none", "/", flags=lab.MS_REC | lab.MS_PRIVATE)
    folder.mkdir(parents=True)
    lab.mount("tmpfs", str(folder), "tmpfs")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point, kind = line.split()[1:3]
        if kind not in HARMLESS:
            lab.mount("none", point, flags=MS_REMOUNT | lab.MS_BIND | MS_RDONLY)


def work(target: str, numbers: range, seed: int, folder: Path, outlet: int) -> None:
    """One process's part: findings and count as JSON to *outlet*."""
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 2)  # what plugins tell
    guard(folder)
    bench = Bench(folder / "bench")
    record(bench)
    count, found = run(target, numbers, bench, seed)
    os.write(outlet, json.dumps([target, count, found]).encode() + b"\n")


def fuzz(
    total: int, first: int = 0, seed: int = 0, only: str = "", workers: int = 2, tell: bool = True
) -> tuple[Counter[str], dict[str, str]]:
    """*total* inputs by *workers* processes; how many of each target, and the findings."""
    jobs = shares(total, first, only, workers)
    counts: Counter[str] = Counter()
    findings: dict[str, str] = {}
    running: dict[int, tuple[int, str]] = {}
    while jobs or running:
        while jobs and len(running) < workers:
            target, numbers = jobs.pop(0)
            reader, child = started(target, numbers, seed)
            running[reader] = child, target
        reader = next(iter(running))
        with os.fdopen(reader, closefd=True) as pipe:
            said = pipe.read()
        child, target = running.pop(reader)
        os.waitpid(child, 0)
        name, count, found = json.loads(said) if said else (target, 0, {"worker": f"{target}: died"})
        counts[name] += count
        findings |= found
        if tell:
            print(f"{name:12} {counts[name]:>8} inputs", *found.values(), sep="\n  ", flush=True)
    return counts, findings


def shares(total: int, first: int, only: str, workers: int) -> list[tuple[str, range]]:
    """What each process does: a target, and the numbers of its inputs."""
    parts = [(only, total)] if only else [(name, round(total * part)) for name, (_, part) in TARGETS.items()]
    found: list[tuple[str, range]] = []
    for name, count in parts:
        size = -(-count // workers)
        starts = range(0, count, size)
        found += [(name, range(first + start, first + min(start + size, count))) for start in starts]
    return found


def started(target: str, numbers: range, seed: int) -> tuple[int, int]:
    """A process that does one share: the descriptor to which it reports, and its number."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(target, numbers, seed, Path(f"/dev/shm/fuzz-{os.getpid()}"), writer)
        except BaseException as error:  # noqa: BLE001  the parent shall know
            findings = {"worker": f"{target}: {type(error).__name__}: {error}"}
            os.write(writer, json.dumps([target, 0, findings]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    return reader, child


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=LONG)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, default="")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    began = time.monotonic()
    total = SHORT if wanted.short else wanted.inputs
    counts, findings = fuzz(total, wanted.first, wanted.seed, wanted.target, wanted.workers)
    done, took = sum(counts.values()), time.monotonic() - began
    print(f"fuzz: {done} inputs in {took:.0f} s, {len(findings)} findings")
    return bool(findings) or done != total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
