"""Buildah's `run` and `bud` on its default network, on our executables alone; Skopeo beside it."""

import json
import subprocess
from pathlib import Path

from tests.harness.traffic import Server
from tests.runtimes import images
from tests.runtimes.containers import Tool
from tests.runtimes.node import Node

ASK = "nc -w 2 192.0.2.2 9000 </dev/null"


def container(buildah: Tool) -> str:
    """Make a working container, in which a command may be run; return its name."""
    return buildah("from", images.NAME)


def test_a_command_runs_on_the_default_network(node: Node, buildah: Tool) -> None:
    """It has an address, reaches the LAN as the host, and leaves nothing; nor does one that fails."""
    outside = node.host.outside()
    name = container(buildah)
    assert "10.88.0.2/16" in buildah("run", name, "ip", "-o", "address")
    before = node.remains()
    with Server(outside, 9000):
        assert buildah("run", name, "sh", "-c", ASK) == "outside 192.0.2.1"
    buildah("run", name, "sh", "-c", "exit 3", status=3)
    assert "eth0" not in buildah("run", "--network", "none", name, "ip", "link")
    assert node.remains() == before


def test_a_build_reaches_the_network_in_each_step(node: Node, buildah: Tool) -> None:
    """Also a step that fails takes its attachment with it."""
    outside = node.host.outside()
    buildah("run", container(buildah), "true")
    before = node.remains()
    file = node.folder / "Containerfile"
    file.write_text(f"FROM {images.NAME}\nRUN {ASK} >/seen\nRUN ip -o address >>/seen\n")
    with Server(outside, 9000):
        buildah("bud", "--quiet", "--file", str(file), "--tag", "built", str(node.folder))
    made = buildah("run", buildah("from", "localhost/built"), "cat", "/seen")
    assert made.startswith("outside 192.0.2.1")
    assert "inet 10.88.0." in made
    file.write_text(f"FROM {images.NAME}\nRUN ip link show eth0 && exit 3\n")
    buildah("bud", "--quiet", "--file", str(file), str(node.folder), status=3)
    assert node.remains() == before


def test_skopeo_copies_and_inspects_the_image_of_these_tests(tmp_path: Path) -> None:
    def skopeo(*arguments: str) -> str:
        done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    archive = f"docker-archive:{images.archive(tmp_path)}"
    skopeo("copy", "--insecure-policy", archive, f"oci:{tmp_path}/copy:box")
    told = [json.loads(skopeo("inspect", each)) for each in (archive, f"oci:{tmp_path}/copy:box")]
    assert [it["Env"] for it in told] == [["PATH=/bin"]] * 2
