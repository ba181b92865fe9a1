"""One budget for a whole verb: when it is spent, or a signal says stop, the verb is undone: "try again".

Law: a signal never interrupts work, only waiting. Its handler raises inside `with WAITING`; elsewhere it
notes the reason in `told`, and `check` raises at the next point where all that was done is known. Undoing
gets a short budget of its own, which no further signal cuts short; so does the delivery of the answer.

Why a handler must not raise just anywhere: between the request that makes something and the line that notes
it there is always an instruction, and an exception there would leave a link or a reservation that nobody
knows of. So work and waiting are kept apart. A system call that may block (a lock, a socket, a pipe,
a child) is made inside `with WAITING`. Everything else is short, and calls `check` where it loops:
before each batch of a plan, at each element, at each address that is tried.

How the end of the budget comes: a timer ticks every second, and at each tick the handler compares the clock
with the end. One alarm at the end would not do. A signal may arrive after `told` was looked at and before the
kernel has begun to wait; without further ticks, nothing would end that wait, which may last for ever.

How it goes on: Expired is an error like any other, with code 11 (try again). apply undoes what was made,
with a grace of ten seconds. Signals are no longer heard in it, as the runtime's second SIGTERM would
otherwise leave half of it undone. Once the answer is known it is delivered under the same grace,
since a runtime that has it may rely on it.
"""

from __future__ import annotations

from time import monotonic

from core.errors import TRY_AGAIN_LATER, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import ITIMER_REAL, SIGALRM, SIGINT, SIGTERM, setitimer, signal
else:
    from _signal import ITIMER_REAL, SIGALRM, SIGINT, SIGTERM, setitimer, signal

BUDGET_S = 50  # below the two minutes that kubelet and CRI-O give a whole chain
LONGEST_S = 10**6
GRACE_S = 10  # for undoing, once the budget is spent, and for delivering an answer
# Whole seconds, in the environment and in the configuration
VARIABLE, KEY = "CNIWIRE_TIMEOUT", "timeoutSeconds"
# How late a signal is heard that came after the last check, but before the kernel began to wait
TICK_S = 1
REASONS: dict[int, str] = {SIGTERM: "SIGTERM was received", SIGINT: "SIGINT was received"}


class Expired(CNIError):
    """The budget is spent, or a signal asked us to stop."""


class _Budget:
    """The state of the one verb that this process carries out."""

    end = 0.0  # monotonic seconds; 0 while nothing was begun
    seconds = 0
    waiting = 0
    told: str = ""  # why to stop, "" while there is no reason
    deaf = False  # to signals: we are undoing, or have an answer

    def __enter__(self) -> None:
        if self.told:
            check()
        self.waiting += 1

    def __exit__(self, *_: object) -> None:
        self.waiting -= 1


WAITING = _Budget()


def begin(seconds: int) -> None:
    """Start the budget and take SIGTERM and SIGINT as its end."""
    for number in (SIGALRM, SIGTERM, SIGINT):
        signal(number, _ring)
    _start(seconds)


def limit(seconds: int) -> None:
    """Change the budget to *seconds* from now.

    Nothing changes with 0 seconds, with those that are set already (IPAM in process reads the same
    configuration), while undoing, and in a process that never began a budget.
    """
    if seconds and WAITING.end and not WAITING.deaf and seconds != WAITING.seconds:
        _start(seconds)


def _start(seconds: int) -> None:
    WAITING.seconds, WAITING.end = seconds, monotonic() + seconds
    setitimer(ITIMER_REAL, TICK_S, TICK_S)


def chosen(given: str) -> int:
    """The budget that the environment asks for, in seconds; BUDGET_S when it says nothing of use."""
    # More digits may be more than Python converts
    is_number = given.isascii() and given.isdigit() and len(given) <= len(str(LONGEST_S))
    return int(given) if is_number and 0 < int(given) <= LONGEST_S else BUDGET_S


def _ring(number: int, _: object) -> None:
    if number == SIGALRM and monotonic() >= WAITING.end:
        WAITING.told = WAITING.told or f"it did not end within {WAITING.seconds} s"
    elif number != SIGALRM and not WAITING.deaf:
        WAITING.told = WAITING.told or REASONS[number]
    if WAITING.waiting:
        check()


def check() -> None:
    """Raise Expired if there is a reason to stop: to be called where everything done so far is known."""
    if WAITING.told:
        raise Expired(
            TRY_AGAIN_LATER,
            f"{WAITING.told}: given up, and undone",
            f"the budget of a verb is {KEY} in the configuration, or {VARIABLE}",
        )


def left(most: float) -> float:
    """Seconds that a wait may take: *most*, or what is left of the budget."""
    return max(0.0, min(most, WAITING.end - monotonic())) if WAITING.end else most


def grace() -> None:
    """Forget why to stop, ignore further signals, and grant GRACE_S to undo or to deliver the answer."""
    if WAITING.end:
        WAITING.told, WAITING.deaf = "", True
        WAITING.seconds, WAITING.end = GRACE_S, max(WAITING.end, monotonic() + GRACE_S)
