"""The Debian package in roots of its own: installed, in the place of another package, and removed again."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bundle.release import contents, deb
from bundle.release.tree import Tree
from launcher.installation.versions import PLUGINS
from launcher.installation.versions import STATIC as NAME
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.forms import BUILT, COMMAND, LINKED, TOLD, Root
from tests.harness.host import Host

# dpkg's memory of what is there: a C library, the plugins of Debian, and somebody who needs these.
INSTALLED = {
    "libc6": ("2.36", ""),
    "containernetworking-plugins": ("1.1.1", ""),
    "podman": ("4.3.1", "Depends: container-network-stack, containernetworking-plugins (>= 1.0)\n"),
}
ENTRY = """\
Package: {name}
Status: install ok installed
Architecture: amd64
Maintainer: somebody <somebody@example.org>
Version: {version}
{further}Description: a package

"""


class System:
    """A root directory with dpkg's database."""

    def __init__(self, root: Path, *names: str) -> None:
        self.root, self.data = root, root / "var" / "lib" / "dpkg"
        for name in ("info", "updates"):
            (self.data / name).mkdir(parents=True)
        entries = [ENTRY.format(name=name, version=v, further=f) for name, (v, f) in INSTALLED.items()]
        (self.data / "status").write_text("".join(each for each, n in zip(entries, INSTALLED) if n in names))
        for name in names:
            (self.data / "info" / f"{name}.list").write_text("/.\n")

    def dpkg(self, *words: str | Path) -> str:
        command = ("dpkg", "--root", self.root, "--force-not-root,bad-path,unsafe-io", *words)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def state(self, name: str) -> str:
        format_ = "--showformat=${Status}"
        command = ("dpkg-query", "--admindir", self.data, "--show", format_, name)
        return subprocess.run(command, capture_output=True, text=True).stdout

    def files(self) -> set[str]:
        """All that is not dpkg's own."""
        found = [path for path in self.root.rglob("*") if self.data not in path.parents]
        return {str(path.relative_to(self.root)) for path in found if path.is_symlink() or path.is_file()}


def package(folder: Path, plugins: Tree) -> Path:
    made = folder / "cniwire.deb"
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout
    if architecture.strip() != "amd64":
        pytest.skip(f"the package is for amd64, this machine is {architecture}")
    deb.build(TOLD, deb.tree(plugins, COMMAND, "a changelog"), ["libc6 (>= 2.36)"], folder / "scratch", made)
    return made


@pytest.fixture(autouse=True)
def only_with_the_source_tree(plugins: Path) -> None:
    if (plugins / "lib").exists():
        pytest.skip("made of given files, whatever the plugins under test: see the run with the source tree")


def test_it_is_installed_and_removed(tmp_path: Path) -> None:
    system = System(tmp_path / "root", "libc6")
    system.dpkg("--install", package(tmp_path, LINKED))
    assert system.state("cniwire") == "install ok installed"
    assert (system.root / "usr/lib/cni/bridge").read_bytes() == LINKED["cniwire-plugins"].content
    command = subprocess.run([system.root / "usr/bin/cniwire"], capture_output=True, text=True)
    assert command.stdout == "here\n"
    system.dpkg("--purge", "cniwire")
    assert system.files() == set()
    assert not (system.root / "usr").exists()


def test_it_takes_the_place_of_debians_plugins(tmp_path: Path) -> None:
    """Whoever depends on them is content."""
    system = System(tmp_path / "root", *INSTALLED)
    theirs = system.root / "usr/lib/cni/bridge"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    listed = "/.\n/usr\n/usr/lib\n/usr/lib/cni\n/usr/lib/cni/bridge\n"
    (system.data / "info" / "containernetworking-plugins.list").write_text(listed)
    system.dpkg("--install", "--auto-deconfigure", package(tmp_path, LINKED))
    assert system.state("containernetworking-plugins").split()[-1] in ("config-files", "not-installed", "")
    assert [system.state(name) for name in ("cniwire", "podman")] == ["install ok installed"] * 2
    assert theirs.read_bytes() == LINKED["cniwire-plugins"].content


def test_a_container_is_wired_by_it_where_there_is_no_python(tmp_path: Path) -> None:
    """ADD, CHECK, DEL, in a root with nothing but the package; then the package goes."""
    if not (BUILT / NAME).exists():
        pytest.skip(f"there is no {BUILT / NAME} (make dist)")
    system = System(tmp_path / "root", "libc6")
    system.dpkg("--install", package(tmp_path, contents.linked(BUILT)))
    assert not shutil.which("python3", path=str(system.root / "usr/bin"))
    wire(Root(system.root, "/usr/lib/cni", tmp_path / "scripts"), tmp_path)
    system.dpkg("--purge", "cniwire")
    assert not [path for path in system.root.rglob("*") if path.name in (*PLUGINS, NAME)]


def wire(root: Root, tmp_path: Path) -> None:
    with Host(root.scripts, tmp_path) as host:
        container = host.container()
        host.data.mkdir()
        network = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP, {"type": "firewall"})
        seen = (Path("/proc"), tmp_path / "netns", host.data)
        root.see(*seen)
        try:
            network.add(container, portMappings=[mapping(8080)])
            assert container.addresses("eth0") == ["10.1.0.2/24"]
            network.check(container, portMappings=[mapping(8080)])
            network.delete(container, portMappings=[mapping(8080)])
        finally:
            root.forget(*seen)
        assert "eth0" not in container.links()
