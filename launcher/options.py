"""The command line: every option, its help and its examples, in one parser."""

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

from launcher import ports
from launcher.failures import EXIT_CODES, Failure

CONF_DIR, CACHE_DIR, TIMEOUT = "/etc/cni/net.d", "/var/lib/cni", 60.0
NETWORK = "name of a network in the configuration directory, or a .conflist file; several with commas between"
TARGET = "name of a namespace, pid of a process, or path of a namespace"
COMMAND = "command to run, behind --; default: a shell"


def parser() -> argparse.ArgumentParser:
    """The whole parser. Each command's options have `command` set to its name."""
    top = _Parser(
        prog="cniwire",
        description="Wire network namespaces with CNI plugins, as a container runtime does.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES + "\n\n" + EXIT_CODES,
    )
    _global_options(top)
    commands = top.add_subparsers(dest="action", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (text, arguments, examples) in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for flags, settings in arguments:
            sub.add_argument(*flags, **settings)
        if name != "completion":
            _global_options(sub.add_argument_group("global options"), again=True)
    return top


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of a command line; the command to run is what stands behind the first `--`."""
    before, behind = list(argv), None
    if "--" in before:
        cut = before.index("--")
        before, behind = before[:cut], before[cut + 1 :]
    options = parser().parse_args(before)
    if behind is not None:
        if not hasattr(options, "command"):
            parser().error(f"{options.action} takes no command behind --")
        options.command = [*options.command, *behind]
    return options


def _global_options(parser: Any, again: bool = False) -> None:
    """The options that stand before or behind the command; behind it they have no default, which would hide the one before."""

    def option(*flags: str, default: Any = None, **settings: Any) -> None:
        parser.add_argument(*flags, default=argparse.SUPPRESS if again else default, **settings)

    conf_dir = os.environ.get("NETCONFPATH") or CONF_DIR
    option("--conf-dir", metavar="DIR", default=conf_dir, help=f"network configurations (default: $NETCONFPATH or {CONF_DIR})")
    where = "plugin executables, may be repeated (default: $CNI_PATH, or those that came with cniwire and /opt/cni/bin)"
    option("--plugin-dir", metavar="DIR", action="append", help=where)
    option("--cache-dir", metavar="DIR", default=CACHE_DIR, help=f"holds the result cache (default: {CACHE_DIR})")
    also = "another runtime's, read as well: Multus keeps its own in /var/lib/cni/multus; may be repeated"
    option("--read-cache", metavar="DIR", action="append", default=[], help=also)
    option("--timeout", metavar="SECONDS", type=seconds, default=TIMEOUT, help=f"for one verb over all plugins (default: {TIMEOUT:g})")
    option("--wide", action="store_true", default=False, help="show long container IDs whole")
    option("--json", action="store_true", default=False, help="print one JSON document for programs")
    option("--verbose", action="store_true", default=False, help="show every call of a plugin: variables, input, output, time")


def seconds(text: str) -> float:
    """A positive number of seconds. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"want a positive number of seconds, found {text!r}")
    return value


def mapping(text: str) -> dict[str, Any]:
    """A published port. Raises argparse.ArgumentTypeError."""
    try:
        return ports.parse(text)
    except Failure as failure:
        raise argparse.ArgumentTypeError(f"{failure.msg}; {failure.hint}") from None


def pair(text: str) -> tuple[str, str]:
    """KEY=VALUE for CNI_ARGS. Raises argparse.ArgumentTypeError."""
    key, equals, value = text.partition("=")
    if not key or not equals or "=" in value or ";" in text:
        raise argparse.ArgumentTypeError(f"want KEY=VALUE without further = and ;, found {text!r}")
    return key, value


def values(text: str) -> dict[str, Any]:
    """A JSON object of values by capability. Raises argparse.ArgumentTypeError."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"want a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"want a JSON object, found {text!r}")
    return found


Argument = tuple[tuple[str, ...], dict[str, Any]]

_NETWORK: Argument = (("network",), {"metavar": "NETWORK", "help": NETWORK})
_TARGET: Argument = (("target",), {"metavar": "TARGET", "help": TARGET})
_NAMES: Argument = (("names",), {"metavar": "NAME", "nargs": "+", "help": "name of a namespace in /run/netns"})
_ID: Argument = (("--id",), {"metavar": "ID", "default": "", "help": "container ID (default: made from the target)"})
_IFNAME: Argument = (
    ("--ifname",),
    {"metavar": "NAME", "default": "", "help": "interface in the namespace (default: the first free ethN)"},
)
_PUBLISH: Argument = (
    ("-p", "--publish"),
    {
        "metavar": "PORTS",
        "type": mapping,
        "action": "append",
        "default": [],
        "help": "[hostIP:]8080:80[/udp], [hostIP:]8000-8009:80-89",
    },
)
_ARG: Argument = (
    ("--arg",),
    {"metavar": "KEY=VALUE", "type": pair, "action": "append", "default": [], "help": "a pair for CNI_ARGS, may be repeated"},
)
_CAPABILITY: Argument = (
    ("--capability",),
    {
        "metavar": "JSON",
        "type": values,
        "default": None,
        "help": 'runtimeConfig by capability, such as \'{"mac": "02:00:00:00:00:01"}\'',
    },
)
_WISHES = [_IFNAME, _PUBLISH, _ARG, _CAPABILITY]
_COMMAND: Argument = (("command",), {"metavar": "-- COMMAND", "nargs": "*", "default": [], "help": COMMAND})
_REST: Argument = (("command",), {"metavar": "COMMAND", "nargs": argparse.REMAINDER, "help": "command to run; default: a shell"})
_NETWORKS: Argument = (("networks",), {"metavar": "NETWORK", "nargs": "*", "default": [], "help": "names or files (default: all)"})

COMMANDS: dict[str, tuple[str, list[Argument], list[str]]] = {
    "run": (
        "run a command in a new wired namespace, and remove both when it ends",
        [
            _NETWORK,
            (("--name",), {"metavar": "NAME", "default": "", "help": "name of the namespace and container ID"}),
            *_WISHES,
            _COMMAND,
        ],
        ["cniwire run demo -- ip address", "cniwire run demo -p 8080:80 -p 5353:53/udp -- python3 -m http.server 80"],
    ),
    "up": (
        "make named namespaces that stay, and wire each",
        [_NETWORK, _NAMES, *_WISHES],
        ["cniwire up demo web db", "cniwire up demo,backend web -p 127.0.0.1:8080:80", "ip netns exec web ip address"],
    ),
    "down": (
        "unwire and remove named namespaces",
        [_NAMES, (("--force",), {"action": "store_true", "help": "remove the namespace even if a plugin refuses"})],
        ["cniwire down web db"],
    ),
    "exec": (
        "run a command in a namespace that is there",
        [_TARGET, _REST],
        ["cniwire exec web ping -c 1 10.77.0.1", "cniwire exec web"],
    ),
    "attach": (
        "wire a namespace that somebody else made: of a process, Docker, LXC, `ip netns`, `unshare`",
        [_NETWORK, _TARGET, _ID, *_WISHES],
        [
            "cniwire attach demo 4711",
            "cniwire attach demo $(docker inspect -f '{{.State.Pid}}' box) --ifname cni0",
            "cniwire attach demo /run/netns/lab",
        ],
    ),
    "detach": (
        "take a namespace off a network, or off `all`",
        [_NETWORK, _TARGET, _ID, _IFNAME],
        ["cniwire detach demo 4711", "cniwire detach all web"],
    ),
    "check": (
        "compare what is wired with what was made",
        [
            (("names",), {"metavar": "NAME", "nargs": "*", "default": [], "help": "container IDs (default: all)"}),
            (("--network",), {"metavar": "NETWORK", "default": "", "help": "only attachments on this network"}),
        ],
        ["cniwire check", "cniwire check web --network demo"],
    ),
    "gc": (
        "remove what no living container owns any more",
        [_NETWORKS, (("--dry-run",), {"action": "store_true", "help": "only say what would be removed"})],
        ["cniwire gc --dry-run", "cniwire gc demo"],
    ),
    "status": ("say whether networks could wire a container now", [_NETWORKS], ["cniwire status", "cniwire status ./my.conflist"]),
    "ls": (
        "list and draw what is wired",
        [_NETWORKS],
        ["cniwire ls", "cniwire ls demo --json"],
    ),
    "lab": (
        "run a shell or command in a private fake host, where everything works without root and touches nothing",
        [_COMMAND],
        ["cniwire lab", "cniwire lab -- cniwire run conf/10-bridge.conflist -- ip address"],
    ),
    "completion": (
        "print a completion script for a shell",
        [(("shell",), {"choices": ["bash", "zsh", "fish"], "help": "the shell"})],
        ["source <(cniwire completion bash)", "cniwire completion fish > ~/.config/fish/completions/cniwire.fish"],
    ),
}

EXAMPLES = """\
examples:
  cniwire lab                                   a private fake host to try everything in, without root
  cniwire run demo -p 8080:80 -- python3 -m http.server 80
  cniwire up demo web db && cniwire exec web ping -c 1 10.77.0.3
  cniwire ls                                    what is wired, as a table and a drawing
  cniwire attach demo 4711                      wire the namespace of process 4711
  cniwire down web db && cniwire gc --dry-run"""
