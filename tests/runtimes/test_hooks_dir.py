"""Podman, unmodified, without networks of its own: `--hooks-dir` lets cniwire wire its containers.

So do CRI-O and every other reader of that format. It needs no CNI support, which Podman has lost with 5.0.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.traffic import ask_http
from tests.runtimes import images
from tests.runtimes.containers import SETTINGS
from tests.runtimes.daemon import group, inside
from tests.runtimes.hooks import Command
from tests.runtimes.images import GREETING, PAGE, SERVE
from tests.runtimes.node import Node, bridged
from tests.runtimes.oci import finished

pytestmark = pytest.mark.skipif(
    not (shutil.which("podman") and shutil.which("crun")), reason="podman and crun are not installed"
)


class Podman:
    """Podman with files of its own and the hooks of one folder of conf/runtimes."""

    def __init__(self, node: Node, hooks: Path, control: Path) -> None:
        self.folder, self.hooks, self.control = node.folder / "podman", hooks, control
        self.folder.mkdir()
        settings = SETTINGS.format(folder=self.folder, runtime="crun", cgroups="disabled")
        (self.folder / "containers.conf").write_text(settings)
        self.run_root = tempfile.mkdtemp(dir="/run")  # its path has at most 50 characters
        self("import", "--quiet", str(images.tarball(node.folder)), "localhost/box")

    def __call__(self, *words: str) -> str:
        """Run it; return what it prints. Raises AssertionError."""
        stores = [f"--root={self.folder}/storage", f"--runroot={self.run_root}", "--storage-driver=vfs"]
        environ = {"HOME": str(self.folder), "CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        settings = [f"{name}={value}" for name, value in environ.items()]
        start = [*inside(self.control), "env", *settings, "podman", f"--hooks-dir={self.hooks}", *stores]
        code, said = finished([*start, *words])
        assert code == 0, f"podman {' '.join(words)}: {said}"
        return said

    def run(self, name: str, *options: str) -> str:
        """Start a container without a network of Podman's that shows a page; return its ID."""
        words = ["--detach", "--name", name, "--network=none", "--volume=/dev/pts:/dev/pts", *options]
        return self("run", *words, "localhost/box", *SERVE).rpartition("\n")[2]


@pytest.fixture(params=["hooks.d", "always.d"])
def podman(request: pytest.FixtureRequest, node: Node, command: Command) -> Iterator[Podman]:
    """Podman on a node on which everything shared is made already."""
    node.network("demo", *bridged("br7", "10.88.7.0/24"))
    with node.host.container("first"):
        command("attach", "demo", f"{node.folder}/netns/first", "--publish", "8079:80")
        command("detach", "all", f"{node.folder}/netns/first")
    hooks = command.example(f"{request.param}/cniwire.json", node.folder / "hooks").parent
    with group() as control:
        made = Podman(node, hooks, control)
        yield made
        made("rm", "--force", "--all", "--time=0")


def test_containers_are_wired_and_leave_nothing(podman: Podman, node: Node, command: Command) -> None:
    """By annotation, or all of them by default; also after a restart."""
    always = "--network" in (podman.hooks / "cniwire.json").read_text()
    outside = node.host.outside()
    before = node.remains()
    annotations = ("--annotation=cniwire.networks=demo", "--annotation=cniwire.publish=8080:80")
    container_id = podman.run("web", *(() if always else annotations))
    assert list(command.wired()) == [f"demo/{container_id}/eth0"]
    for _ in range(2):
        (address,) = next(iter(command.wired().values()))
        assert podman("exec", "web", "ping", "-c1", "-W2", "192.0.2.2")
        assert ask_http(node.host, address.partition("/")[0], 80, PAGE) == GREETING
        if not always:
            assert ask_http(node.host, "127.0.0.1", 8080, PAGE) == GREETING
            assert ask_http(outside, "192.0.2.1", 8080, PAGE) == GREETING
        podman("restart", "--time=0", "web")
    podman("rm", "--force", "--time=0", "web")
    assert node.remains() == before


@pytest.mark.parametrize("podman", ["hooks.d"], indirect=True)
def test_a_container_without_annotation_is_left_alone(podman: Podman, node: Node, command: Command) -> None:
    podman.run("plain")
    assert "eth0" not in podman("exec", "plain", "ip", "link")
    assert command.wired() == {}
