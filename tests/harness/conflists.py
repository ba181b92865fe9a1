"""The files of tests/conflists/ as networks on a fake host.

What plugins that we lack would do for ours is done by hand.

Multus and flannel hand their delegates on; a main plugin asks host-local for addresses and wires them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness.configs import mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network, Result
from tests.harness.plugin import PluginError

Config = Mapping[str, Any]

# What users ask of a runtime, and pods with limits send.
ASKED: Mapping[str, Any] = {
    "portMappings": [mapping(8080), mapping(8053, 53, "udp")],
    "bandwidth": {
        "ingressRate": 10**8,
        "ingressBurst": 2**32 - 1,
        "egressRate": 10**8,
        "egressBurst": 10**6,
    },
}
FOLDER = Path(__file__).resolve().parents[1] / "conflists"
FILES: Mapping[str, Config] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.conflist"))
}
# The plugins that we lack and that make an interface with addresses from host-local.
MAIN = ("ptp", "macvlan", "ipvlan")
FLANNEL = {  # what it adds to its delegate, from the file that its daemon writes
    "type": "bridge",
    "isGateway": True,
    "ipMasq": False,
    "mtu": 1450,
    "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.50.1.0/24"}]],
        "routes": [{"dst": "10.50.0.0/16"}],
    },
}


class Chain(Network):
    """A list whose main plugin may be one that we lack.

    Then host-local is called with its entry, and a pair of links is wired by hand.
    """

    def call(
        self,
        command: str,
        config: Result,
        container: Container | str | None = None,
        ifname: str | None = None,
        args: str | None = None,
    ) -> Any:
        """Call one plugin, or do its work. Raises PluginError."""
        __tracebackhide__ = True
        if config["type"] not in MAIN:
            return super().call(command, config, container, ifname, args)
        answer = self.host.call(
            command, config, container, ifname=ifname, type_name="host-local", CNI_ARGS=args
        )
        if answer.exit_code != 0:
            raise PluginError(f"host-local {command} {json.dumps(config)}", answer)
        if command == "ADD":
            assert isinstance(container, Container)
            return routed_pair(self.host, container, str(ifname), answer.output)
        if command in ("DEL", "GC"):
            alive = [f"pair-{each['containerID']}" for each in config.get("cni.dev/valid-attachments", [])]
            gone = [f"pair-{getattr(container, 'name', container)}"] if command == "DEL" else pairs(self.host)
            for name in set(gone) - set(alive):
                # It may have gone with its namespace meanwhile.
                self.host.run(f"ip link delete {name} || true")
        return answer.output


def pairs(host: Host) -> list[str]:
    """The host's ends of the pairs that were wired by hand."""
    return [name for name in host.links() if name.startswith("pair-")]


def routed_pair(host: Host, container: Container, ifname: str, ipam: Result) -> Result:
    """Wire *container* to the host with the addresses of *ipam*, as ptp does.

    Returns the result for the plugins that are chained behind.
    """
    port = f"pair-{container.name}"
    host.run(f"ip link add {port} up type veth peer name {ifname} netns {container.path}")
    host.sysctl("net/ipv4/ip_forward", 1)
    host.sysctl("net/ipv6/conf/all/forwarding", 1)
    container.run(f"ip link set {ifname} up")
    for item in ipam["ips"]:
        address, gateway = item["address"].partition("/")[0], item["gateway"]
        ip, length, option = ("ip -6", 128, "nodad") if ":" in gateway else ("ip", 32, "")
        host.run(f"{ip} address add {gateway}/{length} dev {port} {option}")
        host.run(f"{ip} route add {address}/{length} dev {port}")
        container.run(f"{ip} address add {address}/{length} dev {ifname} {option}")
        container.run(f"{ip} route add {gateway} dev {ifname} && {ip} route add default via {gateway}")
    interfaces = [{"name": port}, {"name": ifname, "sandbox": str(container.path)}]
    return {**ipam, "interfaces": interfaces, "ips": [{**item, "interface": 1} for item in ipam["ips"]]}


def entries(document: Config) -> list[Config]:
    """The entries of a list, or the only one of a single configuration."""
    found: list[Config] = document.get("plugins", [document])
    return found


def delegates(document: Config) -> list[Config]:
    """The networks that Multus would attach a container to, in order; without Multus the file's own."""
    return [each for entry in entries(document) for each in entry.get("delegates", [])] or [document]


def named(document: Config) -> set[str]:
    """The plugins that a file names, at any depth, those for addresses too."""
    inner = [entry for network in delegates(document) for entry in entries(network)]
    sections = [*entries(document), *inner, *[entry.get("ipam", {}) for entry in inner]]
    return {section["type"] for section in sections if section.get("type")}


def networks(host: Host, name: str, version: str = "") -> dict[str, Chain]:
    """Interface name -> the network behind it, of the file *name*: the entries that can be run.

    version: another than the file's own.
    """
    found: dict[str, Chain] = {}
    for number, network in enumerate(delegates(FILES[name])):
        used = version or network["cniVersion"]
        ours = list[Config]()
        for written in entries(network):
            entry = {**FLANNEL, **written["delegate"]} if written["type"] == "flannel" else written
            if entry["type"] in MAIN or (host.plugins / entry["type"]).exists():
                ours.append(entry)
        found[f"net{number}" if number else "eth0"] = Chain(host, ours, network["name"], used, {})
    return found
