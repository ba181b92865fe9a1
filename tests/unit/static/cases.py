"""What static is asked for in tests, and two ways to ask: ours in this process, and the Go plugin."""

import json
import subprocess
from pathlib import Path
from typing import Any

from core.cni.protocol import respond
from core.cni.version import ALL
from core.errors import INVALID_CONFIG, INVALID_ENVIRONMENT
from ipam import static
from tests.harness.requests import BIN

GO = Path("/usr/lib/cni/static")
BOTH = [version for version in ALL if version != "1.1.0"]
V4, V6 = {"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "fd00::5/64", "gateway": "fd00::1"}
OTHER = {"address": "10.9.0.5/24"}
ECMP = [{"dst": "0.0.0.0/0", "gw": "10.1.0.254"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.253"}]
ROUTES = [
    {"dst": "10.8.7.6/8", "gw": "::ffff:10.1.0.9"},
    {"dst": "::/0"},
    {"dst": "fd01::/16", "gw": "fd00::9"},
]
DNS = {"nameservers": ["10.1.0.1"], "domain": "example.org", "search": ["a", "b"], "options": ["ndots:2"]}
Keys = dict[str, Any]


def asked(*addresses: str) -> Keys:
    return {"ips": addresses}


def ipam(*addresses: Keys, **keys: Any) -> Keys:
    return {"ipam": {"type": "static", "addresses": addresses, **keys}}


def environ(command: str, args: str) -> dict[str, str]:
    attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/none", "CNI_IFNAME": "eth0"}
    return {"CNI_COMMAND": command, "CNI_PATH": str(BIN), "CNI_ARGS": args, **attachment}


def stdin(version: str, keys: Keys) -> bytes:
    return json.dumps({"cniVersion": version, "name": "n1", "type": "x", **keys}).encode()


def ours(command: str, version: str, keys: Keys, args: str = "") -> tuple[int, Any]:
    """(exit code, what was printed)."""
    code, output = respond(static, environ(command, args), lambda: stdin(version, keys))
    return code, json.loads(output) if output else None


def go(command: str, version: str, keys: Keys, args: str = "") -> tuple[int, Any]:
    """The same of the Go plugin, which prints an empty dns in 1.0.0, too; newer releases do not."""
    done = subprocess.run(
        [GO], env=environ(command, args), input=stdin(version, keys), capture_output=True, timeout=60
    )
    document = json.loads(done.stdout) if done.stdout else None
    if version == "1.0.0" and document and not document.get("dns", True):
        del document["dns"]
    return done.returncode, document


# What is asked for: CNI_ARGS, and keys of the configuration.
WRITTEN: dict[str, tuple[str, Keys]] = {
    "one address": ("", ipam(V4)),
    "both families": ("", ipam(V6, V4, routes=ROUTES, dns=DNS)),
    "two of a family": ("", ipam(V4, OTHER)),
    "several gateways": ("", ipam(V4, routes=ECMP)),
    "none": ("", ipam()),
    "only routes": ("", {"ipam": {"routes": ROUTES}}),
    "null": ("", {"ipam": {"addresses": None, "dns": None}, "args": {"cni": None}, "runtimeConfig": None}),
    "mapped": ("", ipam({"address": "::ffff:10.1.0.5/120", "gateway": "::ffff:10.1.0.1"})),
    "capitals": ("", ipam({"address": "FD00:0::5/064", "gateway": ""})),
    "a network's own address": ("", ipam({"address": "10.1.0.0/24", "gateway": "10.7.0.1"})),
    "foreign keys": ("", ipam({**V4, "version": "6", "x": 1}, ranges=7)),
    "empty IP": ("IP=;GATEWAY=", ipam(V4)),
    "one IP": ("IP=10.2.0.5/24", {"ipam": {}}),
    "IP behind the others": ("IP=10.2.0.5/24", ipam(V4)),
    "several IP": ("IP= 10.2.0.5/24 ,fd02::5/64;GATEWAY= 10.2.0.1, fd02::1", {"ipam": {}}),
    "the last gateway": ("GATEWAY=10.2.0.1,10.9.0.1,10.2.0.2;IP=10.2.0.5/24", {"ipam": {}}),
    "gateways are for IP": ("IP=10.2.0.5/24;GATEWAY=10.1.0.7,10.9.0.1", ipam(V4, OTHER)),
    "a gateway alone": ("GATEWAY=10.1.0.1", ipam({"address": "10.1.0.5/24"})),
    "keys for others": ("K8S_POD_NAME=p;IgnoreUnknown=1;IP=10.2.0.5/24", {"ipam": {}}),
    "args": ("IP=10.2.0.5/24;GATEWAY=10.1.0.1", {**ipam(V4), "args": {"cni": asked("10.3.0.5/24")}}),
    "runtimeConfig": ("IP=10.2.0.5/24", {**ipam(V4), "runtimeConfig": asked("10.4.0.5/24", "fd04::5/64")}),
    "args and runtimeConfig": (
        "",
        {**ipam(V4), "args": {"cni": asked("10.3.0.5/24")}, "runtimeConfig": asked("10.4.0.5/24")},
    ),
    "nothing asked": ("", {**ipam(V4), "args": {"cni": asked()}, "runtimeConfig": asked()}),
    "a placeholder": ("", {**ipam({"address": "ADDRESS"}), "runtimeConfig": asked("10.4.0.5/24")}),
}
# What both refuse: CNI_ARGS, keys, our code, and what our message says.
REFUSED: dict[str, tuple[str, Keys, int, str]] = {
    "no ipam": ("IP=10.2.0.5/24", {}, INVALID_CONFIG, "ipam: missing"),
    "no ipam, but args": ("", {"args": {"cni": asked("10.3.0.5/24")}}, INVALID_CONFIG, "ipam: missing"),
    "no ipam, but runtimeConfig": (
        "",
        {"runtimeConfig": asked("10.3.0.5/24")},
        INVALID_CONFIG,
        "ipam: missing",
    ),
    "no prefix": (
        "",
        ipam(V4, {"address": "10.1.0.6"}),
        INVALID_CONFIG,
        'ipam.addresses[1].address: want an address with prefix length, found "10.1.0.6"',
    ),
    "no address": (
        "",
        ipam({"gateway": "10.1.0.1"}),
        INVALID_CONFIG,
        "ipam.addresses[0].address: want an address with prefix length, found null",
    ),
    "a zone": ("", ipam({"address": "fe80::1%eth0/64"}), INVALID_CONFIG, '"fe80::1%eth0/64"'),
    "a number": (
        "",
        ipam({"address": 7}),
        INVALID_CONFIG,
        "ipam.addresses[0].address: want a string, found 7",
    ),
    "no list": (
        "",
        {"ipam": {"addresses": "10.1.0.5/24"}},
        INVALID_CONFIG,
        "ipam.addresses: want a list, found",
    ),
    "no objects": (
        "",
        {"ipam": {"addresses": ["10.1.0.5/24"]}},
        INVALID_CONFIG,
        "want a list of objects, found",
    ),
    "no section": ("", {"ipam": [7]}, INVALID_CONFIG, "ipam: want an object, found [7]"),
    "no gateway": (
        "",
        ipam({"address": "10.1.0.5/24", "gateway": "10.1.0.1/24"}),
        INVALID_CONFIG,
        'ipam.addresses[0].gateway: want an IP address, found "10.1.0.1/24"',
    ),
    "a placeholder's gateway": (
        "",
        {**ipam({"address": "ADDRESS", "gateway": "GATEWAY"}), "runtimeConfig": asked("10.4.0.5/24")},
        INVALID_CONFIG,
        'ipam.addresses[0].gateway: want an IP address, found "GATEWAY"',
    ),
    "args without prefix": (
        "",
        {**ipam(V4), "args": {"cni": asked("10.3.0.5")}, "runtimeConfig": asked("10.4.0.5/24")},
        INVALID_CONFIG,
        "args.cni.ips: want an address with prefix length, found '10.3.0.5'",
    ),
    "runtimeConfig without prefix": (
        "",
        {**ipam(V4), "runtimeConfig": asked("10.4.0.5/24", " 10.4.0.6/24")},
        INVALID_CONFIG,
        "runtimeConfig.ips: want an address with prefix length, found ' 10.4.0.6/24'",
    ),
    "runtimeConfig without list": (
        "",
        {**ipam(V4), "runtimeConfig": {"ips": "10.4.0.5/24"}},
        INVALID_CONFIG,
        'runtimeConfig.ips: want a list, found "10.4.0.5/24"',
    ),
    "IP without prefix": (
        "IP=10.2.0.5",
        ipam(V4),
        INVALID_ENVIRONMENT,
        "CNI_ARGS: IP: want an address with prefix length, found '10.2.0.5'",
    ),
    "an empty IP among others": ("IP=10.2.0.5/24,", ipam(V4), INVALID_ENVIRONMENT, "CNI_ARGS: IP: want an"),
    "replaced IP": (
        "IP=x",
        {**ipam(V4), "runtimeConfig": asked("10.4.0.5/24")},
        INVALID_ENVIRONMENT,
        "CNI_ARGS: IP: want an address with prefix length, found 'x'",
    ),
    "GATEWAY": (
        "GATEWAY=10.2.0.1/24",
        ipam(V4),
        INVALID_ENVIRONMENT,
        "CNI_ARGS: GATEWAY: want an IP address, found '10.2.0.1/24'",
    ),
    "unknown args": ("ip=10.2.0.5/24", ipam(V4), INVALID_ENVIRONMENT, "CNI_ARGS: unknown keys ip"),
    "a route's gateway": (
        "",
        ipam(V4, routes=[{"dst": "10.0.0.0/8", "gw": "x"}]),
        INVALID_CONFIG,
        'ipam.routes[0].gw: want an IP address, found "x"',
    ),
    "dns": ("", ipam(V4, dns={"search": "a"}), INVALID_CONFIG, 'ipam.dns.search: want a list, found "a"'),
}
# What the Go plugin answers with, and every main plugin fails with later on.
OURS_ALONE: dict[str, tuple[str, Keys, int, str]] = {
    "twice": (
        "IP=10.1.0.5/24",
        ipam(OTHER, V4),
        INVALID_CONFIG,
        "CNI_ARGS: IP: 10.1.0.5/24 is in ipam.addresses[1].address already",
    ),
    "asked for twice": (
        "",
        {**ipam(), "runtimeConfig": asked("10.4.0.5/24", "10.4.0.5/24")},
        INVALID_CONFIG,
        "runtimeConfig.ips: 10.4.0.5/24 is in runtimeConfig.ips already",
    ),
    "nobody": ("", ipam({"address": "0.0.0.0/0"}), INVALID_CONFIG, "want a host's address, found 0.0.0.0/0"),
    "nobody of IPv6": ("", ipam({"address": "::/64"}), INVALID_CONFIG, "want a host's address, found ::/64"),
    "a group": (
        "IP=224.0.0.5/24",
        ipam(),
        INVALID_CONFIG,
        "CNI_ARGS: IP: want a host's address, found 224.0.0.5",
    ),
    "a group of IPv6": (
        "",
        ipam({"address": "ff02::5/64"}),
        INVALID_CONFIG,
        "want a host's address, found ff02::5",
    ),
    "a gateway of the other family": (
        "",
        ipam({"address": "10.1.0.5/24", "gateway": "fd00::1"}),
        INVALID_CONFIG,
        'ipam.addresses[0].gateway: want a host\'s address of the family of 10.1.0.5/24, found "fd00::1"',
    ),
    "a gateway that is nobody": ("", ipam({**V4, "gateway": "0.0.0.0"}), INVALID_CONFIG, 'found "0.0.0.0"'),
    "a route to nowhere": (
        "",
        ipam(V4, routes=[{"gw": "10.1.0.9"}]),
        INVALID_CONFIG,
        "ipam.routes[0].dst: want an address with prefix length, found null",
    ),
}
