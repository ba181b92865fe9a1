"""`python -m tests.bench.latency`: how long a small datagram waits where others fill a limited link.

For each suite and burst, eight TCP streams from another container run until the burst is used up and the
queue has what it takes; then a datagram is sent every 20 ms. The kernel that it runs on is named, and the
queue that ours found in it.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from launcher import lab
from tests.harness.configs import bridge
from tests.harness.host import Container, Host
from tests.harness.load import crowd, waits

ROOT = Path(__file__).resolve().parents[2]
GO = Path("/usr/lib/cni")
ADDRESS, STREAMS = "10.1.0.2", 8
# Megabits a second, and bits of burst: one second of the rate, and what containerd and CRI-O always send.
CASES = ((16, 16_000_000), (100, 2**32 - 1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency", description=__doc__)
    parser.add_argument("--peer", type=Path, default=GO, metavar="DIR", help="default: %(default)s")
    ours = "default: the checkout's, %(default)s"
    parser.add_argument("--ours", type=Path, default=ROOT / "bin", metavar="DIR", help=ours)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement (default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, "-m", "tests.bench.latency", *sys.argv[1:]])
    print(f"kernel {os.uname().release}; milliseconds: median, 95 of 100, most")
    for megabits, burst in CASES:
        for name, folder in (
            ("nobody else sends", None),
            ("reference", options.peer),
            ("ours", options.ours),
        ):
            found, queue = measured(options, folder, megabits * 10**6, burst)
            told = [f"{1000 * found[int((len(found) - 1) * part)]:.1f}" for part in (0.5, 0.95, 1)]
            print(
                f"{megabits} Mbit/s, burst {burst // 8} bytes, {name} ({queue}): {', '.join(told)}",
                flush=True,
            )
    return 0


def measured(
    options: argparse.Namespace, folder: Path | None, rate: int, burst: int
) -> tuple[list[float], str]:
    """The waits below one suite's limit, and the queue that it has there. No folder: on an idle link."""
    with tempfile.TemporaryDirectory(prefix="latency-") as place, Host(options.ours, Path(place)) as host:
        receiver, sender = host.container("c1"), host.container("c2")
        shaping = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
        suites = {"bandwidth": folder or options.ours}
        network = host.network(bridge(host.data, "10.1.0.0/24"), shaping, version="1.0.0", suites=suites)
        network.add(receiver, bandwidth={"ingressRate": rate, "ingressBurst": burst})
        network.add(sender)
        if folder is None:
            return waits(sender, receiver, ADDRESS, options.seconds), "empty"
        return below(options, sender, receiver, rate // 8, burst // 8), queue_of(host)


def below(
    options: argparse.Namespace, sender: Container, receiver: Container, rate: int, burst: int
) -> list[float]:
    """The waits of datagrams while the streams run at the limit."""
    with crowd(sender, receiver, ADDRESS, STREAMS) as running:
        while sum(each.received for each in running) < burst + 2 * rate:
            time.sleep(0.05)
        return waits(sender, receiver, ADDRESS, options.seconds)


def queue_of(host: Host) -> str:
    """What tc lists below the token bucket."""
    link = host.veth("net/c1/eth0")
    found = host.run_json(f"tc -json qdisc show dev {link}")
    return next((str(each["kind"]) for each in found if each.get("parent") == "1:1"), "the bucket's own")


if __name__ == "__main__":
    sys.exit(main())
