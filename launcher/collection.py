"""The command gc: find who is gone, take away what he left, look again.

Law: nothing is taken that may be alive, and nothing is said to be gone that was not seen to be gone.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from core.errors import CNIError
from launcher import identifiers, life, netns, surroundings, target
from launcher.cache import Request
from launcher.conflist import Network
from launcher.failures import Failure, MissingDirectory
from launcher.life import GONE, LIVES, UNKNOWN, Attachment
from launcher.plain import escape
from launcher.terminal import Stopwatch
from launcher.upkeep import finish_with, listed
from launcher.wiring import Session, network_of, report_warnings

PATIENCE = 2.5  # seconds for what is about to change by itself


@dataclass
class Findings:
    """The attachments of one network, by what becomes of them. doomed: gone, or named with --force; spared: all others."""

    network: Network
    spared: list[Attachment]
    doomed: list[Attachment] = field(default_factory=list)

    def doom(self, forced: set[str]) -> None:
        """Part those who are gone, and the *forced* container IDs, from all others."""
        everybody, self.spared = self.spared, []
        for each in everybody:
            (
                self.doomed if each.verdict.state == GONE or each.container_id in forced else self.spared
            ).append(each)

    def strangers(self, state: str) -> list[Attachment]:
        """The spared ones of which no cache knows."""
        return [each for each in self.spared if not each.cached and each.verdict.state == state]


def gc(session: Session, options: argparse.Namespace) -> int:
    """Remove what is provably no longer alive: cached attachments, what the host holds without a claim, namespaces of ended runs."""
    surroundings.refuse_foreign()
    failures: list[CNIError] = []
    found = []
    for network in networks(session, options.networks, failures):
        if network.disable_gc:
            session.terminal.skipped(f"network {escape(network.name)} has disableGC")
        else:
            found.append(Findings(network, look(session, network)))
    everybody = [each for findings in found for each in findings.spared]
    refuse_younger(everybody)
    forced = {identifiers.meant(text, [each.container_id for each in everybody]) for text in options.force}
    unknown = sorted(forced - {each.container_id for each in everybody})
    failures += [
        Failure(
            f"--force {name}: nothing is attached under that container ID", hint="`cniwire ls` shows what is"
        )
        for name in unknown
    ]
    told: list[CNIError] = []
    for findings in found:
        findings.doom(forced)
        tell(session, findings, options.dry_run)
        left = collect(session, findings, failures) if not options.dry_run else []
        told += show(
            session,
            [undecided(session, findings.network, each) for each in findings.strangers(UNKNOWN)] + left,
        )
    occupied = life.occupied()
    abandoned = [name for name in netns.names() if life.is_abandoned(name, occupied)]
    if options.dry_run and not abandoned and not any(findings.doomed for findings in found):
        session.terminal.note("nothing to remove")
    for name in abandoned:
        session.terminal.note(
            f"{'would remove' if options.dry_run else 'removing'} namespace {escape(name)}: its process has ended"
        )
        if not options.dry_run:
            netns.remove(name)
    return finish_with(
        session,
        failures,
        {"dryRun": options.dry_run, "networks": [report(each) for each in found], "namespaces": abandoned},
        told,
    )


def look(session: Session, network: Network) -> list[Attachment]:
    """Judge every attachment of a network, after what is about to change by itself."""
    return settled(
        lambda: life.survey(network, session.cache.attachments()),
        lambda found: any(each.verdict.passing for each in found),
    )


def settled(
    see: Callable[[], list[Attachment]], is_passing: Callable[[list[Attachment]], bool]
) -> list[Attachment]:
    """What is seen, once it does not change by itself any more, or patience ends."""
    begin = time.monotonic()
    while True:
        found = see()
        if not is_passing(found) or time.monotonic() - begin > PATIENCE:
            return found
        time.sleep(life.PAUSE)


def refuse_younger(attachments: Iterable[Attachment]) -> None:
    """Raise Failure when attachments are older than the pid namespace, and still there: then it is not the runtime's."""
    older = [each for each in attachments if each.trace.links and each.is_older_than_pids]
    if older:
        text = f"{'/'.join(older[0].key)} lives, and is older than process 1: this pid namespace is not that of the containers' runtime"
        raise Failure(f"{text}, so nothing is removed", hint=surroundings.HINT)


def tell(session: Session, findings: Findings, dry_run: bool) -> None:
    """Say what goes, what is left to live although no cache knows of it, and why."""
    name, word = escape(findings.network.name), "would remove" if dry_run else "removing"
    for each in findings.doomed:
        reason = each.verdict.reason if each.verdict.state == GONE else "--force"
        held = f" ({each.trace.things})" if each.trace.things and not each.cached else ""
        session.terminal.note(f"{word} {who(session, each)} from {name}: {escape(reason + held)}")
    for each in findings.strangers(LIVES):
        session.terminal.note(
            f"{who(session, each)} on {name} lives, though no cache here knows of it: {escape(each.verdict.reason)}"
        )
    for each in findings.spared:
        if each.cached and each.verdict.state == UNKNOWN:
            session.terminal.note(
                f"{who(session, each)} on {name} counts as alive: {escape(each.verdict.reason)}"
            )


def show(session: Session, found: list[CNIError]) -> list[CNIError]:
    """Show what is not as it should be."""
    for one in found:
        session.terminal.wrong(
            escape(one.msg),
            [f"[dim]{escape(one.details)}[/]"] if one.details else [],
            getattr(one, "hint", ""),
        )
    return found


def who(session: Session, attachment: Attachment) -> str:
    """`container/ifname` as markup."""
    if attachment.cached:
        return session.who(attachment.cached.request)
    return f"[bold]{escape(name_of(session, attachment))}[/]"


def name_of(session: Session, attachment: Attachment) -> str:
    """`container/ifname`, the container alone where a file of an old release names no more, or nobody."""
    return "/".join(filter(None, (session.short(attachment.container_id), attachment.ifname))) or "nobody"


def undecided(session: Session, network: Network, attachment: Attachment) -> CNIError:
    """What may be anybody's: it stays, and somebody has to look."""
    name = name_of(session, attachment)
    hint = f"gone? `cniwire gc {network.name} --force {attachment.container_id}`; another runtime's? name its cache with --read-cache"
    return Failure(
        f"cannot tell whether {name} on {network.name} lives, so it stays: {attachment.trace.things}",
        attachment.verdict.reason,
        hint,
    )


def collect(session: Session, findings: Findings, failures: list[CNIError]) -> list[CNIError]:
    """DEL of each that is doomed, GC where the version has it, and a look; returns what is left. Adds to *failures* what plugins refused."""
    watch, network = Stopwatch(), findings.network
    no_way_in = {each.key for each in findings.doomed if each.cached and not target.reachable(each.cached)}
    lost = [Request(*each.key) for each in findings.doomed if not each.cached and each.container_id]
    try:
        session.runtime.gc(network, [each.key for each in findings.spared], no_way_in, lost)
    except CNIError as error:
        failures += getattr(error, "failures", [error])
    report_warnings(session)
    before = {each.key for each in findings.doomed}
    left = settled(
        lambda: [each for each in life.survey(network, session.cache.attachments()) if each.key in before],
        linger,
    )
    if not left and not findings.strangers(UNKNOWN):
        alive = f"{len(findings.spared)} live attachment{'' if len(findings.spared) == 1 else 's'}"
        session.terminal.done(
            f"[bold]{escape(network.name)}[/] holds {alive} and nothing else", watch.seconds
        )
    return [remains(session, network, each) for each in left]


def linger(attachments: list[Attachment]) -> bool:
    """Whether interfaces are left, which the kernel takes some time to remove with their namespace."""
    return any(each.trace.links for each in attachments)


def remains(session: Session, network: Network, attachment: Attachment) -> CNIError:
    """What should have gone and has not."""
    name = name_of(session, attachment)
    what = attachment.trace.things or "its cached result"
    paths = " and ".join(found.path for found in attachment.trace.reservations)
    hint = (
        f"remove {paths}"
        if paths and not attachment.container_id
        else "the plugins have not removed it; look at their calls with --verbose"
    )
    return Failure(f"{what} of {name} on {network.name} is still there", hint=hint)


def report(findings: Findings) -> dict[str, object]:
    """For --json. orphans and unclaimed: what no cache knows of, to be removed and left alone."""
    lost = [each for each in findings.doomed if not each.cached]
    return {
        "network": findings.network.name,
        "valid": named(findings.spared),
        "stale": named(each for each in findings.doomed if each.cached),
        "orphans": [
            f"{each.trace.things} of {'/'.join(filter(None, (each.container_id, each.ifname))) or 'nobody'}"
            for each in lost
        ],
        "unclaimed": [
            {
                **named([each])[0],
                "state": each.verdict.state,
                "reason": each.verdict.reason,
                "holds": each.trace.things,
            }
            for each in findings.strangers(LIVES) + findings.strangers(UNKNOWN)
        ],
    }


def named(attachments: Iterable[Attachment]) -> list[dict[str, str]]:
    """Container ID and ifname of each."""
    return [{"containerID": each.container_id, "ifname": each.key[1]} for each in attachments]


def networks(session: Session, references: list[str], failures: list[CNIError]) -> list[Network]:
    """The named networks; or all that are configured, and those that only a cache still knows."""
    chosen: dict[str, Network] = {}
    try:
        configured = listed(session, references)
    except MissingDirectory:
        configured = []  # a cache may know some all the same
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
