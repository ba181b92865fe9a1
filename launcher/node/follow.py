"""Keeping up with the Nodes of a cluster, in a thread of its own that never gives up.

Law: what is known stands until the server says otherwise. A server that is away, answers nonsense or has
forgotten where we were makes the thread ask anew, ever more slowly, and takes nothing back.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from launcher.node import nodes
from launcher.node.api import Expired, Nonsense, Server, Trouble
from launcher.node.nodes import Node, Unreadable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


@dataclass
class View:
    """What is known of the cluster.

    nodes: by name. wrong: by name, what could not be read of a node. listed: whether a whole list was ever
    read. trouble: why the server cannot be followed at the moment, "" while it can.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    listed: bool = False
    trouble: str = ""


class Follower:
    """The thread, and what it has found out; changed is called after every change."""

    def __init__(self, server: Server, changed: Callable[[], None]) -> None:
        self.server, self.changed = server, changed
        self.lock, self.view = threading.Lock(), View()
        self.version = ""  # of the list as we know it; "" where it has to be read anew
        self.pause_s = FIRST_PAUSE_S
        self.thread = threading.Thread(target=self._follow, name="nodes", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def now(self) -> View:
        """A copy of what is known."""
        with self.lock:
            view = self.view
            return View(dict(view.nodes), dict(view.wrong), view.listed, view.trouble)

    def _follow(self) -> None:
        while True:
            try:
                self._once()
            except Expired:
                self.version = ""
            except Trouble as trouble:
                if isinstance(trouble, Nonsense):
                    self.version = ""
                self._told(str(trouble))
            except Exception as error:  # noqa: BLE001 -- a thread that ends would leave routes as they are for good
                self.version = ""
                self._told(f"{type(error).__name__}: {error}")
            time.sleep(self.pause_s * random.uniform(0.5, 1))
            self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)

    def _once(self) -> None:
        """Read the list if need be, then what changes until the server ends the watch. Raises Trouble."""
        if not self.version:
            items, self.version = self.server.listed()
            self._replace(items)
        began = time.monotonic()
        for kind, item in self.server.watched(self.version):
            self.pause_s = FIRST_PAUSE_S
            self._told("")
            self._apply(kind, item)
        if time.monotonic() - began > LONGEST_PAUSE_S:
            self.pause_s = FIRST_PAUSE_S
        self._told("")

    def _told(self, trouble: str) -> None:
        with self.lock:
            before, self.view.trouble = self.view.trouble, trouble
        if before != trouble:
            self.changed()

    def _replace(self, items: list[Any]) -> None:
        """Take a whole list over; of a node that cannot be read, what was known stays."""
        with self.lock:
            before, view = self.view.nodes, View(listed=True)
            for item in items:
                self._take(view, item)
            for name in view.wrong:
                if name in before:
                    view.nodes.setdefault(name, before[name])
            self.view = view
        self.changed()

    @staticmethod
    def _take(view: View, item: Any) -> str:
        """The name of the node that *item* is, "" where it has none."""
        try:
            node = nodes.read(item)
        except Unreadable as error:
            view.wrong[error.name] = str(error)
            return error.name
        view.wrong.pop(node.name, None)
        view.nodes[node.name] = node
        return node.name

    def _apply(self, kind: str, item: Any) -> None:
        """One event of a watch."""
        with self.lock:
            before = dict(self.view.nodes), dict(self.view.wrong)
            if kind == "DELETED":
                name = _name(item)
                self.view.nodes.pop(name, None)
                self.view.wrong.pop(name, None)
            elif kind != "BOOKMARK":
                self._take(self.view, item)
            is_changed = before != (self.view.nodes, self.view.wrong)
        metadata = item.get("metadata") if isinstance(item, dict) else None
        version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if isinstance(version, str) and version:
            self.version = version
        if is_changed:
            self.changed()


def _name(item: Any) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
