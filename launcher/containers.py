"""The commands that make, enter, wire and remove namespaces: run, up, down, exec, attach, detach."""

import argparse
import contextlib
import ctypes
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from core.errors import CNIError
from launcher import netns, signals, target
from launcher.cache import Cached, Request
from launcher.failures import NOT_EXECUTABLE, NOT_FOUND, NOT_RUN, Failure, Interrupted, Several, UsageFailure
from launcher.plain import escape, plain
from launcher.target import Target
from launcher.wiring import (
    Session,
    connect,
    disconnect,
    document,
    interface_names,
    is_gone,
    networks,
    resolv_conf,
)
from launcher.wishes import Wishes, requests

PR_SET_PDEATHSIG = 1


def run(session: Session, options: argparse.Namespace) -> int:
    """Make a namespace, wire it, run a command in it, tear both down; return the command's exit code."""
    name = options.name or target.own_id()
    command = options.command or [os.environ.get("SHELL") or "/bin/sh"]
    try:
        chosen, wanted = networks(session, options.network), wishes(options)
        with namespace(session, name) as place:
            attached = connect(session, requests(chosen, place, wanted), wanted)
            return signals.wait_for(spawn(place.netns, command, resolv_conf(attached)))
    except Interrupted as stop:
        return 128 + stop.number
    except CNIError as error:
        session.terminal.failure(error, on_stdout=False)
        return NOT_RUN


@contextlib.contextmanager
def namespace(session: Session, name: str) -> Iterator[Target]:
    """A named namespace for the length of the block; whatever is attached to it then is taken off. Raises Failure."""
    forget_gone(session, name)
    place = Target(name, netns.create(name))
    try:
        yield place
    finally:
        with signals.held():
            session.terminal.settle()
            failures = disconnect(session, session.cache.attachments(name))
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


def spawn(path: str, command: Sequence[str], dns: str) -> int:
    """Fork *command* into a namespace; it dies with us. Returns its pid."""
    child = os.fork()
    if child == 0:
        netns.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
        code = NOT_RUN
        try:
            code = become(path, command, dns)
        finally:  # whatever happens, the child must not clean up in our place
            os._exit(code)
    return child


def become(path: str, command: Sequence[str], dns: str) -> int:
    """Turn this process into *command* inside a namespace; returns an exit code only if that fails."""
    from launcher.plugin import outer_environ  # the environment as it was before a bundle's start-up

    signals.restore()
    try:
        netns.enter(path, dns)
    except OSError as error:
        print(f"cniwire: cannot enter {plain(path)}: {error.strerror}", file=sys.stderr)
        return NOT_RUN
    try:
        os.execvpe(command[0], list(command), outer_environ())
    except OSError as error:
        # a folder on PATH that may not be searched says "permission denied" about every name
        places = [command[0]] if "/" in command[0] else [os.path.join(folder, command[0]) for folder in os.get_exec_path()]
        missing = not any(map(os.path.exists, places))
        print(f"cniwire: {command[0]}: {os.strerror(errno.ENOENT) if missing else error.strerror}", file=sys.stderr)
        return NOT_FOUND if missing or isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def up(session: Session, options: argparse.Namespace) -> int:
    """Make named namespaces that stay, and wire each."""
    chosen, attached, wanted = networks(session, options.network), [], wishes(options)
    if len(options.names) > 1 and (wanted.addresses or wanted.mac):
        raise UsageFailure("--ip and --mac are for a single container", hint="make the containers one after the other")
    for name in options.names:
        forget_gone(session, name)
        place = Target(name, netns.create(name))
        try:
            attached += connect(session, requests(chosen, place, wanted), wanted)
        except BaseException:
            netns.remove(name)
            raise
    session.terminal.result({"attachments": [document(cached) for cached in attached]})
    return 0


def down(session: Session, options: argparse.Namespace) -> int:
    """Unwire and remove named namespaces; one whose DEL fails stays for another try, unless forced."""
    failures: list[CNIError] = []
    for name in map(session.meant, options.names):
        attached = session.cache.attachments(name)
        refused = disconnect(session, attached)
        failures += refused
        if refused and not options.force:
            shown = session.short(name)
            session.terminal.warn(f"namespace {shown} stays, so that `cniwire down {shown}` can be tried again (--force removes it)")
        elif not netns.remove(name) and not attached:
            failures.append(Failure(f"no namespace and no attachment is called {name!r}", hint=session.like(name)))
        else:
            session.terminal.done(f"[bold]{escape(session.short(name))}[/] is down")
    return finish(session, failures, {"down": list(options.names)})


def execute(session: Session, options: argparse.Namespace) -> int:
    """Run a command in a namespace that is there already: become it."""
    command = options.command or [os.environ.get("SHELL") or "/bin/sh"]
    try:
        place = target.resolve(options.target, known=session.cache.attachments)
    except CNIError as error:
        if isinstance(error, Failure) and "did you mean" in (hint := session.like(options.target)):
            error.hint = hint
        session.terminal.failure(error, on_stdout=False)
        return NOT_RUN
    return become(place.netns, command, resolv_conf(session.cache.attachments(place.container_id)))


def attach(session: Session, options: argparse.Namespace) -> int:
    """Wire a namespace that somebody else made."""
    chosen = networks(session, options.network)
    place = target.resolve(options.target, options.id, session.cache.attachments)
    taken = [] if options.ifname else interface_names(place.netns)
    wanted = wishes(options)
    attached = connect(session, requests(chosen, place, wanted, taken), wanted)
    session.terminal.result({"attachments": [document(cached) for cached in attached]})
    return 0


def detach(session: Session, options: argparse.Namespace) -> int:
    """Take a namespace off networks: what the cache knows, else a plain DEL of eth0, which is harmless."""
    place = target.derive(options.target, session.cache.attachments)
    container_id = session.meant(options.id) or place.container_id
    failures: list[CNIError] = []
    for network in networks(session, options.network) if options.network != "all" else [None]:
        known = [
            cached
            for cached in session.cache.attachments()
            if belongs(cached, container_id, options.target)
            and (network is None or cached.network == network.name)
            and options.ifname in ("", cached.request.ifname)
        ]
        if not known and network is not None:
            known = [Cached(network.name, Request(container_id, options.ifname or "eth0", place.netns), b"", {})]
        failures += disconnect(session, known)
    return finish(session, failures, {"detached": container_id})


def belongs(cached: Cached, container_id: str, text: str) -> bool:
    """Whether an attachment is of the container, or of a process that had the pid *text* and has ended."""
    own = cached.request.container_id
    return own == container_id or (text.isdigit() and own.startswith(f"pid-{text}-") and target.owner_gone(own))


def wishes(options: argparse.Namespace) -> Wishes:
    """What the command line asks for."""
    return Wishes(options.ifname, tuple(options.publish), tuple(options.arg), options.capability, tuple(options.ip), options.mac or "")


def finish(session: Session, failures: list[CNIError], outcome: object) -> int:
    """Report the failures of a command that went on after them, or its outcome. Returns 0 or raises Several."""
    if failures:
        raise Several(failures)
    session.terminal.result(outcome)
    return 0
