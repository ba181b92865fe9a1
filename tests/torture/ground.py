"""What the state has to be once somebody has cleaned up, and every way in which it is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.harness.state import State
from tests.torture.subject import BY_NAME, Node, Outcome
from tests.torture.trace import Trace

# The MAC of what only precedes the subject in the chain, which differs on each node.
RANDOM_MAC = re.compile(r"(?<= veth )[0-9a-f:]{17}")
# What shows that a line is of the attachment and not shared.
OF_C1 = ("file ", "c1 ", "unsound", "net/c1/eth0", "veth")


class Job(NamedTuple):
    """One verb of one subject, on a node in the steady state or on a fresh one."""

    subject: str
    verb: str
    steady: bool
    executables: Path

    def __str__(self) -> str:
        return f"{self.subject} {self.verb}{'' if self.steady else ', fresh node'}"

    def node(self) -> Node:
        return Node(BY_NAME[self.subject], self.executables, self.steady)

    def trace(self) -> Trace:
        return Trace(alone=BY_NAME[self.subject].executed)

    def begin(self, node: Node) -> None:
        """Bring about what the verb begins with."""
        if self.verb in ("DEL", "GC", "CHECK"):
            node.undisturbed("ADD")


class Ground:
    """The state of a node before its torture.

    In the steady state it has to come back. A fresh node may keep what all attachments share, and the next
    ADD and DEL have to bring it to where they bring an untouched one.
    """

    def __init__(self, job: Job, node: Node, settled: tuple[State, State] | None):
        self.node = node
        self.before = node.state()
        self.settled = None if job.steady else settled

    @staticmethod
    def settle(job: Job) -> tuple[State, State]:
        """The state of an untouched node before its first ADD, and after the DEL that followed."""
        with job._replace(steady=False).node() as node:
            before = node.state()
            node.undisturbed("ADD")
            node.undisturbed("DEL")
            return before, node.state()

    def faults(self) -> Iterator[str]:
        """What is left that should not be, and what is missing."""
        after = self.node.state()
        if self.settled is None:
            yield from difference(self.before, after)
            return
        untouched, complete = self.settled
        yield from (
            f"leaked: {line}" for line in sorted(after - self.before) if any(mark in line for mark in OF_C1)
        )
        yield from (
            f"lost: {line}" for line in sorted(self.before - after) if line not in untouched - complete
        )
        for verb in ("ADD", "CHECK", "DEL"):
            yield from failures(self.node.run(verb), f"{verb} on a node that was left half made")
        yield from difference(anonymous(complete), anonymous(self.node.state()))


def anonymous(state: State) -> State:
    """The state as it would be on another node."""
    return frozenset(RANDOM_MAC.sub("MAC", line) for line in state)


def difference(want: State, found: State) -> Iterator[str]:
    yield from (f"leaked: {line}" for line in sorted(found - want))
    yield from (f"lost: {line}" for line in sorted(want - found))


def failures(outcomes: list[Outcome], what: str) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.exit_code != 0:
            yield f"{what} failed: {outcome}"
