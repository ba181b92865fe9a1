"""The command leave: a node goes back to the Go plugins while its containers run.

What is gone is collected as `cniwire gc` does; what lives gets the rules that the Go plugins would have made,
so that their DEL finds all of it; and then our tables go.
"""

import argparse
from itertools import groupby

from core.attachment import Attachment
from core.errors import CNIError
from core.kernel import handover
from core.kernel.kernel import Kernel
from launcher.collection import collected, look, networks
from launcher.conflist import Network
from launcher.failures import Failure
from launcher.gc_findings import report
from launcher.life import GONE
from launcher.plain import escape
from launcher.session import Session
from launcher.terminal import Stopwatch
from launcher.upkeep import finish_with

AGAIN = "it goes with its container; `cniwire leave` once more then"


def leave(session: Session, options: argparse.Namespace) -> int:
    """Hand over what lives; 0 where nothing of ours is left in the packet filter, else 1."""
    failures: list[CNIError] = []
    everything = argparse.Namespace(networks=[], force=[], dry_run=False)
    found, told = collected(session, everything, failures, strangers=False)
    with Kernel("") as kernel:
        chosen = networks(session, [], [])
        moved = [name for network in chosen for name in move(session, kernel, network, failures)]
        watch = Stopwatch()
        left = handover.clear(kernel)
    if left:
        text = f"the tables named cniwire stay, for what only they can have: {', '.join(left)}"
        told.append(Failure(text, hint=AGAIN))
        session.terminal.wrong(escape(text), hint=AGAIN)
    else:
        session.terminal.done("nothing of cniwire is left in the packet filter", watch.seconds)
    outcome = {"networks": [report(each) for each in found], "handedOver": moved, "left": left}
    return finish_with(session, failures, outcome, told)


def move(session: Session, kernel: Kernel, network: Network, failures: list[CNIError]) -> list[str]:
    """Hand over the containers of one network; returns their IDs. failures: what was refused is appended."""
    alive = [each for each in look(session, network) if each.verdict.state != GONE]
    wired = sorted([each.key for each in alive if each.container_id and each.trace.comments])
    moved = []
    for container_id, keys in groupby(wired, lambda key: key[0]):
        watch = Stopwatch()
        try:
            if handover.move(kernel, [Attachment(network.name, *key) for key in keys]):
                who = f"[bold]{escape(session.short(container_id))}[/] on {escape(network.name)}"
                session.terminal.done(f"{who} has the rules of the Go plugins", watch.seconds)
                moved.append(container_id)
        except CNIError as error:
            failures.append(error)
    return moved
