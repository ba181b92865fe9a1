"""The loop of `cniwire node`: what the cluster says becomes routes and a network configuration, and stays so.

It looks again when a Node changes, when the kernel says that a link, an address or a route has changed, and
every LOOK_S seconds. A look compares everything anew, so it does not matter what was missed. What it changes
and what is wrong is said in one line, once; what is no longer wrong as well.

Law: nothing is removed on the word of a server that does not know this very node, and nothing when we end:
the pods live on.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from core.address import Cidr
from core.netlink import link
from launcher.example import subnets_of
from launcher.node import conflist, kernel, plan
from launcher.node.follow import Follower, View
from launcher.node.nodes import Node

LOOK_S = 30.0
SETTLE_S, LONGEST_SETTLE_S = 0.2, 3.0  # news comes in flocks
AWAY = "the API server cannot be followed, everything stays as it is"


@dataclass(frozen=True)
class Settings:
    """node: the name of ours. template: path, "" to write no configuration. folder: where it is written.

    state: path of the file that says how we fare, "" for none.
    """

    node: str
    template: str
    folder: str
    state: str


class Agent:
    """One node's agent."""

    def __init__(self, settings: Settings) -> None:
        """Raises OSError."""
        self.settings = settings
        self.routes = kernel.Routes()
        self.said: list[str] = []
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.is_ending = False

    def wake(self) -> None:
        """Have the loop look again, from whichever thread."""
        try:
            os.write(self.writer, b"!")
        except BlockingIOError:
            pass  # it is awake

    def run(self, follower: Follower) -> int:
        """Go on until SIGTERM or SIGINT. Raises OSError."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        news = kernel.news()
        follower.start()
        awaited = select.poll()
        for descriptor in (self.reader, news.fileno()):
            awaited.register(descriptor, select.POLLIN)
        while not self.is_ending:
            began = time.monotonic()
            self.look(follower.now())
            took_s = time.monotonic() - began
            if awaited.poll(LOOK_S * 1000) and not self.is_ending:
                time.sleep(min(max(SETTLE_S, 10 * took_s), LONGEST_SETTLE_S))  # storms of news cost little
            drain(self.reader, news)
        tell("ends; routes and configuration stay")
        return 0

    def _end(self, *_: object) -> None:
        self.is_ending = True
        self.wake()

    def look(self, view: View) -> None:
        """Compare everything, and change what has to be."""
        own = view.nodes.get(self.settings.node)
        wrong = [f"{AWAY}: {view.trouble}"] if view.trouble else []
        wrong += sorted(view.wrong.values())
        if view.listed and own is None and self.settings.node not in view.wrong:
            wrong.append(f"the cluster has no node {self.settings.node}: nothing is changed")
        routes: dict[str, str] = {}
        if own:
            wanted, refused = plan.ways(own, view.nodes)
            outcome = self._make_routes(wanted)
            routes, wrong = outcome.routes, [*wrong, *refused, *outcome.wrong]
            if not own.networks:
                wrong.append(f"node {own.name} has no podCIDR; does the cluster allocate them?")
        is_written = self._configure(own, wrong)
        self._say(wrong)
        self._note(is_written and own is not None, routes)

    def _make_routes(self, wanted: dict[Cidr, plan.Way]) -> kernel.Outcome:
        try:
            outcome = self.routes.make(wanted)
        except (OSError, ValueError) as error:
            return kernel.Outcome([], [f"routes: {getattr(error, 'strerror', None) or error}"], {})
        for line in outcome.done:
            tell(line)
        return outcome

    def _configure(self, own: Node | None, wrong: list[str]) -> bool:
        """Have the network configuration; whether there is one for new pods. Adds to *wrong*."""
        if not self.settings.template:
            return True
        path = os.path.join(self.settings.folder, os.path.basename(self.settings.template))
        try:
            found = conflist.read(path)
            if own and own.networks:
                return self._write(path, found, own, wrong)
            return found is not None
        except ValueError as error:
            wrong.append(f"{self.settings.template}: {error}")
        except OSError as error:
            wrong.append(f"{error.filename or path}: {error.strerror}")
        return False

    def _write(self, path: str, found: conflist.Found | None, own: Node, wrong: list[str]) -> bool:
        """Raises OSError, ValueError."""
        with open(self.settings.template, "rb") as file:
            made = conflist.filled(file.read(), own.networks, own.name)
        wrong += [
            f"ipMasqOutside has no network around {each}: its pods reach others under this node's address"
            for each in conflist.masqueraded(made, own.networks)
        ]
        if found and not found.mark:
            wrong.append(f"{path} is somebody else's, and stays as it is")
        elif found is None or found.made != made:
            living = self._living(found.made, made) if found else 0
            if living:
                was, now = shown(found.made if found else {}), shown(made)
                wrong.append(
                    f"{path} stays as it is, because {living} addresses are in use by it: "
                    f"it has {was}, and would have {now}. Drain the node to have it changed"
                )
                return True
            conflist.write(path, made)
            tell(f"wrote {path} for {' and '.join(map(str, own.networks))}")
        return True

    def _living(self, before: dict[str, Any], made: dict[str, Any]) -> int:
        """How many addresses are in use by a list of which *made* would change what may not change."""
        if conflist.addresses(before) == conflist.addresses(made):
            return 0
        names = conflist.bridges(before)
        is_there = any(self._has_link(name) for name in names) or not names
        return conflist.reserved(before) if is_there else 0  # without the bridge nobody lives: a reboot

    def _has_link(self, name: str) -> bool:
        try:
            self.routes.socket.ask(link.get_link(name))
        except OSError:
            return False
        return True

    def _say(self, wrong: list[str]) -> None:
        for line in wrong:
            if line not in self.said:
                tell(line)
        for line in self.said:
            if line not in wrong:
                tell(f"no longer: {line}")
        self.said = wrong

    def _note(self, is_ready: bool, routes: dict[str, str]) -> None:
        """Leave how we fare in the file of state, for `cniwire node --ready`."""
        if not self.settings.state:
            return
        state = {"ready": is_ready, "node": self.settings.node, "routes": routes, "wrong": self.said}
        try:
            with open(self.settings.state + ".new", "w", encoding="utf-8") as file:
                json.dump(state, file)
            os.rename(self.settings.state + ".new", self.settings.state)
        except OSError as error:
            tell(f"{self.settings.state}: {error.strerror}")


def shown(made: dict[str, Any]) -> str:
    """The name and the subnets of a list."""
    return " ".join([str(made.get("name")), *subnets_of(made.get("plugins", []))])


def drain(reader: int, news: Any) -> None:
    """Forget what woke us: the look comes behind it."""
    for read in (lambda: os.read(reader, 4096), lambda: news.recv(1 << 16)):
        try:
            while read():
                pass
        except BlockingIOError:
            continue
        except OSError:  # ENOBUFS: news was lost, which says enough
            continue


def tell(line: str) -> None:
    """One line for the log."""
    print(f"cniwire node: {line}", file=sys.stderr, flush=True)
