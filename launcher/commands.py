"""The commands of `cniwire`: what each takes, what it is for, and examples."""

import argparse
from typing import Any

from core.plan.records import mac_parse, mac_text
from launcher.failures import Failure

NETWORK = "name of a network in the configuration directory, or a .conflist file; several with commas between"
TARGET = "name of a namespace, pid of a process, path of a namespace, or ID of a container"
COMMAND = "command to run, behind --; default: a shell"


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
    from launcher import ports  # only where one is given

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


def container_address(text: str) -> str:
    """An address for a container. Raises argparse.ArgumentTypeError."""
    from launcher import wishes  # only where one is given

    try:
        return wishes.address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def mac(text: str) -> str:
    """The MAC of one interface. Raises argparse.ArgumentTypeError."""
    try:
        return mac_text(mac_parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def values(text: str) -> dict[str, Any]:
    """A JSON object of values by capability. Raises argparse.ArgumentTypeError."""
    import json  # only where some are given

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
_NAMES: Argument = (
    ("names",),
    {"metavar": "NAME", "nargs": "+", "help": "name of a namespace in /run/netns"},
)
_ID: Argument = (
    ("--id",),
    {"metavar": "ID", "default": "", "help": "container ID (default: made from the target)"},
)
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
        "help": "[hostIP:]8080:80[/udp], [hostIP:]8000-8009:80-89; without a host port (80, hostIP::80) a free one is chosen",
    },
)
_ARG: Argument = (
    ("--arg",),
    {
        "metavar": "KEY=VALUE",
        "type": pair,
        "action": "append",
        "default": [],
        "help": "a pair for CNI_ARGS, may be repeated",
    },
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
_IP: Argument = (
    ("--ip",),
    {
        "metavar": "ADDRESS",
        "type": container_address,
        "action": "append",
        "default": [],
        "help": "address for the container, one of each family",
    },
)
_MAC: Argument = (
    ("--mac",),
    {"metavar": "MAC", "type": mac, "default": None, "help": "MAC for the container's interface"},
)
_WISHES = [_IFNAME, _PUBLISH, _IP, _MAC, _ARG, _CAPABILITY]
_SILENT: dict[str, Any] = {"action": "store_true", "help": argparse.SUPPRESS}
_LIKE_DOCKER: list[Argument] = [
    (("-i", "--interactive"), _SILENT),
    (("-t", "--tty"), _SILENT),
    (("-d", "--detach"), _SILENT),
]
_COMMAND: Argument = (("command",), {"metavar": "-- COMMAND", "nargs": "*", "default": [], "help": COMMAND})
_REST: Argument = (
    ("command",),
    {"metavar": "COMMAND", "nargs": argparse.REMAINDER, "help": "command to run; default: a shell"},
)
_NETWORKS: Argument = (
    ("networks",),
    {"metavar": "NETWORK", "nargs": "*", "default": [], "help": "names or files (default: all)"},
)
_WHICH: Argument = (
    ("networks",),
    {**_NETWORKS[1], "metavar": "NAME", "help": "networks or containers (default: all)"},
)
_TAKEN: Argument = (
    ("--force",),
    {
        "metavar": "ID",
        "action": "append",
        "default": [],
        "help": "remove this container's attachments even if it may live, may be repeated",
    },
)

COMMANDS: dict[str, tuple[str, list[Argument], list[str]]] = {
    "run": (
        "run a command in a new container, and remove the container when it ends",
        [
            _NETWORK,
            (
                ("--name",),
                {"metavar": "NAME", "default": "", "help": "name of the namespace and container ID"},
            ),
            *_WISHES,
            *_LIKE_DOCKER,
            (("--rm",), _SILENT),
            _COMMAND,
        ],
        [
            "cniwire run demo -- ip address",
            "cniwire run demo -p 8080:80 -p 5353:53/udp -- python3 -m http.server 80",
        ],
    ),
    "up": (
        "make containers that stay, and wire each",
        [_NETWORK, _NAMES, *_WISHES],
        [
            "cniwire up demo web db",
            "cniwire up demo,backend web -p 127.0.0.1:8080:80",
            "ip netns exec web ip address",
        ],
    ),
    "down": (
        "unwire and remove containers",
        [
            (("names",), {**_NAMES[1], "nargs": "*", "default": []}),
            (("--all",), {"action": "store_true", "help": "all containers that `up` made"}),
            (("--force",), {"action": "store_true", "help": "remove the namespace even if a plugin refuses"}),
        ],
        ["cniwire down web db", "cniwire down --all"],
    ),
    "exec": (
        "run a command in a container that is there",
        [*_LIKE_DOCKER, _TARGET, _REST],
        ["cniwire exec web ping -c 1 10.77.0.1", "cniwire exec web"],
    ),
    "attach": (
        "wire what somebody else made: a process, a namespace of Docker, LXC, `ip netns`",
        [
            _NETWORK,
            _TARGET,
            _ID,
            *_WISHES,
            (
                ("--again",),
                {"action": "store_true", "help": "one interface more on a network where it is already"},
            ),
        ],
        [
            "cniwire attach demo 4711",
            "cniwire attach demo $(docker inspect -f '{{.State.Pid}}' box) --ifname cni0",
            "cniwire attach demo /run/netns/lab",
        ],
    ),
    "detach": (
        "take a container off a network, or off `all`",
        [_NETWORK, _TARGET, _ID, _IFNAME],
        ["cniwire detach demo 4711", "cniwire detach all web"],
    ),
    "check": (
        "compare what is wired with what was made",
        [
            (
                ("names",),
                {"metavar": "NAME", "nargs": "*", "default": [], "help": "container IDs (default: all)"},
            ),
            (
                ("--network",),
                {"metavar": "NETWORK", "default": "", "help": "only attachments on this network"},
            ),
        ],
        ["cniwire check", "cniwire check web --network demo"],
    ),
    "gc": (
        "remove what no living container owns any more",
        [
            _NETWORKS,
            (("--dry-run",), {"action": "store_true", "help": "only say what would be removed"}),
            _TAKEN,
        ],
        ["cniwire gc --dry-run", "cniwire gc demo", "cniwire gc demo --force 4f2a8c"],
    ),
    "status": (
        "say whether networks could wire a container now",
        [_NETWORKS],
        ["cniwire status", "cniwire status ./my.conflist"],
    ),
    "ls": ("list and draw what is wired", [_WHICH], ["cniwire ls", "cniwire ls demo --json"]),
    "ps": (
        "list what is wired",
        [_WHICH, (("-a", "--all"), _SILENT)],
        ["cniwire ps", "cniwire ps demo --wide"],
    ),
    "network": (
        "list networks, show the configuration of one, or write a new one",
        [
            (
                ("verb",),
                {
                    "metavar": "ls|show|create",
                    "choices": ["ls", "show", "create"],
                    "nargs": "?",
                    "default": "ls",
                    "help": "default: ls",
                },
            ),
            (("name",), {"metavar": "NETWORK", "nargs": "?", "default": "", "help": "name of the network"}),
            (
                ("--subnet",),
                {
                    "metavar": "CIDR",
                    "action": "append",
                    "default": [],
                    "help": "create: of an address family, may be repeated (default: one of each that is free)",
                },
            ),
            (
                ("--internal",),
                {
                    "action": "store_true",
                    "help": "create: containers reach each other and this host, and nothing else",
                },
            ),
        ],
        [
            "cniwire network ls",
            "cniwire network create backend --internal",
            "cniwire network show demo > /etc/cni/net.d/50-demo.conflist",
        ],
    ),
    "lab": (
        "run a shell or a command in a private fake host: no root needed, nothing touched",
        [_COMMAND],
        ["cniwire lab", "cniwire lab -- cniwire run conf/10-bridge.conflist -- ip address"],
    ),
    "completion": (
        "print a completion script for a shell",
        [
            (
                ("shell",),
                {
                    "metavar": "bash|zsh|fish",
                    "choices": ["bash", "zsh", "fish", "networks", "containers"],
                    "help": "the shell; `networks` and `containers` print the names that it offers",
                },
            )
        ],
        [
            "source <(cniwire completion bash)",
            "cniwire completion fish > ~/.config/fish/completions/cniwire.fish",
        ],
    ),
    "help": (
        "show this page, or the one of a command",
        [(("topic",), {"metavar": "COMMAND", "nargs": "?", "default": "", "help": "the command"})],
        ["cniwire help run"],
    ),
}

# The commands as the overview shows them, each with what comes nearest to it in Docker.
GROUPS = {
    "containers": {
        "run": "docker run --rm",
        "up": "docker run -d",
        "exec": "docker exec",
        "down": "docker rm -f",
    },
    "containers that are there already": {
        "attach": "docker network connect",
        "detach": "docker network disconnect",
    },
    "networks": {"network": "docker network", "status": ""},
    "look": {"ls": "", "ps": "docker ps", "check": ""},
    "keep in order": {"gc": "docker system prune"},
    "more": {"lab": "", "completion": "", "help": ""},
}
