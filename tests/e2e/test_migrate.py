"""docs/migrate.md, command by command as it stands there, on a node in service."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from launcher.lab import libc, private
from tests.harness.host import Container, Host
from tests.harness.namespace import Namespace
from tests.harness.traffic import Server, ask, ping
from tests.kernel.iptables import GO, saved

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "migrate.md").read_text()
SECTION = re.compile(r"^## (From|Back).*?$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^\n((?: {4}.*\n)+)", re.MULTILINE)
STEPS = {word: [dedent(block) for block in BLOCK.findall(text)] for word, text in SECTION.findall(PAGE)}
BINDIR, PREFIX, CONF_DIR = Path("/opt/cni/bin"), Path("/usr/local"), Path("/etc/cni/net.d")
RESERVATIONS = Path("/var/lib/cni/networks")
THEIRS = ("bridge", "host-local", "portmap", "firewall", "tuning", "bandwidth")
NETWORK = """{
  "cniVersion": "1.0.0", "name": "net", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "ipMasq": true, "hairpinMode": true,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd01::/64"}]]}},
    {"type": "portmap", "capabilities": {"portMappings": true}},
    {"type": "firewall"},
    {"type": "tuning", "mtu": 1400},
    {"type": "bandwidth", "ingressRate": 80000000, "ingressBurst": 8000000}]}"""
MNT_DETACH = 2

pytestmark = pytest.mark.skipif(not (GO / "bridge").exists(), reason=f"there are no Go plugins in {GO}")


class Node:
    """A node with the Go plugins, an administrator in the checkout, and a runtime.

    The runtime is another `cniwire`, which executes whatever stands in BINDIR.
    """

    def __init__(self, host: Host, bundle: Path):
        self.host, self.outside = host, host.outside()
        self.runtime = [str(bundle / "cniwire"), "--plugin-dir", str(BINDIR)]
        self.ports: dict[str, int] = {}
        tools = host.folder / "tools"
        tools.mkdir()
        for name, text in (
            ("sudo", 'exec "$@"'),
            ("make", 'exec /usr/bin/make -o dist/cniwire/cniwire "$@"'),
        ):
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        path = f"{tools}:{PREFIX}/bin:/usr/bin:/usr/sbin:/bin:/sbin"
        self.environ = {key: value for key, value in os.environ.items() if key != "CNI_PATH"} | {"PATH": path}

    def step(self, commands: str) -> str:
        """What the administrator's commands say; each has to succeed."""
        done = subprocess.run(
            ["sh", "-e", "-c", commands], cwd=ROOT, env=self.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{commands}{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def _call(self, *arguments: str) -> None:
        done = subprocess.run([*self.runtime, *arguments], env=self.environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"

    def add(self, name: str) -> Container:
        """Have the runtime start a container, whose port 80 is published under a port of its own."""
        container, port = self.host.container(name), 8080 + len(self.ports)
        self._call("attach", "net", str(container.path), "--id", name, "-p", f"{port}:80")
        self.ports[name] = port
        return container

    def delete(self, container: Container) -> None:
        self._call("detach", "net", str(container.path), "--id", container.name)
        assert not [each for each in self.state() if container.name in each]

    def works(self, *containers: Container) -> None:
        """Assert that each container gets out, and is reached by its published port."""
        for container in containers:
            with Server(container, 80):
                for space, address in (
                    (self.host, "127.0.0.1"),
                    (self.outside, "192.0.2.1"),
                    (self.outside, "2001:db8:ff::1"),
                ):
                    found = ask(space, address, self.ports[container.name]).server
                    assert (address, found) == (address, container.name)
            for address in ("192.0.2.2", "2001:db8:ff::2"):
                assert ping(container, address, timeout_s=4) is not None, (container.name, address)

    def state(self, *others: Namespace) -> set[str]:
        """All that may be left: in the kernel, in iptables, in files."""
        rules = {
            f"{table} {each}" for table in ("nat", "filter", "raw") for each in saved(self.host, "nft", table)
        }
        folders = (BINDIR, PREFIX, Path("/run/cni"), Path("/var/lib/cni/results"))
        files = {f"file {path}" for folder in folders for path in folder.rglob("*")}
        return {*self.host.state(*others), *rules, *files}


@pytest.fixture
def node(host: Host, bundle: Path) -> Iterator[Node]:
    """A node on which the Go plugins have wired a container that is gone again."""
    mounted = [str(path) for path in (BINDIR.parent, CONF_DIR.parent, RESERVATIONS.parent, PREFIX)]
    for path in mounted:
        private(path, "755")
    try:
        BINDIR.mkdir()
        CONF_DIR.mkdir()
        for name in (*THEIRS, "loopback", "macvlan"):
            shutil.copy(GO / name, BINDIR)
        (CONF_DIR / "10-net.conflist").write_text(NETWORK)
        host.data = RESERVATIONS
        made = Node(host, bundle)
        made.delete(made.add("first"))
        yield made
    finally:
        for path in mounted:
            libc.umount2(path.encode(), MNT_DETACH)


def test_each_step_is_taken() -> None:
    """None is skipped, and no other command is in the page."""
    assert [len(STEPS[word]) for word in ("From", "Back")] == [4, 3]
    commands = [line.split()[:3] for word in STEPS for block in STEPS[word] for line in block.splitlines()]
    assert all(words[0] in ("make", "sudo") for words in commands)


def test_there_and_back_with_containers_that_run(node: Node) -> None:
    """H-61: of both suites; each deletes what the other one made, and nothing is left."""
    before = node.state()
    theirs = [node.add("g1"), node.add("g2")]
    node.works(*theirs)
    for step in STEPS["From"]:
        node.step(step)
        node.works(*theirs)
    ours = [node.add("o1"), node.add("o2")]
    assert any("net/o1/eth0" in each for each in node.state())
    node.works(*theirs, *ours)
    node.delete(theirs[0])
    node.works(theirs[1], *ours)
    first, *rest = STEPS["Back"]
    node.step(first)
    assert {path.resolve().stat().st_size for path in BINDIR.iterdir()} == {
        (GO / path.name).stat().st_size for path in BINDIR.iterdir()
    }
    last = node.add("g3")
    for step in rest:
        node.works(theirs[1], *ours, last)
        node.step(step)
    assert not [each for each in node.state() if "cniwire" in each]
    node.works(theirs[1], *ours, last)
    for container in (*ours, theirs[1], last):
        node.delete(container)
    assert node.state() == before
