"""`make install` and `make uninstall`: which files and links stand where."""

import os
import subprocess
from pathlib import Path

from launcher.installation.versions import PLUGINS
from tests.e2e.install.node import ROOT, Node, version


def make(target: str, *variables: str) -> None:
    command = ["make", "-o", "dist/cniwire/cniwire", target, *variables]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_installed_links_work_from_anywhere(bundle: Path, node: Node) -> None:
    """The plugins in BINDIR, the launcher, example configurations and completion scripts below PREFIX."""
    make("install", f"PREFIX={node.prefix}", f"BINDIR={node.bindir}")
    assert {path.name: path.is_symlink() for path in node.bindir.iterdir()} == dict.fromkeys(PLUGINS, True)
    assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}
    done = subprocess.run([node.prefix / "bin" / "cniwire", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.startswith("cniwire wires network namespaces")) == (0, True)
    share = node.prefix / "share"
    assert (share / "cniwire/conf/10-bridge.conflist").read_text() == (
        ROOT / "conf/10-bridge.conflist"
    ).read_text()
    scripts = (
        "bash-completion/completions/cniwire",
        "zsh/site-functions/_cniwire",
        "fish/vendor_completions.d/cniwire.fish",
    )
    assert ["cniwire" in (share / path).read_text() for path in scripts] == [True] * 3


def test_install_obeys_destdir(bundle: Path, tmp_path: Path) -> None:
    """Packagers: nothing outside DESTDIR is written, and the links say where things will be."""
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr", "BINDIR=/opt/cni/bin")
    assert os.readlink(tmp_path / "opt/cni/bin/host-local") == "/usr/lib/cniwire/current/host-local"
    assert version(tmp_path / "usr/lib/cniwire/current/host-local") == "1.1.0"
    assert "DESTDIR" not in (tmp_path / "usr/lib/cniwire/installed.json").read_text()
    assert str(tmp_path) not in (tmp_path / "usr/lib/cniwire/installed.json").read_text()
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr", "BINDIR=/opt/cni/bin")
    assert list(tmp_path.iterdir()) == []


def test_an_installation_that_was_damaged_is_mended_by_the_same_bundle(bundle: Path, node: Node) -> None:
    node.install(bundle)
    (node.lib / "current" / "lib" / "cniwire.boot").write_text("")
    node.install(bundle)
    assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}


def test_the_same_bundle_twice_is_one_version(bundle: Path, node: Node) -> None:
    """And its files belong to who installs, readable by all, whatever they were where they were built."""
    node.install(bundle)
    before = node.tree()
    node.install(bundle)
    assert node.tree() == before
    assert len(node.versions()) == 1
    paths = [path for path in node.lib.rglob("*") if not path.is_symlink() and path.name != "lock"]
    assert {oct(path.stat().st_mode) for path in paths if path.is_dir()} == {"0o40755"}
    assert {oct(path.stat().st_mode) for path in paths if path.is_file()} == {"0o100755", "0o100644"}
    assert {path.stat().st_uid for path in paths} == {os.geteuid()}


def test_the_folder_of_a_link_may_be_a_link(bundle: Path, node: Node) -> None:
    (node.folder / "elsewhere" / "bin").mkdir(parents=True)
    node.prefix.mkdir()
    (node.prefix / "bin").symlink_to(node.folder / "elsewhere" / "bin")
    node.install(bundle)
    done = subprocess.run([node.folder / "elsewhere" / "bin" / "cniwire", "--help"], capture_output=True)
    assert done.returncode == 0
