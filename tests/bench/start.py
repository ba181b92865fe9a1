"""How long executables take to start: python -m tests.bench.start EXECUTABLE...

Each is called with VERSION in turn, and again, so that what else a machine does meets all of them alike. The
ratio is the median of the rounds' ratios to the first.
"""

import os
import statistics
import sys
import time

ROUNDS, WARMING = 200, 5
ENVIRON = {"CNI_COMMAND": "VERSION"}


def start_ms(executable: str, nowhere: int) -> float:
    """How long one call took, in ms. Raises ChildProcessError when it failed."""
    begin = time.perf_counter_ns()
    quiet = [(os.POSIX_SPAWN_DUP2, nowhere, 1)]
    child = os.posix_spawn(executable, [executable], ENVIRON, file_actions=quiet)
    _, status = os.waitpid(child, 0)
    took = (time.perf_counter_ns() - begin) / 1e6
    if status:
        raise ChildProcessError(f"{executable}: status {status}")
    return took


def main(executables: list[str]) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    rounds = [[start_ms(each, nowhere) for each in executables] for _ in range(ROUNDS + WARMING)][WARMING:]
    for executable, took in zip(executables, zip(*rounds), strict=True):
        ratio = statistics.median(one / first for one, (first, *_) in zip(took, rounds, strict=True))
        print(f"{statistics.median(took):7.2f} ms (min {min(took):.2f})  {ratio:5.2f}  {executable}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
