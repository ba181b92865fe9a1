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
from launcher.terminal import Stopwatch, described
from launcher.wiring import Session, network_of, report_warnings


def check(session: Session, options: argparse.Namespace) -> int:
    """CHECK attachments: all in the cache, or those of some containers or of one network."""
    known = {text: session.place(text)[1] for text in options.names}
    named = (
        [cached for attached in known.values() for cached in attached]
        if options.names
        else session.cache.attachments()
    )
    chosen = [cached for cached in named if options.network in ("", cached.network)]
    if options.network and not any(cached.network == options.network for cached in chosen):
        conflist.resolve(options.network, session.conf_dir)  # whether there is one of that name at all
    missing = [text for text, attached in known.items() if not any(cached in chosen for cached in attached)]
    failures: list[CNIError] = [
        Failure(f"nothing is attached to {name!r}", hint=session.like(name)) for name in sorted(missing)
    ]
    rows: list[dict[str, Any]] = []
    told: list[CNIError] = []
    for cached in chosen:
        outcome, error = check_one(session, cached)
        rows.append(
            {
                "network": cached.network,
                "containerID": cached.request.container_id,
                "ifname": cached.request.ifname,
                "check": outcome,
            }
        )
        left_out = unserved(session, cached)
        rows[-1] |= {"notServed": left_out} if left_out else {}
        if error:
            told.append(
                Failure(
                    f"{cached.request.container_id}/{cached.request.ifname}: {error.msg}",
                    error.details,
                    code=error.code,
                )
            )
            rows[-1]["error"] = described(error)
            show_difference(session, cached, error)
    if not chosen and not missing:
        session.terminal.note(
            f"nothing is attached to {escape(options.network)}" if options.network else "nothing is attached"
        )
    return finish_with(session, failures, {"attachments": rows}, told)


def show_difference(session: Session, cached: Cached, error: CNIError) -> None:
    """What CHECK found, a line for each cause."""
    who, told = f"{session.who(cached.request)} on {escape(cached.network)}", findings.differences(error)
    if told:
        session.terminal.wrong(f"{who} is not as it was made", findings.lines(told, session.terminal.verbose))
    else:
        session.terminal.wrong(f"{who}: {escape(error.msg)}", dimmed(error), getattr(error, "hint", ""))


def unserved(session: Session, cached: Cached) -> list[dict[str, str]]:
    """Tell of published ports that portmap leaves out, which is no difference, and why; returns them."""
    wanted = answers.mappings(cached.request.capability_args)
    found = [
        {"mapping": ports.shown(each), "reason": why} for each in wanted if (why := ports.unserved(each))
    ]
    for each in found:
        session.terminal.skipped(
            f"{session.who(cached.request)}: {escape(each['mapping'])} is not served: {escape(each['reason'])}"
        )
    return found


def dimmed(error: CNIError) -> list[str]:
    """Its details as markup."""
    return [f"[dim]{escape(line)}[/]" for line in details(error)]


def check_one(session: Session, cached: Cached) -> tuple[str, CNIError | None]:
    """One CHECK: "ok", "skipped" or "failed", and the error of the last."""
    watch = Stopwatch()
    try:
        if session.runtime.check(network_of(session, cached), cached.request):
            session.terminal.done(
                f"{session.who(cached.request)} on {escape(cached.network)} is as it was made", watch.seconds
            )
            return "ok", None
        session.terminal.skipped(
            f"{session.who(cached.request)}: network {escape(cached.network)} has disableCheck"
        )
    except Unsupported as unsupported:
        session.terminal.skipped(f"{session.who(cached.request)}: {escape(unsupported.msg)}")
    except CNIError as error:
        return "failed", error
    finally:
        report_warnings(session)
    return "skipped", None


def finish_with(
    session: Session, failures: list[CNIError], outcome: dict[str, Any], told: Sequence[CNIError] = ()
) -> int:
    """Show *failures*; those in *told*, which are what the command was asked to find, have been shown. With --json the outcome tells of both."""
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
        warnings = (
            foresight.of_networks([network], session.conf_dir, bool(options.networks))
            if isinstance(network, Network)
            else []
        )
        for text in warnings:
            session.terminal.warn(text)
        try:
            if isinstance(network, ConfigFailure):
                raise network
            session.runtime.validate(network)
            asked = session.runtime.status(network)
            plugins = " → ".join(plugin["type"] for plugin in network.plugins)
            what = (
                "is ready"
                if asked
                else f"has its plugins; cniVersion {network.version or '0.1.0'} has no STATUS"
            )
            session.terminal.done(
                f"[bold]{escape(network.name)}[/] {what}  [dim]{escape(plugins)}[/]", watch.seconds
            )
            rows.append(
                {
                    "network": network.name,
                    "ready": True,
                    "asked": asked,
                    **({"warnings": warnings} if warnings else {}),
                }
            )
        except CNIError as error:
            told.append(error)
            rows.append({"network": reference, "ready": False, "error": described(error)})
            for one in error.failures if isinstance(error, Several) else [error]:
                text = one.msg if reference in one.msg else f"{reference}: {one.msg}"
                session.terminal.wrong(escape(text), dimmed(one), getattr(one, "hint", ""))
        report_warnings(session)
    return finish_with(session, [], {"networks": rows}, told)


def listed(session: Session, references: Iterable[str]) -> list[tuple[str, Network | ConfigFailure]]:
    """The named networks, or all of the configuration directory; each with what it was called."""
    if not references:
        found = list(conflist.load_all(session.conf_dir))
        if not found:
            raise MissingDirectory(
                f"no network configuration in {session.conf_dir}",
                hint="choose another directory with --conf-dir",
            )
        return [(network.name if isinstance(network, Network) else path, network) for path, network in found]
    pairs: list[tuple[str, Network | ConfigFailure]] = []
    for reference in references:
        try:
            pairs.append((reference, conflist.resolve(reference, session.conf_dir)))
        except ConfigFailure as failure:
            pairs.append((reference, failure))
    return pairs
