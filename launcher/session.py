"""What every command works with: configurations, runtime and terminal, and whom a person means by a name."""

from dataclasses import dataclass

from core.errors import CNIError
from launcher import conflist, identifiers, netns
from launcher.cache import Cache, Cached
from launcher.conflist import Network
from launcher.plain import escape
from launcher.request import Request
from launcher.runtime import Runtime
from launcher.target import Target, derive, notice, owner_gone, reachable
from launcher.terminal import Terminal
from launcher.usage import closest


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
        """The container ID that is *text* or begins with it. Raises Failure."""
        return identifiers.meant(text, self.known())

    def place(self, text: str, container_id: str = "") -> tuple[Target, list[Cached]]:
        """The target that *text* names (name, pid, path, container ID or its beginning), and its attachments.

        container_id: overrides the derived one. Attachments with another container ID count if they are in
        the same namespace, or if they belong to a process that had this pid and has ended. Raises Failure.
        """
        found = derive(text, self.cache.attachments)
        found = Target(self.meant(container_id), found.netns) if container_id else found
        here = netns.identity(found.netns) if found.netns and not container_id else None
        said = notice(text, self.cache.attachments)
        if said:
            self.terminal.warn(said)
        attached = [
            each
            for each in self.cache.attachments()
            if belongs(each, found.container_id, text) or (here and here == identity(each))
        ]
        return found, attached

    def like(self, text: str) -> str:
        """The hint for a container that is not there: one with a similar name, or where to look."""
        close = closest(text, {*self.known(), *netns.names()} - {text})
        return f"did you mean {self.short(close)}?" if close else "`cniwire ls` shows what there is"

    def short(self, container_id: str) -> str:
        """What to show for a container ID."""
        if self.wide or not identifiers.LONG.fullmatch(container_id):
            return container_id
        return identifiers.shortened([*self.known(), container_id])[container_id]

    def who(self, request: Request) -> str:
        """`container/ifname` as markup, with the pod of Kubernetes that it is."""
        pod = identifiers.pod(request)
        behind = f" [dim]({escape(pod)})[/]" if pod else ""
        return f"[bold]{escape(self.short(request.container_id))}[/]/{escape(request.ifname)}{behind}"


def belongs(cached: Cached, container_id: str, text: str) -> bool:
    """Whether an attachment is of the container, or of a process that had the pid *text* and has ended."""
    own = cached.request.container_id
    return own == container_id or (text.isdigit() and own.startswith(f"pid-{text}-") and owner_gone(own))


def identity(cached: Cached) -> tuple[int, int] | None:
    """The namespace in which an attachment is, as far as it can be reached."""
    return netns.identity(reachable(cached))


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
