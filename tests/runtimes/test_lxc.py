"""LXC, unmodified: its hooks start-host and post-stop call `cniwire attach` and `detach`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.lab import MS_BIND, mount
from tests.harness.traffic import ask_http, ping
from tests.runtimes import images
from tests.runtimes.daemon import HIERARCHY, SEEN, group, kill
from tests.runtimes.hooks import Command
from tests.runtimes.images import GREETING, PAGE, SERVE
from tests.runtimes.node import Node, bridged
from tests.runtimes.oci import finished

pytestmark = pytest.mark.skipif(not shutil.which("lxc-start"), reason="lxc is not installed")

ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'  # $0: a control group, in which LXC makes its own
CONFIG = """
lxc.uts.name = {name}
lxc.rootfs.path = dir:{root}
lxc.mount.auto = proc:mixed
lxc.cgroup.relative = 1
"""


class Lxc:
    """LXC with containers of the test's own, configured as conf/runtimes/lxc.conf says."""

    def __init__(self, node: Node, command: Command, control: Path) -> None:
        self.control = control
        self.folder, self.root = node.folder / "lxc", images.root(node.folder / "root")
        self.network = command.example("lxc.conf", node.folder / "example").read_text()

    def __call__(self, tool: str, name: str, *arguments: str, status: int = 0) -> str:
        """Run one of its commands on a container; return what it prints, or its log if it has to fail."""
        log = self.folder / name / "log"
        log.unlink(missing_ok=True)
        options = [f"--lxcpath={self.folder}", f"--name={name}", f"--logfile={log}", "--logpriority=DEBUG"]
        enter = ["sh", "-c", ENTER, str(self.control / name)] if tool == "start" else []
        code, said = finished([*enter, f"lxc-{tool}", *options, *arguments])
        told = log.read_text() if log.exists() else ""
        assert bool(code) == bool(status), f"lxc-{tool} {name}: exit {code}\n{said}\n{told}"
        return told if status else said

    def start(self, name: str, *words: str, network: str = "", status: int = 0) -> str:
        """Start a container in the background. network: other lines for its network than the example's."""
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.control / name).mkdir(exist_ok=True)
        config = CONFIG.format(name=name, root=self.root) + (network or self.network)
        (self.folder / name / "config").write_text(config)
        return self("start", name, "--daemon", "--", *words, status=status)

    def pid(self, name: str) -> int:
        """The first process of a container."""
        return int(self("info", name, "--pid", "--no-humanize"))


@pytest.fixture
def lxc(node: Node, command: Command) -> Iterator[Lxc]:
    """LXC on a node on which everything shared is made already."""
    node.network("demo", *bridged("br7", "10.88.7.0/24"))
    with group() as control:
        mount(str(HIERARCHY), str(SEEN), flags=MS_BIND)  # LXC does without a control group namespace
        made = Lxc(node, command, control)
        made.start("box", *SERVE)
        made("stop", "box", "--kill")
        yield made
        for name in os.listdir(made.folder):
            finished(["lxc-stop", f"--lxcpath={made.folder}", f"--name={name}", "--kill"])


def test_containers_talk_and_leave_nothing(lxc: Lxc, node: Node, command: Command) -> None:
    outside = node.host.outside()
    before = node.remains()
    lxc.start("box", *SERVE)
    lxc.start("peer", "sleep", "60", network=lxc.network.replace(" --publish 8080:80", ""))
    address = command.wired()["demo/box/eth0"][0].partition("/")[0]
    assert f"{address}/24" in lxc("attach", "box", "--", "ip", "address", "show", "dev", "eth0")
    for to in ("10.88.7.1", address, "192.0.2.2"):
        assert lxc("attach", "peer", "--", "ping", "-c1", "-W2", to)
    assert ping(node.host, address) is not None
    for asking in ("peer", "box"):
        assert lxc("attach", asking, "--", "wget", "-qO-", f"http://10.88.7.1:8080{PAGE}") == GREETING
    assert ask_http(node.host, "127.0.0.1", 8080, PAGE) == GREETING
    assert ask_http(outside, "192.0.2.1", 8080, PAGE) == GREETING
    lxc("stop", "peer", "--kill")
    lxc("stop", "box", "--kill")
    assert node.remains() == before


def test_a_refused_container_is_not_started_and_leaves_nothing(lxc: Lxc, node: Node) -> None:
    """Its host port is taken; LXC's log says by whom."""
    lxc.start("box", *SERVE)
    before = node.remains()
    log = lxc.start("late", "sleep", "60", status=1)
    assert "plugin portmap failed (ADD)" in log
    assert "demo/box/eth0" in log
    assert node.remains() == before


def test_gc_takes_what_a_killed_lxc_left(lxc: Lxc, node: Node, command: Command) -> None:
    """kill -9 of its monitor, and then of the container, so that nobody calls post-stop."""
    before = node.remains()
    lxc.start("box", *SERVE)
    pid = lxc.pid("box")
    monitor = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    kill(monitor, pid)
    command("gc")
    assert node.remains() == before
