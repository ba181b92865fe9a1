"""The commands of `cniwire`: what each is for, what it takes, and examples."""

from launcher import arguments
from launcher.arguments import (
    COMMAND,
    LIKE_DOCKER,
    NAMES,
    NETWORK,
    NETWORKS,
    TARGET,
    WISHES,
    Argument,
    argument,
    ignored,
    several,
    switch,
)
from launcher.installing_commands import INSTALLING

WHICH = argument(
    "networks", metavar="NAME", nargs="*", default=[], help="networks or containers (default: all)"
)
CREATE_SUBNET = "create: of an address family, may be repeated (default: one of each that is free)"
CREATE_INTERNAL = "create: containers reach each other and this host, and nothing else"
GC_FORCE = "remove this container's attachments even if it may live, may be repeated"
HOOK_DEFAULT = (
    "for containers with a network namespace of their own and without annotation cniwire.networks "
    "(default: leave them alone)"
)
REPORT_FILE = "where to write it; `-` prints it (default: cniwire-report-TIME.txt in this directory)"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NODE_SERVER = "of the API (default: the one that Kubernetes tells its containers)"
NODE_TOKEN = "with the token that it wants (default: the service account's)"
NODE_CA = "with the authority that signed its certificate (default: the service account's)"
NODE_TEMPLATE = "of the network configuration, written into --conf-dir under its name (default: none)"
NODE_STATE = "where it notes how it fares (default: nowhere)"
SHELLS = "the shell; `networks` and `containers` print the names that it offers"

COMMANDS: dict[str, tuple[str, list[Argument], list[str]]] = {
    "run": (
        "run a command in a new container, and remove the container when it ends",
        [
            NETWORK,
            argument("--name", metavar="NAME", default="", help="name of the namespace and container ID"),
            *WISHES,
            *LIKE_DOCKER,
            ignored("--rm"),
            COMMAND,
        ],
        [
            "cniwire run demo -- ip address",
            "cniwire run demo -p 8080:80 -p 5353:53/udp -- python3 -m http.server 80",
        ],
    ),
    "up": (
        "make containers that stay, and wire each",
        [NETWORK, NAMES, *WISHES],
        [
            "cniwire up demo web db",
            "cniwire up demo,backend web -p 127.0.0.1:8080:80",
            "ip netns exec web ip address",
        ],
    ),
    "down": (
        "unwire and remove containers",
        [
            (("names",), {**NAMES[1], "nargs": "*", "default": []}),
            switch("--all", "all containers that `up` made"),
            switch("--force", "remove the namespace even if a plugin refuses"),
        ],
        ["cniwire down web db", "cniwire down --all"],
    ),
    "exec": (
        "run a command in a container that is there",
        [*LIKE_DOCKER, TARGET, arguments.REST],
        ["cniwire exec web ping -c 1 10.77.0.1", "cniwire exec web"],
    ),
    "attach": (
        "wire what somebody else made: a process, a namespace of Docker, LXC, `ip netns`",
        [
            NETWORK,
            TARGET,
            arguments.ID,
            *WISHES,
            switch("--again", "one interface more on a network where it is already"),
        ],
        [
            "cniwire attach demo 4711",
            "cniwire attach demo $(docker inspect -f '{{.State.Pid}}' box) --ifname cni0",
            "cniwire attach demo /run/netns/lab",
        ],
    ),
    "detach": (
        "take a container off a network, or off `all`",
        [NETWORK, TARGET, arguments.ID, arguments.IFNAME],
        ["cniwire detach demo 4711", "cniwire detach all web"],
    ),
    "oci-hook": (
        "wire and unwire the containers of runc, crun, Podman, CRI-O: they call this for each container",
        [argument("--network", metavar="NETWORK", default="", help=HOOK_DEFAULT)],
        [
            "runc run --bundle /srv/box box  # with createRuntime and poststop in /srv/box/config.json",
            "podman --hooks-dir /etc/hooks run --network none --annotation cniwire.networks=demo IMAGE",
        ],
    ),
    "check": (
        "compare what is wired with what was made",
        [
            argument("names", metavar="NAME", nargs="*", default=[], help="container IDs (default: all)"),
            argument("--network", metavar="NETWORK", default="", help="only attachments on this network"),
        ],
        ["cniwire check", "cniwire check web --network demo"],
    ),
    "gc": (
        "remove what no living container owns any more",
        [
            NETWORKS,
            switch("--dry-run", "only say what would be removed"),
            several("--force", metavar="ID", text=GC_FORCE),
        ],
        ["cniwire gc --dry-run", "cniwire gc demo", "cniwire gc demo --force 4f2a8c"],
    ),
    "leave": (
        "hand what is wired over to the Go plugins, for a node that goes back to them",
        [],
        ["cniwire leave"],
    ),
    "status": (
        "say whether networks could wire a container now",
        [NETWORKS],
        ["cniwire status", "cniwire status ./my.conflist"],
    ),
    "ls": ("list and draw what is wired", [WHICH], ["cniwire ls", "cniwire ls demo --json"]),
    "ps": ("list what is wired", [WHICH, ignored("-a", "--all")], ["cniwire ps", "cniwire ps demo --wide"]),
    "report": (
        "collect what a bug report needs into one file, without secrets",
        [argument("file", metavar="FILE", nargs="?", default="", help=REPORT_FILE)],
        ["sudo cniwire report", "cniwire report report.txt", "cniwire report -"],
    ),
    "network": (
        "list networks, show the configuration of one, or write a new one",
        [
            argument(
                "verb",
                metavar="ls|show|create",
                choices=["ls", "show", "create"],
                nargs="?",
                default="ls",
                help="default: ls",
            ),
            argument("name", metavar="NETWORK", nargs="?", default="", help="name of the network"),
            several("--subnet", metavar="CIDR", text=CREATE_SUBNET),
            switch("--internal", CREATE_INTERNAL),
        ],
        [
            "cniwire network ls",
            "cniwire network create backend --internal",
            "cniwire network show demo > /etc/cni/net.d/50-demo.conflist",
        ],
    ),
    **INSTALLING,
    "node": (
        "be a Kubernetes node's agent: the pods' network configuration, and routes to other nodes' pods",
        [
            argument("--name", metavar="NAME", default="", help="of this node (default: $NODE_NAME)"),
            argument("--server", metavar="URL", default="", help=NODE_SERVER),
            argument("--token-file", metavar="FILE", default=f"{ACCOUNT}/token", help=NODE_TOKEN),
            argument("--ca-file", metavar="FILE", default=f"{ACCOUNT}/ca.crt", help=NODE_CA),
            argument("--template", metavar="FILE", default="", help=NODE_TEMPLATE),
            argument("--state", metavar="FILE", default="", help=NODE_STATE),
            switch("--ready", "say how the agent that writes --state fares; 0 if it has all that pods need"),
            switch("--remove", "take its routes and its network configuration away"),
            switch("--stay", "with --remove: then wait for SIGTERM, as a DaemonSet's container has to"),
        ],
        [
            "cniwire node --template /etc/cniwire/10-cniwire.conflist --state /run/cniwire/state",
            "cniwire node --ready --state /run/cniwire/state",
            "cniwire node --remove",
        ],
    ),
    "lab": (
        "run a shell or a command in a private fake host: no root needed, nothing touched",
        [COMMAND],
        ["cniwire lab", "cniwire lab -- cniwire run conf/10-bridge.conflist -- ip address"],
    ),
    "completion": (
        "print a completion script for a shell",
        [
            argument(
                "shell",
                metavar="bash|zsh|fish",
                choices=["bash", "zsh", "fish", "networks", "containers"],
                help=SHELLS,
            )
        ],
        [
            "source <(cniwire completion bash)",
            "cniwire completion fish > ~/.config/fish/completions/cniwire.fish",
        ],
    ),
    "help": (
        "show this page, or the one of a command",
        [argument("topic", metavar="COMMAND", nargs="?", default="", help="the command")],
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
        "oci-hook": "",
    },
    "networks": {"network": "docker network", "status": ""},
    "look": {"ls": "", "ps": "docker ps", "check": "", "report": ""},
    "keep in order": {"gc": "docker system prune", "leave": ""},
    "on a node": {"install": "", "upgrade": "", "rollback": "", "uninstall": ""},
    "clusters": {"node": ""},
    "more": {"lab": "", "completion": "", "help": ""},
}
