"""`make torture-crash`: kill -9 at every system call of ADD and DEL that changes anything.

After each kill comes DEL, or GC, or ADD and DEL.

Each of them, on its own, has to leave exactly the state before. Of a node on which the killed ADD was
the first, what all attachments share may remain, and the next ADD and DEL must complete it.
A new ADD may be refused, as long as the DEL that follows cleans up. Prints points tried and leaks found;
ends with 1 if there is a leak.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.torture.ground import Ground, Job, failures
from tests.torture.run import Finding, Tally, main
from tests.torture.subject import BY_NAME, SUBJECTS, Node
from tests.torture.trace import Call

CHANGING = (
    *("sendto", "sendmsg", "write", "pwrite64", "openat", "open", "creat", "flock", "setns", "kill"),
    *(
        "link",
        "linkat",
        "unlink",
        "unlinkat",
        "rename",
        "renameat",
        "renameat2",
        "mkdir",
        "mkdirat",
        "rmdir",
        "symlink",
        "symlinkat",
    ),
    *(
        "fsync",
        "fdatasync",
        "ftruncate",
        "truncate",
        "fallocate",
        "fsetxattr",
        "setxattr",
        "fchmod",
        "fchmodat",
        "utimensat",
    ),
)
CONTINUATIONS: tuple[tuple[str, ...], ...] = (("DEL",), ("GC",), ("ADD", "DEL"))
# (verb that is killed, whether the node is in the steady state)
VERBS = (("ADD", True), ("DEL", True), ("GC", True), ("ADD", False))
KILLED = -9
TRIES = 8  # numbers shift when the kernel lets a call begin again, which it does on a busy machine
CHUNK = 6  # points that share a node


class Point(NamedTuple):
    """Where to kill: a call of the plugin with this number in the chain.

    left: how many calls of the same name come behind it.
    """

    plugin: int
    call: Call
    left: int

    def in_a_run_of(self, calls: list[Call]) -> "Point":
        """The same point, counted from the end of a run that waited less often for the kernel."""
        number = len([call for call in calls if call.name == self.call.name]) - self.left
        return self._replace(call=self.call._replace(number=max(1, number)))


def changes(call: Call) -> bool:
    return "O_CREAT" in call.text or "O_TRUNC" in call.text if call.name in ("openat", "open") else True


def points(job: Job) -> list[Point]:
    """Every point of a job, by watching one undisturbed run of each plugin."""
    found = []
    subject = BY_NAME[job.subject]
    for number in range(subject.prepared, len(subject.plugins(Path()))):
        trace = job.trace()
        with job.node() as node:
            job.begin(node)
            assert not [*failures(node.run(job.verb, tamper={number: trace.record(CHANGING)}), job.verb)]
        calls = trace.calls()
        last = {call.name: call.number for call in calls}
        found += [Point(number, call, last[call.name] - call.number) for call in calls if changes(call)]
        trace.close()
    return found


class Missed(Exception):
    """The plugin ended before it came to the point.

    On a fresh node that can be tried again on another one only, at *instead*.
    """

    def __init__(self, what: str, instead: Point):
        super().__init__(what)
        self.instead = instead


def torture(job: Job, chosen: list[tuple[Point, tuple[str, ...]]]) -> Tally:
    """Kill at each point and go on as told.

    There is a new node for each point if it has to be fresh, and after a leak.
    """
    tally = Tally()
    settled = None if job.steady else Ground.settle(job)
    pending = [(point, continuation, 1) for point, continuation in chosen]
    while pending:
        with job.node() as node:
            ground = Ground(job, node, settled)
            sound = True
            while pending and sound:
                point, continuation, number = pending.pop(0)
                try:
                    findings = [*attempt(job, node, point, continuation, tally), *ground.faults()]
                except Missed as missed:
                    if number < TRIES:
                        tally.count("repeated")
                        pending.append((missed.instead, continuation, number + 1))
                        break
                    findings = [str(missed)]
                tally.tries += 1
                tally.findings += [
                    Finding(str(job), f"killed at {point.call}, then {' and '.join(continuation)}", what)
                    for what in findings
                ]
                sound = job.steady and not findings
    return tally


def attempt(job: Job, node: Node, point: Point, continuation: tuple[str, ...], tally: Tally) -> Iterator[str]:
    """One kill and what has to clean up after it; yields what fails.

    A new ADD may be refused, with a proper error. Raises Missed.
    """
    trace, outcomes = job.trace(), []
    killed = reached = False
    for again in range(TRIES if job.steady else 1):
        if again:
            tally.count("repeated")
            node.undisturbed("DEL")
        job.begin(node)
        outcomes = node.run(job.verb, tamper={point.plugin: trace.inject(point.call, "signal=KILL")})
        killed, reached = outcomes[-1].exit_code == KILLED, trace.reached(point.call)
        if killed and reached:
            break
        if not killed:
            point = point.in_a_run_of(trace.calls(whole=True))
    told = trace.file.read_text(errors="replace")[-200:]
    trace.close()
    if not killed:
        raise Missed(f"could not be killed there: {outcomes[-1]} {told!r}", point)
    if not reached:
        tally.count("killed elsewhere")
    for verb in continuation:
        outcomes = node.run(verb)
        if verb == "ADD" and outcomes[-1].exit_code == 1 and b'"code"' in outcomes[-1].stdout:
            tally.count("new ADD refused")
        else:
            yield from failures(outcomes, verb)


def jobs(executables: Path, subjects: list[str], short: bool) -> list[Job]:
    if short:
        return [
            Job("chain", verb, steady, executables)
            for verb, steady in (("ADD", True), ("DEL", True), ("ADD", False))
        ]
    return [
        Job(subject.name, verb, steady, executables)
        for subject in SUBJECTS
        for verb, steady in VERBS
        if subject.name in (subjects or BY_NAME)
    ]


def tasks(job: Job, short: bool) -> list[list[tuple[Point, tuple[str, ...]]]]:
    """The points of a job, each with every continuation; in the short form some points, each with one."""
    found = points(job)
    if short:
        step = max(1, len(found) // 10)
        return [[(point, CONTINUATIONS[number % 3]) for number, point in enumerate(found[step // 2 :: step])]]
    chosen = [(point, continuation) for point in found for continuation in CONTINUATIONS]
    return [chosen[start : start + 3 * CHUNK] for start in range(0, len(chosen), 3 * CHUNK)]


if __name__ == "__main__":
    sys.exit(main("torture-crash", __doc__, jobs, tasks, torture))
