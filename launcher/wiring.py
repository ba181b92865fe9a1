"""Wire a namespace to networks and unwire it: what run, up, down, attach, detach and gc share.

Law: what one call wired is unwired by that call if any part of it fails; what was there before stays.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from core.errors import PORT_TAKEN, CNIError
from launcher import answers, conflist, foresight, host_ports, identifiers, netns, ports, signals
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.failures import PRIVILEGE, Failure, Several, UsageFailure, several
from launcher.plain import escape
from launcher.request import Request
from launcher.session import Session, network_of, report_warnings
from launcher.target import gone, reachable
from launcher.terminal import Stopwatch
from launcher.wishes import Wishes, verify

PORT_TRIES = 10


def networks(session: Session, references: str, warned: bool = True) -> list[Network]:
    """The networks of a comma-separated list of names and files. Raises Failure.

    warned: whether to show the warnings that concern them.
    """
    named = [reference for reference in references.split(",") if reference]
    chosen = [conflist.resolve(reference, session.conf_dir) for reference in named]
    if not chosen:
        raise UsageFailure(f"network: want a name or a file, found {references!r}")
    for text in foresight.of_networks(chosen, session.conf_dir) if warned else ():
        session.terminal.warn(text)
    return chosen


def connect(session: Session, pairs: Iterable[tuple[Network, Request]], wishes: Wishes) -> list[Cached]:
    """ADD each request; if one fails or a signal comes, DEL it and those before it.

    Before the first ADD it is checked that every executable is there and supports the version of its list.
    Raises CNIError.
    Returns what was attached.
    """
    begun: list[tuple[Network, Request]] = []
    attached, pairs = [], list(pairs)
    for network in {network.name: network for network, _ in pairs}.values():
        try:
            session.runtime.validate(network, lenient=True)
        except Several as wrong:
            raise several(wrong.failures) from None
    try:
        for network, request in pairs:
            refuse_second(session, network, request)
            watch = Stopwatch()
            for text in foresight.of_ports(request):
                session.terminal.warn(text)
            wanted, outcome = add(session, network, request, begun)
            verify(wishes, wanted, outcome)
            attached.append(Cached(network.name, wanted, b"", outcome))
            session.terminal.done(summary(attached[-1], session.who(wanted)), watch.seconds)
            report_warnings(session)
    except BaseException:
        session.terminal.settle()
        with signals.held():
            for network, request in reversed(begun):
                quietly_delete(session, network, request)
        raise
    return attached


def add(
    session: Session, network: Network, request: Request, begun: list[tuple[Network, Request]]
) -> tuple[Request, dict[str, Any]]:
    """ADD; returns the request with the host ports that were chosen for it, and the result.

    Where a chosen host port turns out to be taken, another one is chosen, up to PORT_TRIES times.
    begun: the request is appended before its ADD, so that the caller knows what to undo.
    """
    refused: list[Request] = []
    while True:
        wanted = host_ports.chosen(request, session.cache.attachments, refused)
        begun.append((network, wanted))
        try:
            return wanted, session.runtime.add(network, wanted)
        except CNIError as error:
            if error.code != PORT_TAKEN or wanted is request or len(refused) == PORT_TRIES:
                raise
            session.runtime.delete(network, wanted)
            refused.append(begun.pop()[1])


def refuse_second(session: Session, network: Network, request: Request) -> None:
    """A runtime must not ADD the same attachment twice without DEL between. Raises Failure."""
    try:
        known = session.cache.read(network.name, request)
    except CNIError:
        return  # unreadable: ADD will replace it
    if known and is_gone(known):
        session.runtime.delete(network, replace(known.request, netns=reachable(known)))
    elif known:
        name = session.short(request.container_id)
        hint = f"`cniwire detach {network.name} {name}` takes it off"
        raise Failure(f"{name}/{request.ifname} is attached to {network.name} already", hint=hint)


def is_gone(cached: Cached) -> bool:
    """Whether a cached attachment is provably gone.

    A namespace that is not at its path proves nothing as long as the host end of its interface is there.
    """
    if not gone(cached):
        return False
    from launcher import life  # late: reading the kernel's state is needed only here

    return bool(life.gone(cached))


def quietly_delete(session: Session, network: Network, request: Request) -> None:
    """DEL after a failed ADD.

    Its failures are shown as warnings, because the command reports that of the ADD.
    """
    try:
        session.runtime.delete(network, request)
    except CNIError as error:
        who = f"{session.short(request.container_id)}/{request.ifname}"
        for one in getattr(error, "failures", [error]):
            session.terminal.warn(f"while undoing {who} on {network.name}: {one}")


def disconnect(session: Session, attachments: Iterable[Cached]) -> list[CNIError]:
    """DEL attachments, last added first, each with the configuration of its ADD.

    Goes on after errors, and returns them.
    """
    failures = []
    for cached in sorted(attachments, key=lambda item: item.request.ifname, reverse=True):
        watch = Stopwatch()
        request = replace(cached.request, netns=reachable(cached))
        try:
            session.runtime.delete(network_of(session, cached), request)
            text = f"{session.who(cached.request)} is off {escape(cached.network)}"
            session.terminal.done(text, watch.seconds)
        except CNIError as error:
            failures.append(error)
        report_warnings(session)
    return failures


def summary(cached: Cached, who: str) -> str:
    """One line of markup about an attachment: *who* it is (markup), where, addresses, ports."""
    found = "  ".join(answers.addresses(cached.result)) or "no address"
    wanted = answers.mappings(cached.request.capability_args)
    mappings = "  ".join(ports.shown(mapping) for mapping in wanted if not ports.unserved(mapping))
    published = f"  published [magenta]{escape(mappings)}[/]" if mappings else ""
    return f"{who} is on {escape(cached.network)}: [cyan]{escape(found)}[/]{published}"


def document(cached: Cached) -> dict[str, Any]:
    """An attachment for --json."""
    request = cached.request
    values = {
        "network": cached.network,
        "containerID": request.container_id,
        "ifname": request.ifname,
        "netns": request.netns,
        "pod": identifiers.pod(request),
        "portMappings": answers.mappings(request.capability_args),
        "result": dict(cached.result),
    }
    return {key: value for key, value in values.items() if value}


def interface_names(path: str) -> list[str]:
    """The names of the interfaces in a namespace. Raises Failure."""
    import socket  # cold: only attach asks

    try:
        with netns.inside(path):
            return [name for _, name in socket.if_nameindex()]
    except OSError as error:
        hint = PRIVILEGE if isinstance(error, PermissionError) else ""
        raise Failure(f"cannot look into {path}: {error.strerror}", hint=hint) from None
