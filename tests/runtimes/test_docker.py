"""Docker, unmodified: containers of `--network none`, wired by `cniwire attach` or by hooks."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.namespace import Namespace
from tests.harness.traffic import ask_http, ping
from tests.runtimes import images
from tests.runtimes.daemon import group, inside, until
from tests.runtimes.hooks import Command
from tests.runtimes.images import GREETING, PAGE, SERVE
from tests.runtimes.node import Node, bridged
from tests.runtimes.oci import QUIET, finished

TOOLS = "/usr/bin:/usr/sbin"  # the distribution's, not what else may be installed
pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool, path=TOOLS) for tool in ("dockerd", "docker", "runc")),
    reason="docker.io is not installed",
)


class Docker:
    """A Docker daemon whose files are the test's own, with the runtime of conf/runtimes/daemon.json."""

    def __init__(self, node: Node, command: Command, control: Path) -> None:
        self.folder = node.folder / "docker"
        wrapper = command.example("runc-cniwire", self.folder)
        config = command.example("daemon.json", self.folder)
        config.write_text(config.read_text().replace("/usr/local/bin/runc-cniwire", str(wrapper)))
        short = Path(tempfile.mkdtemp(dir="/run"))  # the path of a socket has at most 104 bytes
        self.socket = f"unix://{short}/socket"
        words = [*inside(control), "/usr/sbin/dockerd", f"--config-file={config}", f"--host={self.socket}"]
        words += [f"--data-root={self.folder}/data", f"--exec-root={short}"]
        words += [f"--pidfile={self.folder}/pid", "--bridge=none", "--storage-driver=vfs"]
        words += ["--iptables=false", "--exec-opt=native.cgroupdriver=cgroupfs"]
        environ = {"PATH": f"{TOOLS}:/bin:/sbin"}
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(words, env=environ, **{**QUIET, "stderr": log})
        try:
            until(lambda: self.client("version")[0] == 0, "dockerd answers", 30)
        except AssertionError:
            self.daemon.kill()
            self.daemon.wait()
            raise AssertionError((self.folder / "log").read_text()) from None

    def client(self, *words: str) -> tuple[int, str]:
        """Exit code and output of the client."""
        return finished(["/usr/bin/docker", f"--host={self.socket}", *words])

    def __call__(self, *words: str) -> str:
        """Run the client; return what it prints. Raises AssertionError."""
        code, said = self.client(*words)
        assert code == 0, f"docker {' '.join(words)}: {said}"
        return said

    def run(self, name: str, *options: str, words: tuple[str, ...] = SERVE) -> str:
        """Start a container without a network of Docker's; return its ID."""
        return self("run", "--detach", "--name", name, "--network=none", *options, "box", *words)

    def pid(self, name: str) -> str:
        """The first process of a container."""
        return self("inspect", "--format", "{{.State.Pid}}", name)

    def close(self) -> None:
        """Remove the containers, end the daemon."""
        for container_id in self("ps", "--all", "--quiet").split():
            self("rm", "--force", container_id)
        self.daemon.terminate()
        self.daemon.wait(timeout=30)


@pytest.fixture
def docker(node: Node, command: Command) -> Iterator[Docker]:
    """Docker on a node on which everything shared is made already."""
    node.network("demo", *bridged("br7", "10.88.7.0/24"))
    with node.host.container("first"):
        command("attach", "demo", f"{node.folder}/netns/first", "--publish", "8079:80")
        command("detach", "all", f"{node.folder}/netns/first")
    with group() as control:
        made = Docker(node, command, control)
        try:
            made("import", str(images.tarball(node.folder)), "box")
            yield made
        finally:
            made.close()


def answers(docker: Docker, node: Node, outside: Namespace, address: str) -> bool:
    """Whether the container `web` reaches gateway and outside, and is reached in all ways."""
    for to in ("10.88.7.1", "192.0.2.2"):
        assert docker("exec", "web", "ping", "-c1", "-W2", to)
    assert ping(node.host, address) is not None
    assert docker("exec", "web", "wget", "-qO-", f"http://10.88.7.1:8080{PAGE}") == GREETING
    assert ask_http(node.host, "127.0.0.1", 8080, PAGE) == GREETING
    assert ask_http(outside, "192.0.2.1", 8080, PAGE) == GREETING
    return True


def only(command: Command) -> str:
    """The address of the only attachment."""
    ((address,),) = command.wired().values()
    return address.partition("/")[0]


def test_containers_without_network_are_attached(docker: Docker, node: Node, command: Command) -> None:
    """A restart makes a new namespace: it is attached again; gc takes what a removed container left."""
    outside = node.host.outside()
    before = node.remains()
    docker.run("web")
    for _ in range(2):
        command("attach", "demo", docker.pid("web"), "--id", "web", "--publish", "8080:80")
        assert list(command.wired()) == ["demo/web/eth0"]
        assert answers(docker, node, outside, only(command))
        docker("restart", "--time=0", "web")
    docker("rm", "--force", "web")
    command("gc")
    assert node.remains() == before


def test_a_runtime_with_hooks_wires_containers(docker: Docker, node: Node, command: Command) -> None:
    """From start to removal, through a restart and the death of the container, without another command."""
    outside = node.host.outside()
    before = node.remains()
    wishes = ("--env=CNIWIRE_NETWORKS=demo", "--env=CNIWIRE_PUBLISH=8080:80")
    container_id = docker.run("web", "--runtime=cniwire", "--restart=always", *wishes)
    assert list(command.wired()) == [f"demo/{container_id}/eth0"]
    assert answers(docker, node, outside, only(command))
    docker("restart", "--time=0", "web")
    assert answers(docker, node, outside, only(command))
    pid = docker.pid("web")
    os.kill(int(pid), 9)
    until(lambda: docker.pid("web") not in (pid, "0"), "it is started again")
    assert answers(docker, node, outside, only(command))
    docker("rm", "--force", "web")
    assert node.remains() == before


def test_a_refused_container_is_not_started(docker: Docker, node: Node, command: Command) -> None:
    """Docker shows why."""
    before = node.remains()
    options = ("--name=late", "--network=none", "--runtime=cniwire", "--env=CNIWIRE_NETWORKS=nowhere")
    code, said = docker.client("run", *options, "box", "true")
    assert code != 0
    assert "cniwire: annotation cniwire.networks: no network 'nowhere'" in said
    docker("rm", "late")
    assert node.remains() == before
