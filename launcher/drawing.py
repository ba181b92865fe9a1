"""Show a topology to a person: a table of attachments and a drawing of how they hang together."""

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from launcher import topology
from launcher.plain import escape, printable
from launcher.ports import shown
from launcher.session import Session
from launcher.terminal import ENDLESS


def ls(session: Session, options: argparse.Namespace) -> int:
    """List and draw what is wired; with --json, the same as values."""
    picture = topology.read(session, options.networks)
    if session.terminal.as_json:
        session.terminal.result(picture)
    else:
        session.terminal.show(draw(abridged(session, picture), session.conf_dir))
    return 0


def ps(session: Session, options: argparse.Namespace) -> int:
    """List what is wired: the table alone; with --json, the same as ls."""
    picture = topology.read(session, options.networks)
    if session.terminal.as_json:
        session.terminal.result(picture)
    else:
        session.terminal.show(Fitting(table(abridged(session, picture)["networks"]), cards=True))
    return 0


def abridged(session: Session, picture: Mapping[str, Any]) -> dict[str, Any]:
    """The picture with every container ID as short as it may be."""
    networks = []
    for network in picture["networks"]:
        attached = network.get("attachments", [])
        short = [{**item, "containerID": session.short(item["containerID"])} for item in attached]
        networks.append({**network, **({"attachments": short} if short else {})})
    return {**picture, "networks": networks}


def draw(picture: Mapping[str, Any], conf_dir: str = "") -> RenderableType:
    """Table and drawing of the values that topology.read returns.

    A table that does not fit the width is left out, because the drawing says the same.
    """
    picture = printable(picture)
    networks = picture["networks"]
    if not networks:
        nothing = f"nothing is wired, and no network is configured in {conf_dir}"
        return Group(Text(f"{nothing}; `cniwire up demo web` works all the same"), *unwired(picture))
    parts: list[RenderableType] = []
    if any(network.get("attachments") for network in networks):
        parts += [Fitting(table(networks), cards=False)]
    return Group(*parts, *[tree(network) for network in networks], *unwired(picture))


def unwired(picture: Mapping[str, Any]) -> list[RenderableType]:
    """A line about namespaces without any attachment."""
    names = picture["unwired"]
    return [f"[dim]namespaces without a network: {escape(', '.join(names))}[/]"] if names else []


class Fitting:
    """A table that adapts to the width: with less padding where it would not fit.

    cards: where it does not fit even so, a line is shown for each value; without cards nothing is shown.
    """

    def __init__(self, grid: Table, cards: bool) -> None:
        self.grid, self.cards = grid, cards

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for padding in ((0, 1), (0, 1, 0, 0)):
            self.grid.padding = padding
            needed = Measurement.get(console, options.update(width=ENDLESS), self.grid).minimum
            if needed <= options.max_width:
                yield self.grid
                yield from () if self.cards else ("",)
                return
        columns = [
            (str(column.header).lower(), [cell for cell in column.cells if isinstance(cell, Text)])
            for column in self.grid.columns
        ]
        for row in range(self.grid.row_count if self.cards else 0):
            yield columns[0][1][row]
            for title, cells in columns[1:]:
                if cells[row].plain != "-":
                    line = Text.assemble((f"{title} ", "dim"), Text("  ").join(cells[row].split()))
                    yield Padding(line, (0, 0, 0, 2))


def table(networks: list[Mapping[str, Any]]) -> Table:
    """One row per attachment; a column for pods where there are any."""
    attached = [(each["name"], each.get("attachments", [])) for each in printable(networks)]
    rows = [(name, item) for name, items in attached for item in items]
    has_pods = any("pod" in item for _, item in rows)
    pods = ["POD"] if has_pods else []
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("CONTAINER", *pods, "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"):
        grid.add_column(title, overflow="fold", no_wrap=title != "STATE")
    for name, item in rows:
        grid.add_row(
            Text(item["containerID"]),
            *([Text(item.get("pod") or "-")] if has_pods else []),
            Text(item["ifname"]),
            Text(name),
            Text("\n".join(item["addresses"]) or "-"),
            Text("\n".join(map(published, item.get("portMappings", []))) or "-"),
            state(item),
        )
    return grid


def published(mapping: Mapping[str, Any]) -> str:
    """A mapping, and whether it is served."""
    return shown(mapping) + (" (not served)" if "notServed" in mapping else "")


def state(item: Mapping[str, Any]) -> Text:
    """The state of an attachment: up in green, any other in red."""
    return Text(item["state"], style="green" if item["state"] == "up" else "red")


def tree(network: Mapping[str, Any]) -> Tree:
    """network -> bridge -> port -> container/ifname -> addresses."""
    state = "unreadable" if "error" in network else "not configured any more"
    about = " → ".join(network.get("plugins", [])) or state
    source = network.get("source") or network.get("origin", "")
    root = Tree(Text.assemble((network["name"], "bold"), (f"  {about}  {source}", "dim")))
    if "error" in network:
        root.add(Text(network["error"], style="red"))
        return root
    attachments = network.get("attachments", [])
    for bridge in network["bridges"]:
        branch = root.add(bridge_line(bridge))
        for item in attachments:
            if item.get("bridge") == bridge["name"]:
                branch.add(attachment_line(item))
    for item in attachments:
        if not item.get("bridge"):
            root.add(attachment_line(item))
    if not attachments:
        root.add(Text("nothing attached", style="dim"))
    return root


def bridge_line(bridge: Mapping[str, Any]) -> Text:
    """`bridge cni0 10.88.0.1/24 mtu 1500`."""
    line = Text.assemble("bridge ", (bridge["name"], "bold blue"))
    for address in bridge["addresses"]:
        line.append(f"  {address}", style="cyan")
    if "mtu" in bridge:
        line.append(f"  mtu {bridge['mtu']}", style="dim")
    if bridge["state"] != "up":
        line.append(f"  {bridge['state']}", style="red")
    return line


def attachment_line(item: Mapping[str, Any]) -> Text:
    """`veth12 ── web/eth0 10.88.0.2/24 published 8080→80/tcp`."""
    line = Text()
    if item.get("port"):
        line.append(f"{item['port']} ── ", style="blue")
    line.append(item["containerID"], style="bold").append(f"/{item['ifname']}")
    if item.get("pod"):
        line.append(f"  ({item['pod']})", style="dim")
    for address in item["addresses"]:
        line.append(f"  {address}", style="cyan")
    for mapping in item.get("portMappings", []):
        line.append(f"  {shown(mapping)}", style="magenta")
        if "notServed" in mapping:
            line.append(f" not served: {mapping['notServed']}", style="red")
    if item["state"] != "up":
        line.append(f"  {item.get('why') or item['state']}", style="red")
    return line
