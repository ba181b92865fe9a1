"""`make bench`: our plugins and a peer's are measured in turn, on fake nodes of their own.

The results, a table, JSON and a drawing, are written to bench-results/.

Ends with 1 if a call of a plugin failed. Figures that miss their target are marked in the table and
do not fail it.
"""

import argparse
import os
import sys
from pathlib import Path

from launcher import lab
from tests.bench import plot, report
from tests.bench.node import CallFailed, Suite
from tests.bench.scenarios import ALL, FULL, SHORT, Bench

ROOT = Path(__file__).resolve().parents[2]
GO = Path("/usr/lib/cni")


def arguments() -> argparse.Namespace:
    names = [scenario.__name__ for scenario in ALL]
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    add, bundle = parser.add_argument, ROOT / "dist" / "cniwire"
    peers = "the other suite's executables (default: %(default)s)"
    add("--peer", type=Path, default=GO, metavar="DIR", help=peers)
    add("--peer-nftables", action="store_true", help="the peer has nftables backends: use them")
    checks = "the peer's portmap CHECK works; that of Go's v1.1.1 does not"
    add("--peer-checks-portmap", action="store_true", help=checks)
    add("--ours", type=Path, default=bundle, metavar="DIR", help="our executables (default: the bundle)")
    beside = "a third suite, such as another form of ours, called in the same rounds"
    add("--beside", type=Path, metavar="DIR", help=beside)
    rounds = f"calls of each kind and suite (default: {FULL.rounds})"
    add("--rounds", type=int, metavar="N", help=rounds)
    short = "every scenario once and small: proves that it works, measures nothing"
    add("--short", action="store_true", help=short)
    only = f"of {', '.join(names)}"
    add("--only", nargs="+", choices=names, default=names, metavar="SCENARIO", help=only)
    add("--output", type=Path, default=ROOT / "bench-results", metavar="DIR")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, "-m", "tests.bench", *sys.argv[1:]])
    size = SHORT if options.short else FULL
    ours = Suite(report.OURS, options.ours.resolve())
    peer = Suite(
        report.PEER,
        options.peer.resolve(),
        {"ipMasqBackend": "nftables"} if options.peer_nftables else {},
        {"backend": "nftables"} if options.peer_nftables else {},
        options.peer_checks_portmap,
    )
    beside = [Suite(report.BESIDE, options.beside.resolve())] if options.beside else []
    bench = Bench(
        (ours, peer, *beside),
        size._replace(rounds=options.rounds or size.rounds),
        lambda text: print(text, file=sys.stderr, flush=True),
    )
    try:
        for scenario in ALL:
            if scenario.__name__ in options.only:
                scenario(bench)
    except CallFailed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    print(*report.table(bench), "", *report.flatness(bench), sep="\n")
    report.write(bench, options.output)
    plot.write(bench, options.output)
    print(f"\nwritten: {options.output}/bench.txt bench.json bench.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
