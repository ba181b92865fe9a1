"""The commands that make, wire and remove namespaces: run, up, down, attach, detach."""

import argparse
import contextlib
import os
from collections.abc import Iterator

from core.errors import CNIError
from launcher import netns, signals, target
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.failures import NOT_RUN, Failure, Interrupted, Several, UsageFailure
from launcher.inside import spawn
from launcher.plain import escape
from launcher.request import Request
from launcher.session import Session
from launcher.target import Target
from launcher.wiring import connect, disconnect, document, interface_names, is_gone, networks, quietly_delete
from launcher.wishes import Wishes, requests


def run(session: Session, options: argparse.Namespace) -> int:
    """Make a namespace, wire it, run a command in it, tear both down; return the command's exit code."""
    name = options.name or target.own_id()
    command = options.command or [os.environ.get("SHELL") or "/bin/sh"]
    try:
        chosen, wanted = networks(session, options.network), wishes(options)
        with namespace(session, name) as place:
            attached = connect(session, requests(chosen, place, wanted), wanted)
            return signals.wait_for(spawn(place.netns, command, [cached.result for cached in attached]))
    except Interrupted as stop:
        return 128 + stop.number
    except CNIError as error:
        session.terminal.failure(error, on_stdout=False)
        return NOT_RUN


@contextlib.contextmanager
def namespace(session: Session, name: str) -> Iterator[Target]:
    """A named namespace for the length of the block; at its end what is attached to it is taken off.

    Raises Failure.
    """
    forget_gone(session, name)
    # Another container of this name may live, in another runtime: its attachments are not ours to take off.
    before = [each.path for each in session.cache.attachments(name)]
    place = Target(name, netns.create(name))
    try:
        yield place
    finally:
        with signals.held():
            session.terminal.settle()
            attached = [each for each in session.cache.attachments(name) if each.path not in before]
            failures = disconnect(session, attached)
            netns.remove(name)
        if failures:
            raise Several(failures)


def forget_gone(session: Session, name: str) -> None:
    """DEL what an earlier container of that name left behind, after a reboot for example. Raises Several."""
    leftovers = [cached for cached in session.cache.attachments(name) if is_gone(cached)]
    if leftovers:
        session.terminal.note(f"an earlier {escape(session.short(name))} was never taken down")
        failures = disconnect(session, leftovers)
        if failures:
            raise Several(failures)


def up(session: Session, options: argparse.Namespace) -> int:
    """Make named namespaces that stay, and wire each; if one fails, those before it go as well."""
    chosen, wanted = networks(session, options.network), wishes(options)
    if len(options.names) > 1 and (wanted.addresses or wanted.mac):
        hint = "make the containers one after the other"
        raise UsageFailure("--ip and --mac are for a single container", hint=hint)
    twice = sorted({name for name in options.names if options.names.count(name) > 1})
    if twice:
        raise UsageFailure(f"{', '.join(twice)}: named twice, and there is one namespace of a name")
    attached: list[Cached] = []
    made: list[str] = []
    try:
        for name in options.names:
            forget_gone(session, name)
            place = Target(name, netns.create(name))
            made.append(name)
            attached += connect(session, requests(chosen, place, wanted), wanted)
    except BaseException:
        with signals.held():
            by_name = {network.name: network for network in chosen}
            for each in reversed(attached):
                quietly_delete(session, by_name[each.network], each.request)
            for name in made:
                netns.remove(name)
        raise
    session.terminal.result({"attachments": [document(cached) for cached in attached]})
    return 0


def down(session: Session, options: argparse.Namespace) -> int:
    """Unwire containers and remove their named namespaces.

    Where a DEL fails the namespace stays, so that `down` can be tried again; --force removes it.
    """
    if bool(options.names) == options.all:
        raise UsageFailure("down wants the names of containers, or --all")
    names = everything(session) if options.all else options.names
    failures: list[CNIError] = []
    for text in names:
        place, attached = session.place(text)
        shown = session.short(place.container_id)
        refused = disconnect(session, attached)
        failures += refused
        if refused and not options.force:
            reason = f"so that `cniwire down {shown}` can be tried again (--force removes it)"
            session.terminal.warn(f"namespace {shown} stays, {reason}")
        elif not netns.remove(place.container_id) and not attached:
            missing = f"no namespace and no attachment is called {text!r}"
            failures.append(Failure(missing, hint=session.like(text)))
        else:
            session.terminal.done(f"[bold]{escape(shown)}[/] is down")
    if options.all and not names:
        session.terminal.note("nothing is up")
    return finish(session, failures, {"down": names})


def everything(session: Session) -> list[str]:
    """The containers that `cniwire up` made: their container ID is the name of their namespace.

    Whatever else is in the cache is another runtime's.
    """
    requests = [each.request for each in session.cache.attachments()]
    own = [each.container_id for each in requests if each.netns == netns.path_of(each.container_id)]
    return list(dict.fromkeys(own))


def attach(session: Session, options: argparse.Namespace) -> int:
    """Wire a namespace that somebody else made."""
    chosen = networks(session, options.network)
    place = target.resolve(options.target, options.id, session.cache.attachments)
    _, known = session.place(options.target)
    names = [network.name for network in chosen]
    refuse_again(session, [each for each in known if each.network in names], options)
    taken = [] if options.ifname else interface_names(place.netns)
    wanted = wishes(options)
    with contextlib.suppress(OSError):  # no network needs the loopback to be up
        netns.raise_loopback(place.netns)
    attached = connect(session, requests(chosen, place, wanted, taken), wanted)
    session.terminal.result({"attachments": [document(cached) for cached in attached]})
    return 0


def refuse_again(session: Session, known: list[Cached], options: argparse.Namespace) -> None:
    """A second interface on the same network is nearly always a mistake. Raises Failure."""
    alive = [] if options.again else [each for each in known if not is_gone(each)]
    if alive:
        request, network = alive[0].request, alive[0].network
        name = session.short(request.container_id)
        hint = f"--again adds another interface; `cniwire detach {network} {name}` takes it off"
        raise Failure(f"{name}/{request.ifname} is attached to {network} already", hint=hint)


def detach(session: Session, options: argparse.Namespace) -> int:
    """Take a namespace off networks: DEL what the cache knows.

    Where the cache knows nothing, a runtime with another cache may have wired it: DEL all the same.
    """
    place, attached = session.place(options.target, options.id)
    failures: list[CNIError] = []
    for network in networks(session, options.network, warned=False) if options.network != "all" else [None]:
        known = [each for each in attached if options.ifname in ("", each.request.ifname)]
        known = [each for each in known if network is None or each.network == network.name]
        if not known:
            request = Request(place.container_id, options.ifname or "eth0", place.netns)
            known, missing = unknown_to_us(session, network, request, options)
            failures += missing
        failures += disconnect(session, known)
    return finish(session, failures, {"detached": place.container_id})


def unknown_to_us(
    session: Session, network: Network | None, request: Request, options: argparse.Namespace
) -> tuple[list[Cached], list[CNIError]]:
    """What detach can DEL, and its failures, where no cache knows the attachment.

    A DEL needs the network, and either the namespace or the container ID from --id.
    """
    cached = session.cache.attachments(request.container_id)
    ours = [each.request.ifname for each in cached if network is None or each.network == network.name]
    name, where = session.short(request.container_id), f" to {network.name}" if network else ""
    is_there = bool(request.netns) and not ours
    if is_there and options.ifname:
        is_there = request.ifname in interface_names(request.netns)
    if network and (options.id or is_there):
        who = f"{escape(name)}/{escape(request.ifname)} on {escape(network.name)}"
        session.terminal.note(f"no cache knows of {who}: DEL all the same")
        return [Cached(network.name, request, b"", {})], []
    hint = f"it has {', '.join(ours)}" if ours else session.like(options.target)
    who = f"{name}/{options.ifname}" if options.ifname else name
    return [], [Failure(f"{who} is not attached{where}", hint=hint)]


def wishes(options: argparse.Namespace) -> Wishes:
    """What the command line asks for."""
    ports, args, addresses = tuple(options.publish), tuple(options.arg), tuple(options.ip)
    return Wishes(options.ifname, ports, args, options.capability, addresses, options.mac or "")


def finish(session: Session, failures: list[CNIError], outcome: object) -> int:
    """Report the failures of a command that went on after them, or its outcome.

    Returns 0 or raises Several.
    """
    if failures:
        raise Several(failures)
    session.terminal.result(outcome)
    return 0
