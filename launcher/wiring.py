"""Wire a namespace to networks and unwire it: what run, up, down, attach, detach and gc share.

Law: what one call wired is unwired by that call if any part of it fails; what was there before stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from core.errors import PORT_TAKEN, CNIError
from launcher import answers, conflist, foresight, host_ports, identifiers, netns, ports, signals
from launcher.cache import Cache, Cached, Request
from launcher.conflist import Network
from launcher.failures import PRIVILEGE, Failure, Several, UsageFailure, several
from launcher.plain import escape
from launcher.runtime import Runtime
from launcher.target import Target, derive, gone, notice, owner_gone, reachable
from launcher.terminal import Stopwatch, Terminal
from launcher.usage import closest
from launcher.wishes import Wishes, verify

PORT_TRIES = 10


@dataclass
class Session:
    """Everything that a command works with."""

    conf_dir: str
    runtime: Runtime
    terminal: Terminal
    wide: bool = False  # long container IDs are shown whole

    @property
    def cache(self) -> Cache:
        """The runtime's result cache."""
        return self.runtime.cache

    def known(self) -> list[str]:
        """The container IDs in the cache."""
        return [cached.request.container_id for cached in self.cache.attachments()]

    def meant(self, text: str) -> str:
        """The container ID that a person means by it, or by its beginning. Raises Failure."""
        return identifiers.meant(text, self.known())

    def place(self, text: str, container_id: str = "") -> tuple[Target, list[Cached]]:
        """What a person means by a name, a pid, a path, or an ID or its beginning; and its attachments. Raises Failure.

        container_id: overrides the derived one. Attachments of the same namespace count, whatever ID a runtime gave it, and those of a
        process that had the pid and has ended.
        """
        found = derive(text, self.cache.attachments)
        found = Target(self.meant(container_id), found.netns) if container_id else found
        here = netns.identity(found.netns) if found.netns and not container_id else None
        said = notice(text, self.cache.attachments)
        if said:
            self.terminal.warn(said)
        return found, [
            each
            for each in self.cache.attachments()
            if belongs(each, found.container_id, text) or (here and here == identity(each))
        ]

    def like(self, text: str) -> str:
        """What to do about a container that is not there: the name of one that is nearly called so, or where to look."""
        close = closest(text, {*self.known(), *netns.names()} - {text})
        return f"did you mean {self.short(close)}?" if close else "`cniwire ls` shows what there is"

    def short(self, container_id: str) -> str:
        """What to show for a container ID."""
        if self.wide or not identifiers.LONG.fullmatch(container_id):
            return container_id
        return identifiers.shortened([*self.known(), container_id])[container_id]

    def abridged(self, text: str) -> str:
        """*text* with every long container ID in it as short as it may be."""
        return identifiers.LONG.sub(lambda found: self.short(found[0]), text)

    def who(self, request: Request) -> str:
        """`container/ifname` as markup, with the pod of Kubernetes that it is."""
        pod = identifiers.pod(request)
        return f"[bold]{escape(self.short(request.container_id))}[/]/{escape(request.ifname)}" + (
            f" [dim]({escape(pod)})[/]" if pod else ""
        )


def belongs(cached: Cached, container_id: str, text: str) -> bool:
    """Whether an attachment is of the container, or of a process that had the pid *text* and has ended."""
    own = cached.request.container_id
    return own == container_id or (text.isdigit() and own.startswith(f"pid-{text}-") and owner_gone(own))


def identity(cached: Cached) -> tuple[int, int] | None:
    """The namespace in which an attachment is, as far as it can be reached."""
    return netns.identity(reachable(cached))


def networks(session: Session, references: str, warned: bool = True) -> list[Network]:
    """The networks of a comma-separated list of names and files; with what is to be said about them, if somebody is *warned*. Raises Failure."""
    chosen = [
        conflist.resolve(reference, session.conf_dir) for reference in references.split(",") if reference
    ]
    if not chosen:
        raise UsageFailure(f"network: want a name or a file, found {references!r}")
    for text in foresight.of_networks(chosen, session.conf_dir) if warned else ():
        session.terminal.warn(text)
    return chosen


def connect(session: Session, pairs: Iterable[tuple[Network, Request]], wishes: Wishes) -> list[Cached]:
    """ADD each request; if one fails or a signal comes, DEL it and those before it. Returns what was attached.

    What can be known before the first ADD is: executables that are missing, and versions that one does not support. Raises CNIError.
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
    """ADD, and the request as it was in the end: a host port that is left to us is chosen again if somebody was faster.

    *begun* is added to before anything is done.
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
        hint = f"`cniwire detach {network.name} {session.short(request.container_id)}` takes it off"
        raise Failure(
            f"{session.short(request.container_id)}/{request.ifname} is attached to {network.name} already",
            hint=hint,
        )


def is_gone(cached: Cached) -> bool:
    """Whether a cached attachment is provably gone; that its namespace is not at its path proves nothing while its interface lives."""
    if not gone(cached):
        return False
    from launcher import life  # late: it looks at the kernel, which is worth its time only now

    return bool(life.gone(cached))


def quietly_delete(session: Session, network: Network, request: Request) -> None:
    """DEL after a failed ADD: failures of it are warnings, the ADD's own failure is what counts."""
    try:
        session.runtime.delete(network, request)
    except CNIError as error:
        for one in getattr(error, "failures", [error]):
            session.terminal.warn(
                f"while undoing {session.short(request.container_id)}/{request.ifname} on {network.name}: {one}"
            )


def disconnect(session: Session, attachments: Iterable[Cached]) -> list[CNIError]:
    """DEL attachments, last added first, with the configuration of their ADD; goes on after errors and returns them."""
    failures = []
    for cached in sorted(attachments, key=lambda item: item.request.ifname, reverse=True):
        watch = Stopwatch()
        request = replace(cached.request, netns=reachable(cached))
        try:
            session.runtime.delete(network_of(session, cached), request)
            session.terminal.done(
                f"{session.who(cached.request)} is off {escape(cached.network)}", watch.seconds
            )
        except CNIError as error:
            failures.append(error)
        report_warnings(session)
    return failures


def network_of(session: Session, cached: Cached) -> Network:
    """The network as it was when the attachment was added, or as it is configured now. Raises CNIError."""
    if cached.config:
        try:
            return conflist.parse_list(cached.config)
        except CNIError:
            pass  # a cache of another runtime may hold a single configuration
    return conflist.load(session.conf_dir, cached.network)


def report_warnings(session: Session) -> None:
    """Show what plugins said on stderr although they succeeded."""
    for text in session.runtime.warnings:
        session.terminal.warn(text)
    session.runtime.warnings.clear()


def summary(cached: Cached, who: str) -> str:
    """One line of markup about an attachment: *who* it is (markup), where, addresses, ports."""
    found = "  ".join(answers.addresses(cached.result)) or "no address"
    wanted = answers.mappings(cached.request.capability_args)
    mappings = "  ".join(ports.shown(mapping) for mapping in wanted if not ports.unserved(mapping))
    return f"{who} is on {escape(cached.network)}: [cyan]{escape(found)}[/]" + (
        f"  published [magenta]{escape(mappings)}[/]" if mappings else ""
    )


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
        raise Failure(
            f"cannot look into {path}: {error.strerror}",
            hint=PRIVILEGE if isinstance(error, PermissionError) else "",
        ) from None
