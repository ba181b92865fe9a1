"""The command `network`: list networks, show the configuration of one, write a new one."""

import argparse
import hashlib
import ipaddress
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from core.cni.json import render
from launcher import conflist, example
from launcher.conflist import Network
from launcher.drawing import Fitting
from launcher.example import Subnet
from launcher.failures import PRIVILEGE, ConfigFailure, Failure, MissingDirectory, UsageFailure
from launcher.plain import escape, printable
from launcher.values import NAME
from launcher.wiring import Session

ROUTES, ROUTES6 = "/proc/net/route", "/proc/net/ipv6_route"
IFNAME_LENGTH = 15


def network(session: Session, options: argparse.Namespace) -> int:
    """Do one of the three."""
    if options.verb == "ls":
        if options.name:
            raise UsageFailure(
                "network ls takes no name", hint=f"`cniwire network show {options.name}` shows one"
            )
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
    session.terminal.result(
        {"networks": rows, "unreadable": [{"file": path, "error": failure.msg} for path, failure in failures]}
    )
    if not session.terminal.as_json:
        session.terminal.show(Fitting(table(rows, session.conf_dir), cards=True))
        for _, failure in failures:
            session.terminal.wrong(
                escape(failure.msg), [escape(line) for line in failure.details.splitlines()], failure.hint
            )
    return 0


def known(session: Session) -> tuple[list[Network], list[tuple[str, ConfigFailure]]]:
    """The networks by the files that win, with the one that is built in; and (path, why) of files that cannot be read."""
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
    """Where a network is from, without the directory that all are from."""
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
    """The configuration list, as JSON whether or not that was asked for."""
    print(render(conflist.resolve(name, session.conf_dir).document, 2))
    return 0


def create(session: Session, options: argparse.Namespace) -> int:
    """Write a configuration of the usual kind, with a subnet that nobody has."""
    if not NAME.fullmatch(options.name) or options.name == "all" or len(options.name) > 200:
        raise UsageFailure(
            f"network name: want letters, digits, dots, dashes and underscores, and not `all`, found {options.name!r}"
        )
    networks, _ = known(session)
    for each in networks:
        if each.name == options.name and each.source:
            raise Failure(
                f"network {each.name} exists already, in {each.source}",
                hint=f"`cniwire network show {each.name}` shows it",
            )
    if options.name == example.DEMO["name"] and not options.subnet and not options.internal:
        written = example.DEMO
    else:
        written = example.document(
            options.name,
            bridge_name(options.name, networks),
            chosen_subnets(options.subnet, networks),
            options.internal,
        )
    path = write(session.conf_dir, written)
    subnets = "  ".join(example.subnets_of(written["plugins"]))
    session.terminal.done(
        f"network [bold]{escape(options.name)}[/] is in {escape(path)}: [cyan]{escape(subnets)}[/]"
    )
    session.terminal.result({"network": written, "file": path})
    return 0


def chosen_subnets(wanted: list[str], networks: list[Network]) -> tuple[str, ...]:
    """The subnets that were asked for, or two that neither a network nor a route of the host has. Raises Failure."""
    taken = [*configured(networks), *routed()]
    for subnet in map(parse, wanted):
        for other in taken:
            if subnet.version == other.version and other.prefixlen and subnet.overlaps(other):
                raise Failure(
                    f"--subnet {subnet}: overlaps {other}, which another network or a route of this host has",
                    hint="choose another one",
                )
    found = tuple(wanted) or example.free_subnets([each for each in taken if each.prefixlen])
    if not found:
        raise Failure("no subnet of 10.78.0.0/24 to 10.255.0.0/24 is free", hint="choose one with --subnet")
    return tuple(str(parse(subnet)) for subnet in found)


def parse(text: str) -> Subnet:
    """A subnet with room for a gateway and a container. Raises UsageFailure."""
    try:
        subnet = ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageFailure(
            f"--subnet: {error}", hint="for example --subnet 10.99.0.0/24 --subnet fd00:99::/64"
        ) from None
    if subnet.max_prefixlen - subnet.prefixlen < 2:
        raise UsageFailure(f"--subnet {text}: want at least four addresses")
    return subnet


def configured(networks: list[Network]) -> Iterator[Subnet]:
    """The subnets of networks."""
    for text in [subnet for each in networks for subnet in example.subnets_of(each.plugins)]:
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue  # its plugin will say so


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
    """The lines of a file; none where there is no such protocol."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []


def bridge_name(name: str, networks: list[Network]) -> str:
    """A name for the bridge that no interface and no network has: the network's with a 0, else one hashed from it."""
    taken = {plugin.get("bridge") for each in networks for plugin in each.plugins} | {
        link for _, link in socket.if_nameindex()
    }
    plain = f"{name}0"
    if len(plain) <= IFNAME_LENGTH and plain not in taken:
        return plain
    return "cni" + hashlib.sha512(name.encode()).hexdigest()[:12]


def write(conf_dir: str, written: dict[str, Any]) -> str:
    """A file that is complete or absent; returns its path. Raises Failure when it exists or may not be written.

    Runtimes take the first file of the directory as their network: this name comes behind those that begin with a number.
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
            raise Failure(
                f"{path} exists already", hint="it holds a network of another name, or is damaged: look at it"
            ) from None
        hint = PRIVILEGE if isinstance(error, PermissionError) else "choose another directory with --conf-dir"
        raise Failure(f"cannot write {path}: {error.strerror}", hint=hint) from None
    return path
