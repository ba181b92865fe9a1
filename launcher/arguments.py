"""The arguments that commands share, and how their texts are read.

Readers raise argparse.ArgumentTypeError, whose text names what is wanted and what was found.
"""

import argparse
from typing import Any

from core.address import mac_parse, mac_text
from launcher.failures import Failure

Argument = tuple[tuple[str, ...], dict[str, Any]]

# The options that stand before or behind every command; launcher.options says what they take.
GLOBAL = (
    *("--help", "--version", "--conf-dir", "--plugin-dir", "--cache-dir", "--read-cache", "--timeout"),
    *("--wide", "--json", "--verbose"),
)


def argument(*flags: str, **settings: Any) -> Argument:
    """What ArgumentParser.add_argument is called with."""
    return flags, settings


def switch(flag: str, text: str) -> Argument:
    """An option without value."""
    return argument(flag, action="store_true", help=text)


def ignored(*flags: str) -> Argument:
    """An option of Docker's that changes nothing here; no help page shows it."""
    return argument(*flags, action="store_true", help=argparse.SUPPRESS)


def several(*flags: str, metavar: str, text: str, read: Any = str) -> Argument:
    """An option that may be repeated."""
    return argument(*flags, metavar=metavar, type=read, action="append", default=[], help=text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"want a positive number of seconds, found {text!r}")
    return value


def mapping(text: str) -> dict[str, Any]:
    """A published port."""
    from launcher import ports  # only where one is given

    try:
        return ports.parse(text)
    except Failure as failure:
        raise argparse.ArgumentTypeError(f"{failure.msg}; {failure.hint}") from None


def pair(text: str) -> tuple[str, str]:
    """KEY=VALUE for CNI_ARGS."""
    key, equals, value = text.partition("=")
    if not key or not equals or "=" in value or ";" in text:
        raise argparse.ArgumentTypeError(f"want KEY=VALUE without further = and ;, found {text!r}")
    return key, value


def container_address(text: str) -> str:
    """An address for a container."""
    from launcher import wishes  # only where one is given

    try:
        return wishes.address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def mac(text: str) -> str:
    """The MAC of one interface."""
    try:
        return mac_text(mac_parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def values(text: str) -> dict[str, Any]:
    """A JSON object of values by capability."""
    import json  # only where some are given

    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"want a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"want a JSON object, found {text!r}")
    return found


NETWORK = argument(
    "network",
    metavar="NETWORK",
    help="name of a network in the configuration directory, or a .conflist file; several with commas between",
)
TARGET = argument(
    "target",
    metavar="TARGET",
    help="name of a namespace, pid of a process, path of a namespace, or ID of a container",
)
NAMES = argument("names", metavar="NAME", nargs="+", help="name of a namespace in /run/netns")
NETWORKS = argument(
    "networks", metavar="NETWORK", nargs="*", default=[], help="names or files (default: all)"
)
COMMAND = argument(
    "command", metavar="-- COMMAND", nargs="*", default=[], help="command to run, behind --; default: a shell"
)
REST = argument(
    "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="command to run; default: a shell"
)

ID = argument("--id", metavar="ID", default="", help="container ID (default: made from the target)")
IFNAME = argument(
    "--ifname", metavar="NAME", default="", help="interface in the namespace (default: the first free ethN)"
)
PORTS = (
    "[hostIP:]8080:80[/udp], [hostIP:]8000-8009:80-89; "
    "without a host port (80, hostIP::80) a free one is chosen"
)
PUBLISH = several("-p", "--publish", metavar="PORTS", text=PORTS, read=mapping)
IP = several(
    "--ip", metavar="ADDRESS", text="address for the container, one of each family", read=container_address
)
MAC = argument("--mac", metavar="MAC", type=mac, default=None, help="MAC for the container's interface")
ARG = several("--arg", metavar="KEY=VALUE", text="a pair for CNI_ARGS, may be repeated", read=pair)
CAPABILITY = argument(
    "--capability",
    metavar="JSON",
    type=values,
    default=None,
    help='runtimeConfig by capability, such as \'{"mac": "02:00:00:00:00:01"}\'',
)
WISHES = [IFNAME, PUBLISH, IP, MAC, ARG, CAPABILITY]
LIKE_DOCKER = [ignored("-i", "--interactive"), ignored("-t", "--tty"), ignored("-d", "--detach")]
