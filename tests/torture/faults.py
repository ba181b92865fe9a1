"""`make torture-faults`: every system call and netlink request fails in turn, with each possible errno.

Also, SIGTERM comes at each system call, and each netlink request goes unanswered. Whatever the plugin
makes of it: one JSON document with code and msg and exit code 1, and nothing of a failed ADD is left,
and a failed DEL or GC is completed by the next one. Or it succeeds, because the step was one of best effort,
and then the state is right. Never a traceback, never a hang.
"""

import errno
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.harness.state import State
from tests.torture.crash import CHANGING
from tests.torture.errnos import FAILING, of_call, of_request
from tests.torture.ground import Ground, Job, difference, failures
from tests.torture.run import Finding, Tally, main
from tests.torture.subject import BY_NAME, ROOT, Command, Node, Outcome
from tests.torture.trace import Call, Trace

REFUSE = ROOT / "tests" / "torture" / "refuse.py"
VERBS = ("ADD", "DEL", "GC", "CHECK", "STATUS")
# The other subjects only repeat what these do.
SUBJECTS = (
    *("host-local", "bridge-l2", "bridge-all", "bridge-executed"),
    *("portmap", "portmap-conditions", "tuning", "bandwidth", "firewall"),
)
# Subjects whose first ADD is tortured as well, with one errno for each call.
FRESH = ("bridge-all", "portmap-conditions", "host-local")
SILENCE, SILENCE_S = "silence", 1
SLOWEST_S = 15
CHUNK = 40
ADDRESSES = re.compile(r"10\.9\.0\.\d+|fd00:9::[0-9a-f]+|([0-9a-f]{2}:){5}[0-9a-f]{2}|\"netns\":\d+")
# Settings without which ADD may go on.
BEST_EFFORT = (
    "accept_ra",
    "accept_dad",
    "enhanced_dad",
    "arp_notify",
    "ndisc_notify",
    "net/ipv6/conf/lo/disable_ipv6",
)


class Fault(NamedTuple):
    """What to do to the plugin with this number in the chain.

    Either a system call of it fails, or its *request*-th netlink request.
    """

    plugin: int
    call: Call | None
    request: int
    what: str

    def __str__(self) -> str:
        return f"{self.call or f'netlink request {self.request}'}: {self.what}"

    def tampered(self, trace: Trace) -> Command:
        if self.call:
            return trace.inject(self.call, self.what)
        code = 0 if self.what == SILENCE else getattr(errno, self.what)
        return lambda executable: [
            "python3",
            "-I",
            "-S",
            REFUSE,
            trace.file,
            str(self.request),
            str(code),
            executable,
        ]


def faults(job: Job) -> list[Fault]:
    """Every fault of a job, by watching undisturbed runs of each plugin."""
    found = []
    subject = BY_NAME[job.subject]
    for number in range(subject.prepared, len(subject.plugins(Path()))):
        calls, requests = job.trace(), job.trace()
        with job.node() as node:
            job.begin(node)
            assert not [
                *failures(node.run(job.verb, tamper={number: calls.record([*FAILING, *CHANGING])}), job.verb)
            ]
        for call in calls.calls():
            found += [
                Fault(number, call, 0, f"error={name}") for name in of_call(call)[: None if job.steady else 1]
            ]
            found += [Fault(number, call, 0, "signal=TERM")] if call.name in CHANGING else []
        if (job.executables.parent / "core").is_dir():
            with job.node() as node:
                job.begin(node)
                undisturbed = Fault(number, None, 0, "EIO")
                assert not [
                    *failures(node.run(job.verb, tamper={number: undisturbed.tampered(requests)}), job.verb)
                ]
            for count, line in enumerate(requests.file.read_text().splitlines(), start=1):
                found += [
                    Fault(number, None, count, name)
                    for name in (*of_request(*map(int, line.split())), SILENCE)
                ]
        calls.close()
        requests.close()
    return found


def attached(job: Job) -> State:
    """The state that an undisturbed ADD leads to."""
    with job.node() as node:
        node.undisturbed("ADD")
        return general(node.state())


def general(state: State) -> State:
    """A state without the addresses that are others each time; what has several is told once."""
    return frozenset(ADDRESSES.sub("*", line).partition(" #")[0] for line in state)


def torture(job: Job, chosen: list[Fault]) -> Tally:
    """Try each fault; a new node for each if it has to be fresh, and after a finding."""
    tally = Tally()
    complete = attached(job)
    settled = None if job.steady else Ground.settle(job)
    pending = list(chosen)
    while pending:
        with job.node() as node:
            ground = Ground(job, node, settled)
            sound = True
            while pending and sound:
                fault = pending.pop(0)
                tally.tries += 1
                findings = [*attempt(job, node, ground, fault, complete, tally)]
                tally.findings += [Finding(str(job), str(fault), what) for what in findings]
                sound = job.steady and not findings
    return tally


def attempt(
    job: Job, node: Node, ground: Ground, fault: Fault, complete: State, tally: Tally
) -> Iterator[str]:
    """One fault and what has to follow; yields what is wrong."""
    job.begin(node)
    begun = node.state() if job.verb in ("CHECK", "STATUS") else None
    trace, started = job.trace(), time.monotonic()
    node.timeout_s = SILENCE_S if fault.what == SILENCE else 0
    outcomes = node.run(job.verb, tamper={fault.plugin: fault.tampered(trace)})
    node.timeout_s = 0
    if fault.call and not trace.reached(fault.call):
        tally.count("elsewhere")
    trace.close()
    if time.monotonic() - started > SLOWEST_S:
        yield f"it took {time.monotonic() - started:.1f} s"
    for outcome in outcomes:
        yield from form(outcome, fault)
    failed = outcomes[-1].exit_code != 0
    tally.count("failed properly" if failed else "succeeded all the same")
    if begun is not None:
        yield from (f"changed: {line}" for line in sorted(begun ^ node.state()))
    if job.verb == "ADD" and not failed:
        yield from (
            f"succeeded and {it}"
            for it in difference(complete, general(node.state()))
            if not any(each in it for each in BEST_EFFORT)
        )
        yield from failures(node.run("CHECK"), "CHECK of an ADD that succeeded")
        yield from failures(node.run("DEL"), "DEL of an ADD that succeeded")
    elif job.verb == "ADD":
        node.retreat(fault.plugin)
    elif failed or job.verb == "CHECK":
        yield from failures(node.run("GC" if job.verb == "GC" else "DEL"), "a second try")
    yield from ground.faults()


def form(outcome: Outcome, fault: Fault) -> Iterator[str]:
    """What is wrong with an answer as such."""
    told = outcome.stdout.decode(errors="replace")
    undeliverable = fault.call is not None and fault.call.text.startswith("1<")
    try:
        document = json.loads(told) if told else None
    except ValueError:
        document = told
    if "Traceback" in outcome.stderr or "Exception ignored" in outcome.stderr:
        yield f"a traceback: {outcome}"
    if outcome.exit_code == 1 and not (undeliverable and not told):
        if (
            not isinstance(document, dict)
            or not isinstance(document.get("code"), int)
            or not isinstance(document.get("msg"), str)
        ):
            yield f"no proper error: {outcome}"
    elif outcome.exit_code == 0:
        if (document is None) == (outcome.verb == "ADD") or (document and "code" in document):
            yield f"no proper answer: {outcome}"
    elif outcome.exit_code != 1:
        yield f"an exit code of its own: {outcome}"


def jobs(executables: Path, subjects: list[str], short: bool) -> list[Job]:
    if short:
        return [Job("chain", "ADD", True, executables), Job("bridge-all", "DEL", True, executables)]
    chosen = subjects or SUBJECTS
    wanted = [Job(name, verb, True, executables) for name in chosen for verb in VERBS]
    return wanted + [Job(name, "ADD", False, executables) for name in FRESH if name in chosen]


def tasks(job: Job, short: bool) -> list[list[Fault]]:
    found = faults(job)
    if short:
        return [found[:: max(1, len(found) // 20)]]
    return [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)]


if __name__ == "__main__":
    sys.exit(main("torture-faults", __doc__, jobs, tasks, torture))
