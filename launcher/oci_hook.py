"""`cniwire oci-hook`: called by an OCI runtime (runc, crun, and what runs on them) for each container.

One call serves two hooks, and the state on stdin tells which it is. createRuntime wires the container's
network namespace to the networks that its annotations name. poststop takes it off.

Laws: what one createRuntime wired is gone if any part of it failed. poststop succeeds where nothing is left
to do, whatever is missing by then: namespace, cache, annotations, configuration.
Nothing is said unless something is wrong, because the output of a hook ends up in that of the container.
"""

import argparse
import contextlib
import os
from dataclasses import replace

from core.attachment import owner_text
from core.errors import CNIError
from launcher import conflist, netns, oci_state, target
from launcher.cache import Cached
from launcher.conflist import Network
from launcher.containers import forget_gone
from launcher.failures import ConfigFailure, Failure, UsageFailure, several
from launcher.oci_state import Bundle, State
from launcher.request import Request
from launcher.session import Session
from launcher.target import Target
from launcher.traces import elements, links, traces
from launcher.wiring import connect, disconnect, document, interface_names, networks
from launcher.wishes import Wishes, requests

LARGEST = 1 << 24  # bytes of a state or config.json that are read
FIRST = "eth0"
STDIN = 0


def hook(session: Session, options: argparse.Namespace) -> int:
    """Wire the container that stdin tells of, or take it off. Raises CNIError."""
    if os.isatty(STDIN):
        hint = "an OCI runtime calls this: docs/runtimes/oci-hooks.md"
        raise UsageFailure("oci-hook reads the state of a container from stdin", hint=hint)
    with open(STDIN, "rb", closefd=False) as stdin:
        state = oci_state.state(stdin.read(LARGEST))
    if state.stopped:
        return unwire(session, state, options.network)
    attached = wire(session, state, options.network)
    session.terminal.result({"attachments": [document(cached) for cached in attached]})
    return 0


def wire(session: Session, state: State, default: str) -> list[Cached]:
    """Attach the container to what its annotations name, or to the networks *default*; undo all if one fails.

    The default is for containers that get a network namespace of their own: not for those in the host's,
    nor for those in one that another container or tool made.
    """
    bundle = bundle_of(state)
    names, wishes = oci_state.asked(state.annotations or bundle.annotations)
    if not names and not (default and bundle.own):
        if wishes != Wishes():
            raise Failure(f"annotation {oci_state.NETWORKS}: missing, and others of cniwire are there")
        return []
    refuse_rootless(state.container_id)
    place = Target(state.container_id, namespace(state, bundle))
    chosen = [named(session, name) for name in names] or networks(session, default, warned=False)
    forget_gone(session, place.container_id)
    taken = [] if wishes.ifname else interface_names(place.netns)
    with contextlib.suppress(OSError):  # no network needs the loopback to be up
        netns.raise_loopback(place.netns)
    return connect(session, requests(chosen, place, wishes, taken), wishes)


def bundle_of(state: State) -> Bundle:
    """What config.json says; one that cannot be read says nothing. Raises Failure where it makes no sense."""
    path = os.path.join(state.bundle, "config.json")
    if not state.bundle:
        return Bundle()
    try:
        with open(path, "rb") as file:
            return oci_state.bundle(file.read(LARGEST), path)
    except OSError:
        return Bundle()


def namespace(state: State, bundle: Bundle) -> str:
    """The path of the container's network namespace. Raises Failure when it is the host's.

    The path that config.json names is preferred: other than one of /proc it leads to the same namespace as
    long as it exists.
    """
    through = f"/proc/{state.pid}/ns/net"
    found = netns.identity(through)
    if found is None:
        raise Failure(f"container {state.container_id}: no process {state.pid}, or no right to look into it")
    if found == netns.identity("/proc/thread-self/ns/net"):
        raise Failure(f"container {state.container_id} is in the host's network namespace: nothing to wire")
    return bundle.path if netns.identity(bundle.path) == found else through


def refuse_rootless(container_id: str) -> None:
    """Raise Failure where the runtime, and so this hook, may not change the host's network."""
    if not netns.may_wire():
        text = f"container {container_id}: a rootless runtime's hook may not change this host's network"
        raise Failure(text, hint="run the container as root, or in `cniwire lab`")


def named(session: Session, name: str) -> Network:
    """The network of the configuration directory that an annotation names. Raises Failure."""
    try:
        return conflist.load(session.conf_dir, name, strict=False)
    except ConfigFailure as failure:
        raise ConfigFailure(f"annotation {oci_state.NETWORKS}: {failure.msg}", failure.details) from None


def unwire(session: Session, state: State, default: str) -> int:
    """DEL what is attached under the container's ID: what the cache knows, and what the host still has.

    The cache is shared with other runtimes. An attachment in it counts if it was made through a process, as
    only cniwire notes it, or if it is on a network that the container was to be wired to.
    Raises CNIError when a plugin refused; `cniwire gc` tries again.
    """
    if not netns.may_wire():
        return 0  # so nothing was wired
    names, configured = wanted(session, state, default)
    known = [
        replace(each, request=lasting(each.request))
        for each in session.cache.attachments(state.container_id)
        if each.started or each.network in names
    ]
    missing = names - {each.network for each in known}
    lost = [
        Cached(network.name, Request(state.container_id, ifname), b"", {})
        for network in configured
        if network.name in missing
        for ifname in remains(network, state.container_id)
    ]
    failures = disconnect(session, [*known, *lost])
    if failures:
        raise several(failures)
    session.terminal.result({"detached": state.container_id})
    return 0


def lasting(request: Request) -> Request:
    """A request without a path that leads through a process: that has ended, and another may have its pid."""
    return replace(request, netns="") if target.PROC.match(request.netns) else request


def wanted(session: Session, state: State, default: str) -> tuple[set[str], list[Network]]:
    """The names of the networks that the container was to be wired to, and those that still exist."""
    names: list[str] = []
    found: list[Network] = []
    with contextlib.suppress(CNIError):  # what cannot be read was refused by createRuntime
        names, _ = oci_state.asked(state.annotations or bundle_of(state).annotations)
    for name in names:
        with contextlib.suppress(CNIError):
            found.append(named(session, name))
    if not names and default:
        with contextlib.suppress(CNIError):
            found += networks(session, default, warned=False)
    return {*names, *[network.name for network in found]}, found


def remains(network: Network, container_id: str) -> list[str]:
    """The interfaces of a container that no cache knows, as far as the host still has something of them.

    Where nothing is seen the first one, for plugins that leave no name: a DEL without an ADD succeeds.
    """
    found = traces(network, links().values(), elements()).items()
    seen = [
        trace.ifname
        for owner, trace in found
        if owner == owner_text(network.name, container_id, trace.ifname)
    ]
    return [ifname or FIRST for ifname in seen] or [FIRST]
