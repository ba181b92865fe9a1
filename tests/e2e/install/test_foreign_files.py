"""Files of other suites, and of our own earlier releases, where ours are installed."""

import shutil
import subprocess
from pathlib import Path

from launcher.installation.things import put
from launcher.installation.versions import PLUGINS
from tests.e2e.install.node import Node, calling, changed, version


def test_what_stood_there_before_comes_back(bundle: Path, node: Node) -> None:
    """Another suite's plugins, files or links, with modes and owners; a call finds one of the two suites."""
    node.bindir.mkdir(parents=True)
    shutil.copy("/bin/true", node.bindir / "bridge")
    (node.bindir / "bridge").chmod(0o751)
    (node.bindir / "host-local").symlink_to("/usr/lib/cni/host-local")
    (node.bindir / "sbr").write_text("theirs, and no name of ours")
    (node.prefix / "bin").mkdir(parents=True)
    (node.prefix / "bin" / "cniwire").symlink_to("nowhere")
    before = node.tree()
    with calling(
        lambda: subprocess.run([node.bindir / "bridge"], env={}, capture_output=True, check=True)
    ) as failures:
        said = node.install(bundle)
        assert said.count("was there before") == 3
        assert "was there before" not in node.install(bundle)
        assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}
        node.uninstall()
    assert failures == [""]
    assert node.tree() == before


def test_the_command_may_stay_when_the_plugins_go(bundle: Path, node: Node) -> None:
    """With plugins of its own beside it: what runs on a node can be handed over, or collected."""
    node.bindir.mkdir(parents=True)
    shutil.copy("/bin/true", node.bindir / "bridge")
    before = node.tree()
    node.install(bundle)
    for _ in range(2):
        node.uninstall("--keep")
        assert {path.name: path.read_bytes() for path in node.bindir.iterdir()} == {
            "bridge": Path("/bin/true").read_bytes()
        }
        assert version((node.prefix / "bin" / "cniwire").resolve().with_name("bridge")) == "1.1.0"
    node.install(bundle)
    assert version(node.bindir / "bridge") == "1.1.0"
    node.uninstall("--keep")
    node.uninstall()
    assert node.tree() == before


def test_what_somebody_put_over_ours_is_left_alone(bundle: Path, node: Node) -> None:
    """Another suite was installed after ours: its files stay, and do not give way to older ones."""
    node.bindir.mkdir(parents=True)
    (node.bindir / "bridge").write_text("old")
    node.install(bundle)
    put(node.bindir / "bridge", lambda fresh: fresh.write_text("new"))
    assert f"{node.bindir}/bridge is somebody else's by now" in node.uninstall()
    assert {path.name: path.read_text() for path in node.bindir.iterdir()} == {"bridge": "new"}


def test_a_suite_installed_before_there_were_versions_is_replaced(
    bundle: Path, node: Node, tmp_path: Path
) -> None:
    """`lib/cniwire` was the bundle itself, and the links in BINDIR led there."""
    shutil.copytree(bundle, node.lib, symlinks=True)
    shutil.rmtree(node.lib / "share")
    node.bindir.mkdir(parents=True)
    for name in PLUGINS:
        (node.bindir / name).symlink_to(node.lib / name)
    assert node.install(bundle).count("was there before") == 0
    assert (node.lib / "bridge").exists()  # a call may have started there just now
    node.install(changed(bundle, tmp_path / "next"))
    assert {path.name for path in node.lib.iterdir()} == {
        "current",
        "lock",
        "installed.json",
        *node.versions(),
    }
    assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}
