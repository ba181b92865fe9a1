"""Show a topology to a person: a table of attachments and a drawing of how they hang together."""

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from launcher import topology
from launcher.ports import shown
from launcher.wiring import Session


def ls(session: Session, options: argparse.Namespace) -> int:
    """List and draw what is wired; with --json, the same as values."""
    picture = topology.read(session, options.networks)
    if session.terminal.as_json:
        session.terminal.result(picture)
    else:
        session.terminal.out.print(draw(picture, session.conf_dir))
    return 0


def draw(picture: Mapping[str, Any], conf_dir: str = "") -> RenderableType:
    """Table and drawing of the values that topology.read returns."""
    networks = picture["networks"]
    if not networks:
        empty = f"no network is configured in {conf_dir}, and nothing is wired"
        return Group(empty, *unwired(picture))
    parts: list[RenderableType] = []
    if any(network.get("attachments") for network in networks):
        parts += [table(networks), ""]
    return Group(*parts, *[tree(network) for network in networks], *unwired(picture))


def unwired(picture: Mapping[str, Any]) -> list[RenderableType]:
    """A line about namespaces without any attachment."""
    names = picture["unwired"]
    return [f"[dim]namespaces without a network: {escape(', '.join(names))}[/]"] if names else []


def table(networks: list[Mapping[str, Any]]) -> Table:
    """One row per attachment."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("CONTAINER", "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"):
        grid.add_column(title, overflow="fold")
    for network in networks:
        for item in network.get("attachments", []):
            grid.add_row(
                Text(item["containerID"]),
                Text(item["ifname"]),
                Text(network["name"]),
                Text("\n".join(item["addresses"]) or "-"),
                Text("\n".join(map(shown, item.get("portMappings", []))) or "-"),
                state(item),
            )
    return grid


def state(item: Mapping[str, Any]) -> Text:
    """up is green, everything else red."""
    return Text(item["state"], style="green" if item["state"] == "up" else "red")


def tree(network: Mapping[str, Any]) -> Tree:
    """network -> bridge -> port -> container/ifname -> addresses."""
    about = " → ".join(network.get("plugins", [])) or ("unreadable" if "error" in network else "not configured any more")
    root = Tree(Text.assemble((network["name"], "bold"), (f"  {about}  {network.get('source', '')}", "dim")))
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
    for address in item["addresses"]:
        line.append(f"  {address}", style="cyan")
    for mapping in item.get("portMappings", []):
        line.append(f"  {shown(mapping)}", style="magenta")
    if item["state"] != "up":
        line.append(f"  {item.get('why') or item['state']}", style="red")
    return line
