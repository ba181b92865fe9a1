"""The command leave: a node goes back to the Go plugins while its containers run.

What is gone is collected as `cniwire gc` does; what lives gets the rules that the Go plugins would have made,
so that their DEL finds all of it; and then our tables go.

A container may be deleted by the Go plugins at the very moment. Whose interface is gone afterwards gets a DEL
of ours, which knows both shapes.
"""

import argparse
import time
from dataclasses import dataclass, field
from itertools import groupby

from core.attachment import Attachment
from core.errors import CNIError
from core.kernel import handover
from core.kernel.kernel import Kernel
from launcher import life
from launcher.collection import collected, look, networks
from launcher.conflist import Network
from launcher.failures import Failure
from launcher.gc_findings import report
from launcher.life import GONE
from launcher.plain import escape
from launcher.request import Request
from launcher.session import Session
from launcher.terminal import Stopwatch
from launcher.upkeep import finish_with

AGAIN = "it goes with its container; `cniwire leave` once more then"
UNTOLD = "~"  # before the hash that stands for a container ID that nothing tells as a whole
DELETION = 1.0  # seconds that a DEL of the Go plugins may take from its first rule to the interface


@dataclass
class Move:
    """One container on one network: its attachments, and comments that tell how they are proven gone."""

    network: Network
    attachments: list[life.Attachment]
    comments: list[str] = field(default_factory=list)


def leave(session: Session, options: argparse.Namespace) -> int:
    """Hand over what lives; 0 where nothing of ours is left in the packet filter, else 1."""
    failures: list[CNIError] = []
    everything = argparse.Namespace(networks=[], force=[], dry_run=False)
    found, told = collected(session, everything, failures, strangers=False)
    wired = [each for network in networks(session, [], []) for each in containers(session, network)]
    with Kernel("") as kernel:
        there = handover.standing(kernel)
        for each in wired:
            move(session, kernel, each, there, failures)
    moved = [each for each in wired if each.comments]
    follow(session, moved, failures)
    watch = Stopwatch()
    with Kernel("") as kernel:
        left = handover.clear(kernel)
    if left:
        text = f"the tables named cniwire stay, for what only they can have: {', '.join(left)}"
        told.append(Failure(text, hint=AGAIN))
        session.terminal.wrong(escape(text), hint=AGAIN)
    else:
        session.terminal.done("nothing of cniwire is left in the packet filter", watch.seconds)
    names = [each.attachments[0].container_id for each in moved]
    outcome = {"networks": [report(each) for each in found], "handedOver": names, "left": left}
    return finish_with(session, failures, outcome, told)


def containers(session: Session, network: Network) -> list[Move]:
    """The containers of a network that live and have elements of ours."""
    alive = [each for each in look(session, network) if each.verdict.state != GONE and each.trace.comments]
    named = sorted([each for each in alive if UNTOLD not in each.container_id], key=lambda each: each.key)
    return [Move(network, list(group)) for _, group in groupby(named, lambda each: each.container_id)]


def move(
    session: Session, kernel: Kernel, wired: Move, there: dict[str, object], failures: list[CNIError]
) -> None:
    """Hand over one container. failures: what was refused is appended."""
    name, watch = wired.network.name, Stopwatch()
    try:
        attachments = [Attachment(name, *each.key) for each in wired.attachments]
        wired.comments = handover.move(kernel, attachments, there)
    except CNIError as error:
        failures.append(error)
    if wired.comments:
        who = f"[bold]{escape(session.short(wired.attachments[0].container_id))}[/] on {escape(name)}"
        session.terminal.done(f"{who} has the rules of the Go plugins", watch.seconds)


def follow(session: Session, moved: list[Move], failures: list[CNIError]) -> None:
    """DEL of those whose interface went meanwhile."""
    time.sleep(DELETION if moved else 0)
    with Kernel("") as kernel:
        gone = [each for each in moved if any(kernel.is_gone(comment) for comment in each.comments)]
    for network, each in [(one.network, each) for one in gone for each in one.attachments]:
        try:
            session.runtime.delete(network, Request(*each.key), each.trace.result)
        except CNIError as error:
            failures.append(error)
