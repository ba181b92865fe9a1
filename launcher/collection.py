"""The command gc: find the attachments that are gone, remove what they left, look again.

Law: nothing is removed that may be alive, and nothing is reported as removed that was not seen to be gone.
"""

import argparse
import time
from collections.abc import Callable, Iterable

from core.errors import CNIError
from launcher import identifiers, life, netns, surroundings, target
from launcher.conflist import Network
from launcher.failures import Failure, MissingDirectory
from launcher.gc_findings import Findings, remains, report, show, tell, undecided
from launcher.life import UNKNOWN, Attachment
from launcher.plain import escape
from launcher.request import Request
from launcher.session import Session, network_of, report_warnings
from launcher.terminal import Stopwatch
from launcher.upkeep import finish_with, listed

PATIENCE = 2.5  # seconds to wait for what is about to change by itself


def gc(session: Session, options: argparse.Namespace) -> int:
    """Remove what is provably gone.

    That is: cached attachments, what the host holds for attachments that no cache knows, and the namespaces
    of runs that have ended.
    """
    failures: list[CNIError] = []
    found, told = collected(session, options, failures)
    occupied = life.occupied()
    abandoned = [name for name in netns.names() if life.is_abandoned(name, occupied)]
    if options.dry_run and not abandoned and not any(findings.doomed for findings in found):
        session.terminal.note("nothing to remove")
    for name in abandoned:
        word = "would remove" if options.dry_run else "removing"
        session.terminal.note(f"{word} namespace {escape(name)}: its process has ended")
        if not options.dry_run:
            netns.remove(name)
    reports = [report(each) for each in found]
    outcome = {"dryRun": options.dry_run, "networks": reports, "namespaces": abandoned}
    return finish_with(session, failures, outcome, told)


def collected(
    session: Session, options: argparse.Namespace, failures: list[CNIError], strangers: bool = True
) -> tuple[list[Findings], list[CNIError]]:
    """Look at the networks and remove what is gone.

    Returns what was found, and what is not as it should be: what is left, and those *strangers* of whom
    nothing tells whether they live. failures: what could not be done is appended.
    """
    surroundings.refuse_foreign()
    found: list[Findings] = []
    for network in networks(session, options.networks, failures):
        if network.disable_gc:
            session.terminal.skipped(f"network {escape(network.name)} has disableGC")
        else:
            found.append(Findings(network, look(session, network)))
    everybody = [each for findings in found for each in findings.spared]
    refuse_younger(everybody)
    forced = {identifiers.meant(text, [each.container_id for each in everybody]) for text in options.force}
    for name in sorted(forced - {each.container_id for each in everybody}):
        text = f"--force {name}: nothing is attached under that container ID"
        failures.append(Failure(text, hint="`cniwire ls` shows what is"))
    told: list[CNIError] = []
    for findings in found:
        findings.doom(forced)
        tell(session, findings, options.dry_run)
        left = collect(session, findings, failures) if not options.dry_run else []
        unknown = findings.strangers(UNKNOWN) if strangers else []
        unclear = [undecided(session, findings.network, each) for each in unknown]
        told += show(session, unclear + left)
    return found, told


def look(session: Session, network: Network) -> list[Attachment]:
    """Judge every attachment of a network, once no verdict is about to change by itself."""
    return settled(
        lambda: life.survey(network, session.cache.attachments()),
        lambda found: any(each.verdict.passing for each in found),
    )


def settled(
    see: Callable[[], list[Attachment]], is_passing: Callable[[list[Attachment]], bool]
) -> list[Attachment]:
    """Call *see* until its answer is not *is_passing* any more, or PATIENCE ends; return the last answer."""
    begin = time.monotonic()
    while True:
        found = see()
        if not is_passing(found) or time.monotonic() - begin > PATIENCE:
            return found
        time.sleep(life.PAUSE)


def refuse_younger(attachments: Iterable[Attachment]) -> None:
    """Raise Failure when an attachment that has an interface is older than our pid namespace.

    The runtime that made it then lives in another pid namespace, and pids mean something else here.
    """
    older = [each for each in attachments if each.trace.links and each.is_older_than_pids]
    if older:
        text = f"{'/'.join(older[0].key)} lives, and is older than process 1"
        reason = "this pid namespace is not that of the containers' runtime, so nothing is removed"
        raise Failure(f"{text}: {reason}", hint=surroundings.HINT)


def collect(session: Session, findings: Findings, failures: list[CNIError]) -> list[CNIError]:
    """DEL the doomed, GC where the version has it, and look again; returns a failure for each that is left.

    failures: what plugins refused is appended.
    """
    watch, network = Stopwatch(), findings.network
    no_way_in = {each.key for each in findings.doomed if each.cached and not target.reachable(each.cached)}
    unknown = [each for each in findings.doomed if not each.cached and each.container_id]
    lost = [(Request(*each.key), each.trace.result) for each in unknown]
    try:
        session.runtime.gc(network, [each.key for each in findings.spared], no_way_in, lost)
    except CNIError as error:
        failures += getattr(error, "failures", [error])
    report_warnings(session)
    before = {each.key for each in findings.doomed}

    def see() -> list[Attachment]:
        return [each for each in life.survey(network, session.cache.attachments()) if each.key in before]

    left = settled(see, linger)
    if not left and not findings.strangers(UNKNOWN):
        alive = f"{len(findings.spared)} live attachment{'' if len(findings.spared) == 1 else 's'}"
        text = f"[bold]{escape(network.name)}[/] holds {alive} and nothing else"
        session.terminal.done(text, watch.seconds)
    return [remains(session, network, each) for each in left]


def linger(attachments: list[Attachment]) -> bool:
    """Whether interfaces are left: the kernel removes those of a namespace some time after it has ended."""
    return any(each.trace.links for each in attachments)


def networks(session: Session, references: list[str], failures: list[CNIError]) -> list[Network]:
    """The named networks; or all that are configured, and those that only a cache still knows."""
    chosen: dict[str, Network] = {}
    try:
        configured = listed(session, references)
    except MissingDirectory:
        configured = []  # a cache may know some
    for _, network in configured:
        if isinstance(network, Network):
            chosen.setdefault(network.name, network)
        else:
            failures.append(network)
    for cached in session.cache.attachments() if not references else ():
        if cached.network not in chosen:
            try:
                chosen[cached.network] = network_of(session, cached)
            except CNIError as error:
                failures.append(error)
    return list(chosen.values())
