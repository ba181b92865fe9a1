"""`make run`: wire two containers in a private fake host, send packets, take them down, look for remains.

Every step is a command that a person could type, or a real packet. The first failure ends the demo with exit
code 1.
"""

import os
import sys
import time
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from core.nft.names import TABLE
from launcher import lab, netns
from launcher.inventory import Inventory, inventory
from launcher.main import main as cniwire
from launcher.options import CACHE_DIR
from launcher.plain import escape
from launcher.traffic import HERE, Server, ask, ping

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NETWORK = os.path.join(ROOT, "conf", "10-bridge.conflist")
BRIDGE = "demo0"
GATEWAY, WEB, DB = ("10.77.0.1", "fd00:77::1"), ("10.77.0.2", "fd00:77::2"), ("10.77.0.3", "fd00:77::3")
PORT, CONTAINER_PORT = 8080, 80

out = Console(highlight=False, emoji=False, soft_wrap=True)


class Failed(Exception):
    """A step did not do what it should."""


def main() -> int:
    """Do the demo; return 0 if all of it went well."""
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, "-m", "launcher.demo"])
    begin = time.monotonic()
    try:
        demo()
    except Failed as failure:
        out.print(f"[bold red]✘ {escape(str(failure))}[/]")
        return 1
    took = f"{time.monotonic() - begin:.1f} seconds"
    out.print(f"\n[bold green]All of it worked.[/] {took}; what was here dies with this command.")
    return 0


def demo() -> None:
    """The story, from top to bottom. Raises Failed."""
    own = "network, processes, /run and /var/lib/cni are its own, the machine is not touched"
    out.print(f"[bold]A private fake host[/]: {own}.")
    before = inventory(netns.DIRECTORY, CACHE_DIR)

    chapter("Wire two containers; of web, publish a port over TCP and UDP")
    mapping = f"{PORT}:{CONTAINER_PORT}"
    command("up", NETWORK, "web", "--publish", f"{mapping}/tcp", "--publish", f"{mapping}/udp")
    command("up", NETWORK, "db")
    web, db = netns.path_of("web"), netns.path_of("db")
    wired = inventory(netns.DIRECTORY, CACHE_DIR)

    chapter("Ping across the bridge, IPv4 and IPv6")
    for title, space, addresses in (
        ("db → web", db, WEB),
        ("web → db", web, DB),
        ("web → host", web, GATEWAY),
        ("host → web", HERE, WEB),
    ):
        for address in addresses:
            echo(f"ICMP  {title:<11} {address}", ping(space, address, timeout_s=5))

    chapter(f"Ask web by the published port {PORT}, from the host, from its neighbour and from itself")
    with ExitStack() as servers:
        for protocol in ("tcp", "udp"):
            servers.enter_context(Server(web, "web", CONTAINER_PORT, protocol))
        for protocol in ("tcp", "udp"):
            for title, space, address in (
                ("host", HERE, "127.0.0.1"),
                ("host", HERE, GATEWAY[1]),
                ("db", db, GATEWAY[0]),
                ("db", db, GATEWAY[1]),
                ("web", web, GATEWAY[0]),
            ):
                answer(protocol, title, space, address)

    chapter("Compare what is there with what was made")
    command("check")

    chapter("Look at it")
    command("ls", NETWORK)

    chapter("Take both down, and compare with the beginning")
    command("down", "web", "db")
    prove(before, wired, inventory(netns.DIRECTORY, CACHE_DIR))


def chapter(title: str) -> None:
    """Begin a part of the story."""
    out.print(f"\n[bold]{title}[/]")


def command(*arguments: str) -> None:
    """Run `cniwire` as a person would type it. Raises Failed."""
    shown = [os.path.relpath(each, ROOT) if each.startswith(ROOT) else each for each in arguments]
    out.print(f"[dim]$[/] [bold cyan]cniwire {' '.join(shown)}[/]")
    sys.stdout.flush()
    code = cniwire(list(arguments))
    if code:
        raise Failed(f"cniwire {arguments[0]} ended with {code}")


def echo(what: str, seconds: float | None) -> None:
    """Say how long a ping took. Raises Failed if nothing came back."""
    if seconds is None:
        raise Failed(f"{what}: no answer")
    out.print(f"[green]✔[/] {what:<40} [dim]{seconds * 1000:.1f} ms[/]")


def answer(protocol: str, title: str, space: str, address: str) -> None:
    """Ask for web by the published port of *address*; it must be web that answers. Raises Failed."""
    where = f"[{address}]" if ":" in address else address
    what = f"{protocol.upper():<5} {title:<4} → {where}:{PORT}"
    begin = time.monotonic()
    try:
        reply = ask(space, address, PORT, protocol)
    except OSError as error:
        raise Failed(f"{what}: {error}") from None
    if reply.server != "web":
        raise Failed(f"{what}: {reply.server} answered")
    took = f"[dim]{(time.monotonic() - begin) * 1000:.1f} ms[/]"
    out.print(f"[green]✔[/] {escape(f'{what:<34}')} web sees {reply.caller:<12} {took}")


def prove(before: Inventory, wired: Inventory, after: Inventory) -> None:
    """Show the three inventories. Raises Failed unless all that is left is shared by containers.

    That is: the bridge with its addresses, and rules that name no container.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "before", "wired", "after", "shared, stays"):
        grid.add_column(title, justify="left" if title in ("", "shared, stays") else "right")
    for kind in before:
        left = sorted(after[kind] - before[kind])
        counts = [str(len(found[kind])) for found in (before, wired, after)]
        grid.add_row(kind, *counts, f"[dim]{escape(summary(kind, left))}[/]")
    out.print(grid)
    owned = [line for kind in before for line in after[kind] - before[kind] if not shared(kind, line)]
    missing = [line for kind in before for line in before[kind] - after[kind]]
    if owned or missing:
        raise Failed(f"left behind: {owned}; missing: {missing}")
    out.print("[green]✔[/] nothing that belonged to a container is left")


def shared(kind: str, line: str) -> bool:
    """Whether a line of the inventory is of an object that all containers of the network share."""
    if kind in ("links", "addresses", "routes"):
        return BRIDGE in line.split()
    return kind in ("nft chains", "nft rules") and f" {TABLE} " in line


def summary(kind: str, left: list[str]) -> str:
    """A few words about what is left of one kind."""
    if kind.startswith("nft") and left:
        return f"of table {TABLE}"
    return ", ".join(line.removesuffix(f" on {BRIDGE}") for line in left)


if __name__ == "__main__":
    sys.exit(main())
