"""What the torture commands share: options, two processes, and the table at the end."""

import argparse
import compileall
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from launcher import lab
from tests.torture.subject import BY_NAME, ROOT

FOLDERS = {"source": ROOT / "bin", "bundle": ROOT / "dist" / "cniwire"}
PROCESSES = 2
SHOWN = 40  # places with findings


class Finding(NamedTuple):
    """Something that is not as it has to be."""

    job: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.job}: {self.where}: {self.what}"


class Tally:
    """What some tries found. counts: remarkable, but no finding."""

    def __init__(self) -> None:
        self.tries = 0
        self.counts: dict[str, int] = {}
        self.findings: list[Finding] = []

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def add(self, other: "Tally") -> None:
        self.tries += other.tries
        for what, number in other.counts.items():
            self.count(what, number)
        self.findings += other.findings

    def __str__(self) -> str:
        broken = len({finding[:2] for finding in self.findings})
        remarks = "".join(f", {number} {what}" for what, number in sorted(self.counts.items()))
        return f"{self.tries} tries, {broken} with a leak or another fault{remarks}"


def told(findings: list[Finding]) -> Iterator[str]:
    """One line for each place: its first finding, and how many more there are."""
    places: dict[str, list[str]] = {}
    for finding in findings:
        places.setdefault(finding.where, []).append(finding.what)
    for where, found in list(places.items())[:SHOWN]:
        yield f"{where}: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else "")
    if len(places) > SHOWN:
        yield f"... and {len(places) - SHOWN} places more"


def options(name: str, about: str | None, flags: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"make {name} ARGS=...", description=about)
    parser.add_argument(
        "--short", action="store_true", help="some points only: proves that the machinery works, in seconds"
    )
    parser.add_argument(
        "--plugins", default="source", metavar="source|bundle|DIR", help="executables (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(BY_NAME),
        metavar="SUBJECT",
        default=[],
        help=f"of {', '.join(BY_NAME)}",
    )
    parser.add_argument(
        "--processes", type=int, default=PROCESSES, metavar="N", help="at once (default: %(default)s)"
    )
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def main(
    name: str,
    about: str | None,
    jobs: Callable[[Path, list[str], bool], list[Any]],
    tasks: Callable[[Any, bool], list[Any]],
    work: Callable[[Any, Any], Tally],
    *flags: str,
) -> int:
    """Do all *jobs* in a lab: *tasks* splits one up, *work* does a part of it.

    flags: options that the jobs look for themselves.
    """
    chosen = options(name, about, flags)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    executables = FOLDERS.get(chosen.plugins, Path(chosen.plugins)).resolve()
    # Calls are counted, and the first run of a checkout would also write its bytecode.
    for package in ("core", "ipam", "plugins"):
        compileall.compile_dir(ROOT / package, quiet=1)
    total, started = Tally(), time.monotonic()
    # A process enters the namespaces of its nodes; forked, it needs no imports of its own.
    with ProcessPoolExecutor(chosen.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        wanted = jobs(executables, chosen.only, chosen.short)
        futures: list[tuple[Any, list[Future[Tally]]]] = []
        for job, parts in zip(wanted, pool.map(tasks, wanted, [chosen.short] * len(wanted))):
            futures.append((job, [pool.submit(work, job, part) for part in parts]))
        for job, done in futures:
            tally = Tally()
            for future in done:
                tally.add(future.result())
            print(f"{job}: {tally}", flush=True)
            for line in told(tally.findings):
                print(f"    {line}", flush=True)
            total.add(tally)
    print(f"{name}: {total}; {time.monotonic() - started:.0f} s")
    return 1 if total.findings or not total.tries else 0
