"""The command `network`: list networks, show the configuration of one, write a new one."""

import argparse
import ipaddress
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from core.attachment import hashed
from core.cni.json import render
from core.cni.protocol import IFNAME_BYTES, is_identifier
from launcher import conflist, example
from launcher.conflist import Network
from launcher.drawing import Fitting
from launcher.example import Subnet
from launcher.failures import PRIVILEGE, ConfigFailure, Failure, MissingDirectory, UsageFailure
from launcher.plain import escape, printable
from launcher.session import Session

ROUTES, ROUTES6 = "/proc/net/route", "/proc/net/ipv6_route"
LONGEST_NAME = 200  # characters; the name of its file is longer, and may have 255


def network(session: Session, options: argparse.Namespace) -> int:
    """Do what the first argument says: ls, show or create."""
    if options.verb == "ls":
        if options.name:
            hint = f"`cniwire network show {options.name}` shows one"
            raise UsageFailure("network ls takes no name", hint=hint)
        return ls(session)
    if not options.name:
        raise UsageFailure(f"network {options.verb}: the name of the network is missing")
    return show(session, options.name) if options.verb == "show" else create(session, options)


def ls(session: Session) -> int:
    """A row for each network, and a line for each file that cannot be read."""
    networks, failures = known(session)
    attached = [cached.network for cached in session.cache.attachments()]
    rows = [
        {
            "name": each.name,
            "plugins": [plugin["type"] for plugin in each.plugins],
            "subnets": example.subnets_of(each.plugins),
            "attachments": attached.count(each.name),
            "source": each.source,
        }
        for each in networks
    ]
    unreadable = [{"file": path, "error": failure.msg} for path, failure in failures]
    session.terminal.result({"networks": rows, "unreadable": unreadable})
    if not session.terminal.as_json:
        session.terminal.show(Fitting(table(rows, session.conf_dir), cards=True))
        for _, failure in failures:
            details = [escape(line) for line in failure.details.splitlines()]
            session.terminal.wrong(escape(failure.msg), details, failure.hint)
    return 0


def known(session: Session) -> tuple[list[Network], list[tuple[str, ConfigFailure]]]:
    """The networks, and (path, why) of files that cannot be read.

    Of several files with one name the first counts; the built-in network is there unless a file has its name.
    """
    found: dict[str, Network] = {}
    failures = []
    try:
        for path, each in conflist.load_all(session.conf_dir):
            if isinstance(each, Network):
                found.setdefault(each.name, each)
            else:
                failures.append((path, each))
    except MissingDirectory:
        pass
    found.setdefault(conflist.built_in().name, conflist.built_in())
    return list(found.values()), failures


def where(source: str, conf_dir: str) -> str:
    """The file of a network: its name alone if it is in the configuration directory."""
    inside = os.path.dirname(source) == os.path.abspath(conf_dir)
    return (os.path.basename(source) if inside else source) or "built in"


def table(rows: list[dict[str, Any]], conf_dir: str) -> Table:
    """Networks as a person reads them."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("NETWORK", "PLUGINS", "SUBNETS", "ATTACHED", "FROM"):
        grid.add_column(title, overflow="fold", justify="right" if title == "ATTACHED" else "left")
    for row in printable(rows):
        texts = [
            "\n".join(row["plugins"]),
            "\n".join(row["subnets"]) or "-",
            str(row["attachments"]),
            where(row["source"], conf_dir),
        ]
        grid.add_row(Text(row["name"], style="bold"), *map(Text, texts))
    return grid


def show(session: Session, name: str) -> int:
    """Print the configuration list, which is JSON with and without --json."""
    print(render(conflist.resolve(name, session.conf_dir).document, 2))
    return 0


def create(session: Session, options: argparse.Namespace) -> int:
    """Write a configuration of the usual kind, with a subnet that nobody has."""
    name = options.name
    if not is_identifier(name) or name == "all" or len(name) > LONGEST_NAME:
        want = "letters, digits, dots, dashes and underscores, and not `all`"
        raise UsageFailure(f"network name: want {want}, found {name!r}")
    networks, _ = known(session)
    for each in networks:
        if each.name == name and each.source:
            hint = f"`cniwire network show {name}` shows it"
            raise Failure(f"network {name} exists already, in {each.source}", hint=hint)
    if name == example.DEMO["name"] and not options.subnet and not options.internal:
        written = example.DEMO
    else:
        bridge, subnets = bridge_name(name, networks), chosen_subnets(options.subnet, networks)
        written = example.document(name, bridge, subnets, options.internal)
    path = write(session.conf_dir, written)
    shown = "  ".join(example.subnets_of(written["plugins"]))
    text = f"network [bold]{escape(name)}[/] is in {escape(path)}: [cyan]{escape(shown)}[/]"
    session.terminal.done(text)
    session.terminal.result({"network": written, "file": path})
    return 0


def chosen_subnets(wanted: list[str], networks: list[Network]) -> tuple[str, ...]:
    """The subnets that were asked for, or two that neither a network nor a route of the host has.

    Raises Failure.
    """
    taken = [*configured(networks), *routed()]
    for subnet in map(parse, wanted):
        for other in taken:
            if subnet.version == other.version and other.prefixlen and subnet.overlaps(other):
                text = f"overlaps {other}, which another network or a route of this host has"
                raise Failure(f"--subnet {subnet}: {text}", hint="choose another one")
    found = tuple(wanted) or example.free_subnets([each for each in taken if each.prefixlen])
    if not found:
        raise Failure("no subnet of 10.78.0.0/24 to 10.255.0.0/24 is free", hint="choose one with --subnet")
    return tuple(str(parse(subnet)) for subnet in found)


def parse(text: str) -> Subnet:
    """A subnet with room for a gateway and a container. Raises UsageFailure."""
    try:
        subnet = ipaddress.ip_network(text)
    except ValueError as error:
        hint = "for example --subnet 10.99.0.0/24 --subnet fd00:99::/64"
        raise UsageFailure(f"--subnet: {error}", hint=hint) from None
    if subnet.max_prefixlen - subnet.prefixlen < 2:
        raise UsageFailure(f"--subnet {text}: want at least four addresses")
    return subnet


def configured(networks: list[Network]) -> Iterator[Subnet]:
    """The subnets that networks give their containers addresses of."""
    for text in [subnet for each in networks for subnet in example.subnets_of(each.plugins)]:
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue  # the plugin refuses it


def routed() -> Iterator[Subnet]:
    """The destinations of the host's routes."""
    for line in lines(ROUTES)[1:]:
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        address, bits = int.from_bytes(bytes.fromhex(destination), "little"), int(mask, 16).bit_count()
        yield ipaddress.IPv4Network((address, bits), strict=False)
    for line in lines(ROUTES6):
        destination, length, *_ = line.split()
        yield ipaddress.IPv6Network((int(destination, 16), int(length, 16)), strict=False)


def lines(path: str) -> list[str]:
    """The lines of a file; none where the kernel has no such protocol, and so no such file."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []


def bridge_name(name: str, networks: list[Network]) -> str:
    """A name for the bridge: the network's and a 0, or one hashed from it where that is too long or taken."""
    taken = {plugin.get("bridge") for each in networks for plugin in each.plugins}
    taken |= {link for _, link in socket.if_nameindex()}
    plain = f"{name}0"
    if len(plain) <= IFNAME_BYTES and plain not in taken:
        return plain
    return hashed(IFNAME_BYTES, "cni", name)


def write(conf_dir: str, written: dict[str, Any]) -> str:
    """Write a file that is complete or absent; returns its path. Raises Failure when it exists or is refused.

    A runtime takes the first file of the directory as its network. The name of this one sorts behind
    the usual ones, which begin with a number.
    """
    path = os.path.join(conf_dir, f"cniwire-{written['name']}.conflist")
    try:
        os.makedirs(conf_dir, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=conf_dir, prefix=".", encoding="utf-8") as file:
            os.chmod(file.name, 0o644)
            file.write(json.dumps(written, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)
    except OSError as error:
        if os.path.lexists(path):
            hint = "it holds a network of another name, or is damaged: look at it"
            raise Failure(f"{path} exists already", hint=hint) from None
        hint = PRIVILEGE if isinstance(error, PermissionError) else "choose another directory with --conf-dir"
        raise Failure(f"cannot write {path}: {error.strerror}", hint=hint) from None
    return path
