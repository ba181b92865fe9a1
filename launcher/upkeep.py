"""The commands that look after what is wired: check, status."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from core.errors import CNIError
from launcher import answers, conflist, findings, foresight, ports
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.failures import FAILED, ConfigFailure, Failure, MissingDirectory, Several, Unsupported, details
from launcher.plain import escape
from launcher.session import Session, network_of, report_warnings
from launcher.terminal import Stopwatch, described
from launcher.values import UNNAMED


def check(session: Session, options: argparse.Namespace) -> int:
    """CHECK attachments: all in the cache, or those of some containers or of one network."""
    known = {text: session.place(text)[1] for text in options.names}
    named = [cached for attached in known.values() for cached in attached]
    named = named if options.names else session.cache.attachments()
    chosen = [cached for cached in named if options.network in ("", cached.network)]
    if options.network and not any(cached.network == options.network for cached in chosen):
        conflist.resolve(options.network, session.conf_dir)  # raises ConfigFailure for an unknown one
    missing = [text for text, attached in known.items() if not any(cached in chosen for cached in attached)]
    failures: list[CNIError] = [
        Failure(f"nothing is attached to {name!r}", hint=session.like(name)) for name in sorted(missing)
    ]
    rows: list[dict[str, Any]] = []
    told: list[CNIError] = []
    for cached in chosen:
        outcome, error = check_one(session, cached)
        container_id, ifname = cached.key
        row = {"network": cached.network, "containerID": container_id, "ifname": ifname, "check": outcome}
        left_out = unserved(session, cached)
        rows.append(row | ({"notServed": left_out} if left_out else {}))
        if error:
            told.append(Failure(f"{container_id}/{ifname}: {error.msg}", error.details, code=error.code))
            rows[-1]["error"] = described(error)
            show_difference(session, cached, error)
    if not chosen and not missing:
        where = f" to {escape(options.network)}" if options.network else ""
        session.terminal.note(f"nothing is attached{where}")
    return finish_with(session, failures, {"attachments": rows}, told)


def show_difference(session: Session, cached: Cached, error: CNIError) -> None:
    """What CHECK found, a line for each cause."""
    who, told = f"{session.who(cached.request)} on {escape(cached.network)}", findings.differences(error)
    if told:
        session.terminal.wrong(f"{who} is not as it was made", findings.lines(told, session.terminal.verbose))
    else:
        session.terminal.wrong(f"{who}: {escape(error.msg)}", dimmed(error), getattr(error, "hint", ""))


def unserved(session: Session, cached: Cached) -> list[dict[str, str]]:
    """Tell of published ports that portmap does not serve, and why; returns them.

    CHECK does not fail for them.
    """
    found = []
    for mapping in answers.mappings(cached.request.capability_args):
        if reason := ports.unserved(mapping):
            shown = ports.shown(mapping)
            found.append({"mapping": shown, "reason": reason})
            text = f"{escape(shown)} is not served: {escape(reason)}"
            session.terminal.skipped(f"{session.who(cached.request)}: {text}")
    return found


def dimmed(error: CNIError) -> list[str]:
    """The details of an error as markup."""
    return [f"[dim]{escape(line)}[/]" for line in details(error)]


def check_one(session: Session, cached: Cached) -> tuple[str, CNIError | None]:
    """One CHECK: "ok", "skipped", or "failed" and the error."""
    watch, who = Stopwatch(), session.who(cached.request)
    try:
        if session.runtime.check(network_of(session, cached), cached.request):
            session.terminal.done(f"{who} on {escape(cached.network)} is as it was made", watch.seconds)
            return "ok", None
        session.terminal.skipped(f"{who}: network {escape(cached.network)} has disableCheck")
    except Unsupported as unsupported:
        session.terminal.skipped(f"{who}: {escape(unsupported.msg)}")
    except CNIError as error:
        return "failed", error
    finally:
        report_warnings(session)
    return "skipped", None


def finish_with(
    session: Session, failures: list[CNIError], outcome: dict[str, Any], told: Sequence[CNIError] = ()
) -> int:
    """Report the end of a command, and return its exit code.

    failures: are shown. told: what the command was asked to find, and has shown already. With --json the
    outcome holds both.
    """
    everything = [*failures, *told]
    if session.terminal.as_json:
        errors = {"errors": [described(failure) for failure in everything]} if everything else {}
        session.terminal.result({**outcome, **errors})
    elif failures:
        session.terminal.failure(Several(failures))
    return max((getattr(failure, "status", FAILED) for failure in everything), default=0)


def status(session: Session, options: argparse.Namespace) -> int:
    """Whether networks could serve an ADD now: plugins there, versions right, STATUS."""
    told: list[CNIError] = []
    rows: list[dict[str, Any]] = []
    for reference, network in listed(session, options.networks):
        watch = Stopwatch()
        warnings: list[str] = []
        if isinstance(network, Network):
            warnings = foresight.of_networks([network], session.conf_dir, bool(options.networks))
        for text in warnings:
            session.terminal.warn(text)
        try:
            if isinstance(network, ConfigFailure):
                raise network
            session.runtime.validate(network)
            asked = session.runtime.status(network)
            plugins = escape(" → ".join(plugin["type"] for plugin in network.plugins))
            version = f"cniVersion {network.version or UNNAMED}"
            what = "is ready" if asked else f"has its plugins; {version} has no STATUS"
            text = f"[bold]{escape(network.name)}[/] {what}  [dim]{plugins}[/]"
            session.terminal.done(text, watch.seconds)
            said = {"warnings": warnings} if warnings else {}
            rows.append({"network": network.name, "ready": True, "asked": asked, **said})
        except CNIError as error:
            told.append(error)
            rows.append({"network": reference, "ready": False, "error": described(error)})
            for one in error.failures if isinstance(error, Several) else [error]:
                text = one.msg if reference in one.msg else f"{reference}: {one.msg}"
                session.terminal.wrong(escape(text), dimmed(one), getattr(one, "hint", ""))
        report_warnings(session)
    return finish_with(session, [], {"networks": rows}, told)


def listed(session: Session, references: Iterable[str]) -> list[tuple[str, Network | ConfigFailure]]:
    """The named networks, or all of the configuration directory; each with the reference to it.

    Raises MissingDirectory where all are wanted and there is none.
    """
    if not references:
        found = list(conflist.load_all(session.conf_dir))
        if not found:
            hint = "choose another directory with --conf-dir"
            raise MissingDirectory(f"no network configuration in {session.conf_dir}", hint=hint)
        return [(network.name if isinstance(network, Network) else path, network) for path, network in found]
    pairs: list[tuple[str, Network | ConfigFailure]] = []
    for reference in references:
        try:
            pairs.append((reference, conflist.resolve(reference, session.conf_dir)))
        except ConfigFailure as failure:
            pairs.append((reference, failure))
    return pairs
