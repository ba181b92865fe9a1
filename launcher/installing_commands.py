"""The commands that put the plugins on a node: what each is for, what it takes, and examples."""

from launcher.arguments import Argument, argument, several, switch

BIN_DIR = argument(
    "--bin-dir", metavar="DIR", default="/opt/cni/bin", help="where the runtime looks (default: /opt/cni/bin)"
)
FROM = argument(
    "--from",
    dest="source",
    metavar="DIR",
    default="",
    help="the plugins (default: those beside this command)",
)
REPLACE = switch(
    "--replace", "put ours in the place of another suite's plugins, and keep those for uninstall"
)
COPY = "plain files instead of links, for where something else writes through links; of `make dist` only"
COMMAND_TOO = "also links DIR/bin/cniwire, completion scripts and examples; a later install keeps them"
TEMPLATE = "also writes 10-cniwire.conflist into --conf-dir: `pod-cidr` for Kubernetes' pods, or `demo`"
INSTALL_SUBNET = "of the network, one of each address family; for pod-cidr the node's podCIDRs"
INSTALL_FORCE = "despite what the kernel lacks, and over a network configuration that somebody else wrote"
INSTALL_CHECK = "change nothing, but say what is there, whose it is, and what is missing"

INSTALLING: dict[str, tuple[str, list[Argument], list[str]]] = {
    "install": (
        "put the plugins that lie beside this command under a runtime, running or not",
        [
            BIN_DIR,
            argument("--network", metavar="NAME", choices=["pod-cidr", "demo"], default="", help=TEMPLATE),
            several("--subnet", metavar="CIDR", text=INSTALL_SUBNET),
            REPLACE,
            switch("--force", INSTALL_FORCE),
            switch("--copy", COPY),
            argument("--prefix", metavar="DIR", default="", help=COMMAND_TOO),
            FROM,
            switch("--check", INSTALL_CHECK),
        ],
        [
            "cniwire install --bin-dir /opt/cni/bin --prefix /usr/local",
            "cniwire install --network pod-cidr --subnet 10.244.1.0/24 --subnet fd00:10:244:1::/64",
            "cniwire install --check",
        ],
    ),
    "upgrade": (
        "put another version in the place of the installed one, with the options of then",
        [BIN_DIR, REPLACE, FROM],
        ["cniwire upgrade", "cniwire upgrade --bin-dir /host/opt/cni/bin"],
    ),
    "rollback": (
        "go back to the version that was there before the last install or upgrade",
        [BIN_DIR],
        ["cniwire rollback"],
    ),
    "uninstall": (
        "take away what install made, and bring back what it replaced",
        [BIN_DIR],
        ["cniwire uninstall"],
    ),
}
