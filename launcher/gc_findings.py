"""What gc finds on one network, and how it is told: who goes and who stays, why, and what is left."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import CNIError
from launcher.conflist import Network
from launcher.failures import Failure
from launcher.life import GONE, LIVES, UNKNOWN, Attachment
from launcher.plain import escape
from launcher.session import Session


@dataclass
class Findings:
    """The attachments of one network. doomed: gone, or named with --force; spared: all others."""

    network: Network
    spared: list[Attachment]
    doomed: list[Attachment] = field(default_factory=list)

    def doom(self, forced: set[str]) -> None:
        """Move those that are gone, or whose container ID is in *forced*, from spared to doomed."""
        everybody, self.spared = self.spared, []
        for each in everybody:
            is_doomed = each.verdict.state == GONE or each.container_id in forced
            (self.doomed if is_doomed else self.spared).append(each)

    def strangers(self, state: str) -> list[Attachment]:
        """The spared attachments in *state* that no cache knows."""
        return [each for each in self.spared if not each.cached and each.verdict.state == state]


def tell(session: Session, findings: Findings, dry_run: bool) -> None:
    """Say what is removed, what lives without being cached, and what is cached and may live."""
    name, word = escape(findings.network.name), "would remove" if dry_run else "removing"
    for each in findings.doomed:
        reason = each.verdict.reason if each.verdict.state == GONE else "--force"
        held = f" ({each.trace.things})" if each.trace.things and not each.cached else ""
        session.terminal.note(f"{word} {who(session, each)} from {name}: {escape(reason + held)}")
    for each in findings.strangers(LIVES):
        reason = f"lives, though no cache here knows of it: {escape(each.verdict.reason)}"
        session.terminal.note(f"{who(session, each)} on {name} {reason}")
    for each in findings.spared:
        if each.cached and each.verdict.state == UNKNOWN:
            reason = escape(each.verdict.reason)
            session.terminal.note(f"{who(session, each)} on {name} counts as alive: {reason}")


def show(session: Session, found: list[CNIError]) -> list[CNIError]:
    """Show what is not as it should be."""
    for one in found:
        details = [f"[dim]{escape(one.details)}[/]"] if one.details else []
        session.terminal.wrong(escape(one.msg), details, getattr(one, "hint", ""))
    return found


def who(session: Session, attachment: Attachment) -> str:
    """`container/ifname` as markup."""
    if attachment.cached:
        return session.who(attachment.cached.request)
    return f"[bold]{escape(name_of(session, attachment))}[/]"


def name_of(session: Session, attachment: Attachment) -> str:
    """`container/ifname`; the container alone where a file of an old release tells no ifname; "nobody"."""
    return joined(session.short(attachment.container_id), attachment.ifname)


def joined(container_id: str, ifname: str) -> str:
    """`container/ifname`, without what is unknown."""
    return "/".join(filter(None, (container_id, ifname))) or "nobody"


def undecided(session: Session, network: Network, attachment: Attachment) -> CNIError:
    """The failure for an attachment that stays because nothing tells whether it lives."""
    name = f"{name_of(session, attachment)} on {network.name}"
    text = f"cannot tell whether {name} lives, so it stays: {attachment.trace.things}"
    force = f"gone? `cniwire gc {network.name} --force {attachment.container_id}`"
    hint = f"{force}; another runtime's? name its cache with --read-cache"
    return Failure(text, attachment.verdict.reason, hint)


def remains(session: Session, network: Network, attachment: Attachment) -> CNIError:
    """The failure for an attachment that should be gone by now and is not."""
    name = name_of(session, attachment)
    what = attachment.trace.things or "its cached result"
    paths = " and ".join(found.path for found in attachment.trace.reservations)
    if paths and not attachment.container_id:
        hint = f"remove {paths}"
    else:
        hint = "the plugins have not removed it; look at their calls with --verbose"
    return Failure(f"{what} of {name} on {network.name} is still there", hint=hint)


def report(findings: Findings) -> dict[str, object]:
    """The document for --json.

    No cache knows of the orphans, which are removed, and of the unclaimed, which stay.
    """
    lost = [each for each in findings.doomed if not each.cached]
    orphans = [f"{each.trace.things} of {joined(each.container_id, each.ifname)}" for each in lost]
    return {
        "network": findings.network.name,
        "valid": named(findings.spared),
        "stale": named(each for each in findings.doomed if each.cached),
        "orphans": orphans,
        "unclaimed": [unclaimed(each) for each in findings.strangers(LIVES) + findings.strangers(UNKNOWN)],
    }


def unclaimed(attachment: Attachment) -> dict[str, str]:
    """An attachment that no cache knows and that stays, as values: why, and what it holds."""
    verdict, holds = attachment.verdict, attachment.trace.things
    names = named([attachment])[0]
    return {**names, "state": verdict.state, "reason": verdict.reason, "holds": holds}


def named(attachments: Iterable[Attachment]) -> list[dict[str, str]]:
    """Container ID and ifname of each."""
    return [{"containerID": each.container_id, "ifname": each.key[1]} for each in attachments]
