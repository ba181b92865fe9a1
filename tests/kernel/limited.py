"""What tests of the bandwidth plugin share: requests, and what the kernel says of limited links."""

from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from core.attachment import hashed
from tests.harness.host import Container, Host
from tests.harness.plugin import Answer

GO = Path("/usr/lib/cni")
IFB = hashed(15, "bwp", "netc1")
OWNER = "net/c1/eth0"
INGRESS = {"ingressRate": 8_000_000, "ingressBurst": 800_000}
EGRESS = {"egressRate": 16_000_000, "egressBurst": 4_000_000}
BOTH = {**INGRESS, **EGRESS}
needs_go = pytest.mark.skipif(
    not (GO / "bandwidth").exists(),
    reason=f"no Go plugins in {GO}: apt-get install containernetworking-plugins",
)


class Pair:
    """A container whose eth0 is one end of a veth pair; the other is vhost0, as a foreign plugin made it."""

    def __init__(self, host: Host, name: str = "c1") -> None:
        self.host, self.container = host, host.container(name)
        self.link = f"vhost-{name}"
        host.run(f"ip link add {self.link} mtu 1400 type veth peer name eth0 netns {self.container.path}")
        host.run(f"ip link set {self.link} up")
        self.container.run("ip link set eth0 up")
        self.previous: dict[str, Any] = {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": self.link}, {"name": "eth0", "sandbox": str(self.container.path)}],
            "ips": [{"address": "10.1.0.2/24", "interface": 1}],
        }

    def call(
        self, command: str, keys: dict[str, Any], container: Container | str | None = None, **options: Any
    ) -> Answer:
        config = {"name": "net", "cniVersion": "1.0.0", "type": "bandwidth", "prevResult": self.previous}
        config = {name: value for name, value in {**config, **keys}.items() if value is not None}
        return self.host.call(command, config, container or self.container, **options)

    def made(self, command: str, keys: dict[str, Any], *of: Any, **options: Any) -> Any:
        answer = self.call(command, keys, *of, **options)
        assert answer.exit_code == 0, answer
        return answer.output

    def refused(self, command: str, keys: dict[str, Any], *of: Any, **options: Any) -> Any:
        """The error of a call that changes nothing."""
        before = self.state()
        answer = self.call(command, keys, *of, **options)
        assert (answer.exit_code, self.state()) == (1, before), answer
        return answer.output

    def checked(self, keys: dict[str, Any], result: Any, **options: Any) -> None:
        self.made("CHECK", {**keys, "prevResult": result}, **options)

    def state(self) -> Any:
        return self.host.state(self.container)

    def qdiscs(self, link: str) -> list[tuple[str, str, str]]:
        """(kind, handle, root or parent) of what tc lists of a link that the kernel did not put there."""
        found = self.host.run_json(f"tc -json qdisc show dev {link}")
        told = [(each["kind"], each["handle"], each.get("parent", "root")) for each in found]
        return [each for each in told if each[1] != "0:"]

    def root(self, link: str) -> dict[str, Any]:
        """What tc tells of the queue discipline at the root of a link, where pyroute2 knows 32 bits only."""
        (found,) = [
            each for each in self.host.run_json(f"tc -json qdisc show dev {link}") if each.get("root")
        ]
        return {key: found[key] for key in ("kind", "handle", "options")}

    def bucket(self, link: str) -> dict[str, int]:
        """The token bucket at the root of a link, as pyroute2 decodes it."""
        with self.host.entered(), IPRoute() as ip:
            (index,) = ip.link_lookup(ifname=link)
            (root,) = [each for each in ip.get_qdiscs(index) if each["parent"] == 0xFFFFFFFF]
            assert (root.get("kind"), root["handle"]) == ("tbf", 0x10000)
            parms = root.get("options").get("TCA_TBF_PARMS")
            return {key: parms[key] for key in ("rate", "limit", "buffer")}

    def filters(self) -> list[dict[str, Any]]:
        """The filters of the host's end that have options, as tc lists them."""
        found = self.host.run_json(f"tc -json -details filter show dev {self.link} parent ffff:")
        return [each for each in found if "actions" in each.get("options", {})]


def bucket(rate: int, burst: int) -> dict[str, int]:
    """What the reference makes of bytes a second and bytes."""
    return {"rate": rate, "limit": rate * 25 // 1000 + burst, "buffer": burst * 10**6 // rate * 1000 // 64}
