"""Signals that come between the last look at them and the kernel's wait.

Python's C code has noted them, but nothing wakes the waiting.
"""

import subprocess
import sys
import time

import pytest

# A signal that another thread takes is just that: noted, while the main thread's wait goes on.
PROGRAM = """
import os, select, signal, threading, time
from core import deadline
deadline.begin({budget_s})
number = signal.{signal}
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
if number != signal.SIGALRM:
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    threading.Timer(0.3, os.kill, [os.getpid(), number]).start()
else:  # the first ring after the end is missed
    ring = signal.getsignal(number)
    missed = []
    def deaf_once(*arguments):
        if time.monotonic() >= deadline.WAITING.end and not missed:
            missed.append(1)
            return
        ring(*arguments)
    signal.signal(number, deaf_once)
try:
    with deadline.WAITING:
        select.select([], [], [], 20)
except deadline.Expired as error:
    print(error.code, error.msg, flush=True)
"""


@pytest.mark.parametrize(
    ("signal", "budget_s", "expected"),
    [
        ("SIGTERM", 50, "11 SIGTERM was received: given up, and undone"),
        ("SIGINT", 50, "11 SIGINT was received: given up, and undone"),
        ("SIGALRM", 1, "11 it did not end within 1 s: given up, and undone"),
    ],
)
def test_a_wait_that_missed_a_signal_hears_it_at_the_next_tick(
    signal: str, budget_s: int, expected: str
) -> None:
    begin = time.monotonic()
    program = PROGRAM.format(signal=signal, budget_s=budget_s)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (expected, "")
    assert time.monotonic() - begin < 15


def test_ticks_before_the_end_end_nothing() -> None:
    program = "import select\nfrom core import deadline\ndeadline.begin(50)\n"
    program += "with deadline.WAITING: select.select([], [], [], 2.5)\nprint('whole')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("whole", "")
