"""The whole chain as a runtime calls it: every version, and no process but the plugins themselves."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.plugin import PATH
from tests.harness.traffic import Server, ask

SUBNETS = ("10.1.0.0/24", "fd01::/64")
PORTS = [mapping(8080), mapping(8080, 80, "udp"), mapping(9000, range=5)]
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
INTERPRETER = re.compile(r"/(env|python3?(\.\d+)?)$")


def chain(host: Host) -> list[dict[str, Any]]:
    return [bridge(host.data, *SUBNETS, ipMasq=True, hairpinMode=True, macspoofchk=True), PORTMAP]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_chain_works_in_every_version(host: Host, version: str) -> None:
    """S-51 S-55 S-63: the result in that version's shape, traffic, CHECK if there is one, a clean DEL."""
    net = host.network(*chain(host), version=version)
    container = host.container()
    net.add(host.container("c0"), portMappings=[mapping(1, 1, "tcp"), mapping(1, 1, "udp")])
    before = host.state(container)
    result = net.add(container, portMappings=PORTS)
    assert result["cniVersion"] == version
    addresses = (
        [result["ip4"]["ip"], result["ip6"]["ip"]]
        if version < "0.3"
        else [ip["address"] for ip in result["ips"]]
    )
    assert addresses == ["10.1.0.3/24", "fd01::3/64"]
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 8080).server == "c1"
    if version >= "0.4.0":
        net.check(container, portMappings=PORTS)
    net.delete(container, portMappings=PORTS)
    assert host.state(container) == before


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_no_process_but_the_plugins_themselves(host: Host, tmp_path: Path) -> None:
    """No nft, no iptables, no ip, and no IPAM process: ADD, CHECK and DEL of the chain under strace."""
    net, container = host.network(*chain(host)), host.container()
    trace = tmp_path / "trace"
    result: Any = None
    for command, plugins in (("ADD", net.plugins), ("CHECK", net.plugins), ("DEL", net.plugins[::-1])):
        for config in plugins:
            derived = net.derived(config, result, {"portMappings": PORTS})
            environ = {
                "PATH": PATH,
                "CNI_COMMAND": command,
                "CNI_PATH": str(host.plugins),
                "CNI_IFNAME": "eth0",
            }
            environ |= {"CNI_CONTAINERID": "c1", "CNI_NETNS": str(container.path)}
            traced = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, host.plugins / config["type"]]
            done = subprocess.run(
                traced, env=environ, input=json.dumps(derived).encode(), capture_output=True
            )
            assert (command, done.returncode, done.stderr) == (command, 0, b"")
            result = json.loads(done.stdout) if command == "ADD" else result
            paths = re.findall(r'execve\("([^"]+)".*= 0$', trace.read_text(), re.MULTILINE)
            executed = {Path(path).name for path in paths if not INTERPRETER.search(path)}
            assert (command, executed) == (command, {config["type"]})
