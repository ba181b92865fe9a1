"""The figures as a table, as JSON and against the targets."""

import json
import os
import platform
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from launcher.installation.versions import STATIC as NAME
from tests.bench.node import Sample
from tests.bench.scenarios import EMPTY, Bench, Row

# ours / peer's, ratio of medians; a rate's is the other way about: so many times the peer's.
TARGETS = {
    Row("chain IPv4, ipMasq, 1 port", "ADD"): 0.35,
    Row("chain IPv4, ipMasq, 1 port", "DEL"): 0.38,
    Row("chain IPv4, ipMasq, 1 port", "CHECK bridge"): 1.2,
    Row("chain dual stack, ipMasq, 1 port", "ADD"): 0.30,
    Row("chain dual stack, ipMasq, 1 port", "DEL"): 0.35,
    Row("chain IPv4, ipMasq, 20 ports", "ADD"): 0.10,
    Row("chain IPv4, ipMasq, iptables, 1 port", "ADD"): 0.50,
    Row("chain dual stack, ipMasq, iptables, 1 port", "ADD"): 0.50,
    Row("Podman's default network", "ADD"): 0.30,
    Row("Podman's default network", "DEL"): 0.35,
    Row("Kubernetes, a pod with limits", "ADD"): 0.30,
    Row("Kubernetes, a pod with limits", "DEL"): 0.35,
    Row("chain, 100 containers there", "ADD"): 0.22,
    Row("host-local, 60000 reserved, next free", "ADD"): 0.03,
    Row("host-local, 60000 reserved, next free", "DEL"): 0.03,
    Row("host-local, 60000 reserved, all tried", "ADD"): 0.03,
    Row("host-local, 60000 reserved, all tried", "DEL"): 0.03,
    Row("chain, 20 ADDs at once", "ADD", "1/s"): 2.5,
}
# Of the executable that resumes (make dist), besides.
RESUMED = {
    Row("bridge alone", "VERSION"): 0.35,
    Row("chain IPv4, ipMasq, 1 port", "ADD"): 0.20,
    Row("chain IPv4, ipMasq, 1 port", "DEL"): 0.24,
    Row("host-local alone", "ADD"): 0.70,
    Row("chain, 20 ADDs at once", "ADD", "1/s"): 7.0,
}
# Ours on a full node / ours on an empty one, in the same rounds.
FLAT = (
    *(Row("chain, 500 containers there", verb) for verb in ("ADD", "DEL")),
    *(
        Row(f"host-local, 60000 reserved, {tried}", verb)
        for tried in ("next free", "all tried")
        for verb in ("ADD", "DEL")
    ),
    *(Row("portmap, 2000 mappings there", verb) for verb in ("ADD", "CHECK", "DEL")),
)
FLAT_MAX = 1.3
PEAK_MAX_KIB = 12_000
OURS, PEER, BESIDE = "ours", "peer", "beside"


class Figures(NamedTuple):
    """A row's median, smallest and largest wall time (or rate), median CPU time, and peak memory."""

    median: float
    smallest: float
    largest: float
    cpu_ms: float
    peak_kib: int

    @classmethod
    def of(cls, samples: list[Sample], peak_kib: int) -> "Figures":
        walls = [sample.wall_ms for sample in samples]
        return cls(
            statistics.median(walls),
            min(walls),
            max(walls),
            statistics.median(sample.cpu_ms for sample in samples),
            peak_kib,
        )

    def __str__(self) -> str:
        peak = f"{self.peak_kib / 1000:4.1f}" if self.peak_kib else "   -"
        wall = f"{self.median:7.1f} ({self.smallest:.1f}-{self.largest:.1f})"
        return f"{wall:24}{self.cpu_ms:7.1f} {peak}"


def figures(bench: Bench) -> dict[Row, dict[str, Figures]]:
    return {
        row: {
            suite: Figures.of(samples, bench.peaks.get(row, {}).get(suite, 0))
            for suite, samples in suites.items()
        }
        for row, suites in bench.samples.items()
    }


def ratio(suites: dict[str, Figures]) -> float | None:
    """Ours to the peer's, of medians; None where only one was measured."""
    return suites[OURS].median / suites[PEER].median if OURS in suites and PEER in suites else None


def paired(bench: Bench, row: Row) -> float | None:
    """The median of each round's ratio."""
    suites = bench.samples[row]
    if OURS not in suites or PEER not in suites:
        return None
    return statistics.median(
        ours.wall_ms / peer.wall_ms for ours, peer in zip(suites[OURS], suites[PEER], strict=True)
    )


def cpu_ratio(suites: dict[str, Figures]) -> str:
    """Ours to the peer's, of CPU time: what is left of a ratio on a machine that does other things too."""
    if OURS not in suites or PEER not in suites or not suites[PEER].cpu_ms:
        return ""
    return f"{suites[OURS].cpu_ms / suites[PEER].cpu_ms:6.3f}"


def target(bench: Bench, row: Row) -> float | None:
    """What is wanted of *row*, of the executables that are measured."""
    resumes = (bench.suites[0].folder / NAME).exists()
    return (RESUMED if resumes else TARGETS).get(row) or TARGETS.get(row)


def verdict(row: Row, target: float | None, found: float | None) -> str:
    """What was wanted of *row*, and whether it was met."""
    if target is None or found is None:
        return ""
    met = found >= target if row.unit == "1/s" else found <= target
    return f"{'>=' if row.unit == '1/s' else '<='} {target:.2f} {'met' if met else 'MISSED'}"


def table(bench: Bench) -> Iterator[str]:
    """A line for each row, with the ratios of ours to the peer's and the target.

    Of each suite: wall time as median (min-max), CPU time, peak memory in MB. Ratios: of medians,
    of pairs, of CPU. Of the suite beside them: the median, and ours to it.
    """
    third = f"  {BESIDE}: median, ratio" if len(bench.suites) > 2 else ""
    heads = "  ".join(f"{name + ': median (min-max)':25}{'CPU':>6} {'MB':>4}" for name in (OURS, PEER))
    yield f"{'milliseconds, or ADDs per second':54}{heads}   ratio paired    CPU target{third}"
    scenario = ""
    for row, suites in figures(bench).items():
        columns = "  ".join(str(suites[name]) if name in suites else " " * 36 for name in (OURS, PEER))
        found, pairs = ratio(suites), paired(bench, row)
        ratios = ""
        if found is not None and pairs is not None:
            ratios = (
                f"{found:6.3f} {pairs:6.3f} {cpu_ratio(suites)} {verdict(row, target(bench, row), found)}"
            )
        if BESIDE in suites and OURS in suites:
            quotient = suites[OURS].median / suites[BESIDE].median
            ratios = f"{ratios:36}{suites[BESIDE].median:8.1f} {quotient:6.3f}"
        head = row.scenario if row.scenario != scenario else ""
        yield f"{head:40}{row.verb:14}{columns}  {ratios}".rstrip()
        scenario = row.scenario


def flatness(bench: Bench) -> Iterator[str]:
    """Lines: what a full node costs us, against an empty one."""
    known = figures(bench)
    for row in FLAT:
        if EMPTY in known.get(row, ()):
            full, empty = known[row][OURS], known[row][EMPTY]
            growth = full.median / empty.median
            judged = "met" if growth <= FLAT_MAX else "MISSED"
            times = f"{growth:5.2f} times an empty node's {empty.median:.1f} ms"
            yield f"{row.scenario:40}{row.verb:14}{times}; <= {FLAT_MAX} {judged}"
    peak = max((suites[OURS].peak_kib for suites in known.values() if OURS in suites), default=0)
    judged = "met" if peak <= PEAK_MAX_KIB else "MISSED"
    yield f"{'largest peak of ours':54}{peak / 1000:5.1f} MB; <= {PEAK_MAX_KIB / 1000:.0f} {judged}"


def document(bench: Bench) -> dict[str, Any]:
    """Everything, every sample included, for whoever computes on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "kernel": platform.release(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
        },
        "suites": {suite.name: str(suite.folder) for suite in bench.suites},
        "rounds": bench.size.rounds,
        "rows": [
            {
                "scenario": row.scenario,
                "verb": row.verb,
                "unit": row.unit,
                "ratio": ratio(suites),
                "paired": paired(bench, row),
                "target": target(bench, row),
                "suites": {name: found._asdict() for name, found in suites.items()},
                "samples": {
                    name: [[sample.wall_ms, sample.cpu_ms] for sample in samples]
                    for name, samples in bench.samples[row].items()
                },
            }
            for row, suites in figures(bench).items()
        ],
    }


def write(bench: Bench, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(document(bench), indent=1))
    (folder / "bench.txt").write_text("".join(f"{line}\n" for line in (*table(bench), "", *flatness(bench))))
