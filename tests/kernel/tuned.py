"""A container whose interface tuning changes: ours or the Go plugin, by itself, behind a result."""

import json
from pathlib import Path
from typing import Any

from tests.harness.host import Host
from tests.harness.plugin import Answer

GO = Path("/usr/lib/cni")
ADDRESS, NEW = "02:00:00:00:00:01", "02:00:00:00:00:42"
SOMAXCONN, RANGE, ARP = "net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv4/conf/eth0/arp_filter"
VALUES = {SOMAXCONN: "128", RANGE: "32768\t60999", ARP: "0"}
State = dict[str, Any]
USUAL: State = {"mac": ADDRESS, "mtu": 1500, "txQLen": 1000, "promisc": False, "allmulti": False, **VALUES}


class Tuned:
    """Container c1 with eth0. folder: the dataDir of all calls."""

    def __init__(self, host: Host) -> None:
        self.host, self.folder = host, host.data / "tuning"
        self.container = host.container()
        self.make_link()
        for key, value in VALUES.items():
            self.container.sysctl(key, value)

    def make_link(self) -> None:
        self.container.run(f"ip link add eth0 address {ADDRESS} type veth peer name peer0")

    @property
    def previous(self) -> dict[str, Any]:
        """What the plugin in front has answered."""
        inside = {"name": "eth0", "mac": ADDRESS, "sandbox": str(self.container.path)}
        listed = [{"name": "veth7", "mac": "02:00:00:00:00:07"}, inside]
        ips = [{"address": "10.1.0.2/24", "interface": 1}]
        return {"cniVersion": "1.0.0", "interfaces": listed, "ips": ips}

    def config(self, **keys: Any) -> dict[str, Any]:
        made = {"cniVersion": "1.0.0", "name": "net", "type": "tuning", "dataDir": str(self.folder)}
        return {**made, "prevResult": self.previous, **keys}

    def call(
        self, command: str, cni_args: str = "", go: bool = False, gone: bool = False, **keys: Any
    ) -> Answer:
        """gone: whether CNI_NETNS is empty."""
        whom = self.container.name if gone else self.container
        folder = GO if go else None
        return self.host.call(command, self.config(**keys), whom, folder=folder, CNI_ARGS=cni_args)

    def made(
        self, command: str, cni_args: str = "", go: bool = False, gone: bool = False, **keys: Any
    ) -> Any:
        """What a call that has to succeed printed; nobody is told anything."""
        answer = self.call(command, cni_args, go, gone, **keys)
        assert (answer.exit_code, answer.stderr) == (0, ""), answer
        return answer.output

    def refused(self, command: str, cni_args: str = "", **keys: Any) -> dict[str, Any]:
        """The error of a call that has to fail."""
        answer = self.call(command, cni_args, **keys)
        assert (answer.exit_code, type(answer.output)) == (1, dict), answer
        error: dict[str, Any] = answer.output
        return error

    @property
    def state(self) -> State:
        """The settings as `ip` and the files tell them."""
        (link,) = self.container.ip("-d link show dev eth0")
        told = {"mac": link["address"], "mtu": link["mtu"], "txQLen": link["txqlen"]}
        flags = {"promisc": "PROMISC" in link["flags"], "allmulti": "ALLMULTI" in link["flags"]}
        return told | flags | {key: self.container.sysctl(key) for key in VALUES}

    @property
    def files(self) -> dict[str, Any]:
        """Name -> content of each file in the folder."""
        found = self.folder.iterdir() if self.folder.exists() else ()
        return {file.name: json.loads(file.read_text()) for file in found}
