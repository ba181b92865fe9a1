"""`make install` and `make uninstall`: under running calls, over foreign files, refused, interrupted, undone."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle.versions import put
from tests.harness.configs import bridge
from tests.harness.host import Host

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("bridge", "host-local", "portmap")


class Node:
    """A machine's file system, as far as an installation goes: PREFIX and BINDIR below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.prefix, self.bindir = folder / "usr", folder / "opt" / "cni" / "bin"
        self.lib = self.prefix / "lib" / "cniwire"

    def install(self, bundle: Path, succeeds: bool = True) -> str:
        """What it says."""
        return self._run(
            str(bundle), "--prefix", str(self.prefix), "--bindir", str(self.bindir), succeeds=succeeds
        )

    def uninstall(self, succeeds: bool = True) -> str:
        return self._run("--prefix", str(self.prefix), "--bindir", str(self.bindir), succeeds=succeeds)

    @staticmethod
    def _run(*arguments: str, succeeds: bool) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bundle.install", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def versions(self) -> set[str]:
        return {
            path.name
            for path in self.lib.iterdir()
            if path.is_dir() and not path.is_symlink() and path.name[0].isdigit()
        }

    def tree(self) -> dict[str, tuple[int, str]]:
        """All that is there: modes and contents."""
        return {str(path): (path.lstat().st_mode, content(path)) for path in sorted(self.folder.rglob("*"))}


def content(path: Path) -> str:
    return os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_bytes().hex()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node")


def changed(bundle: Path, folder: Path) -> Path:
    """A copy of *bundle* that is not the same: another version, as far as an installation knows."""
    shutil.copytree(bundle, folder, symlinks=True)
    (folder / "share" / "changed").write_text(folder.name)
    return folder


def version(executable: Path) -> str:
    """The newest version that *executable* speaks, called with no environment at all."""
    done = subprocess.run(
        [executable], env={"CNI_COMMAND": "VERSION"}, cwd="/", capture_output=True, check=True
    )
    return str(json.loads(done.stdout)["cniVersion"])


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


@contextmanager
def calling(*calls: Callable[[], object]) -> Iterator[list[str]]:
    """Each call over and over, each in a thread of its own.

    The list that is given holds how often each succeeded, or what it raised.
    """
    stop, told = threading.Event(), [""] * len(calls)

    def again(index: int) -> None:
        made = 0
        try:
            while not stop.is_set():
                calls[index]()
                made += 1
        except Exception as error:  # noqa: BLE001
            told[index] = f"call {made}: {error!r} {getattr(error, 'stdout', '')!r}"

    threads = [threading.Thread(target=again, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_calls_made_while_suites_are_installed_succeed(
    bundle: Path, node: Node, host: Host, tmp_path: Path
) -> None:
    """VERSION of each plugin, and ADD and DEL of a container, all the while.

    Older versions go, the one before stays.
    """
    node.install(bundle)
    others = [changed(bundle, tmp_path / name) for name in ("one", "two")]
    container = host.container()
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(host.data, "10.1.0.0/24")}

    def attach() -> None:
        for verb in ("ADD", "DEL"):
            answer = host.call(verb, config, container, folder=node.bindir)
            assert answer.exit_code == 0, answer

    with calling(attach, *(lambda name=name: version(node.bindir / name) for name in PLUGINS)) as failures:
        for _ in range(3):
            for each in (*others, bundle):
                node.install(each)
    assert failures == [""] * 4
    assert len(node.versions()) == 2


def test_a_version_from_which_something_runs_stays(bundle: Path, node: Node, tmp_path: Path) -> None:
    """Until it has ended; also when the suite is uninstalled, which says so."""
    node.install(bundle)
    (first,) = node.versions()
    reader, writer = os.pipe()
    environ = {"CNI_COMMAND": "GC", "CNI_PATH": str(node.bindir)}
    process = subprocess.Popen(
        [node.bindir / "portmap"], env=environ, stdin=reader, stdout=subprocess.DEVNULL
    )  # it waits for its configuration
    try:
        for name in ("one", "two", "three"):
            node.install(changed(bundle, tmp_path / name))
        assert first in node.versions()
        assert len(node.versions()) == 3
        assert f"{first} in {node.lib} still runs" in node.uninstall(succeeds=False)
        assert list(node.bindir.iterdir()) == []
    finally:
        os.close(writer)
        os.close(reader)
        process.wait(timeout=10)
    node.uninstall()
    assert list(node.folder.iterdir()) == []


def test_what_stood_there_before_comes_back(bundle: Path, node: Node) -> None:
    """Another suite's plugins, files or links, with modes and owners; a call finds one of the two suites."""
    node.bindir.mkdir(parents=True)
    shutil.copy("/bin/true", node.bindir / "bridge")
    (node.bindir / "bridge").chmod(0o751)
    (node.bindir / "host-local").symlink_to("/usr/lib/cni/host-local")
    (node.bindir / "firewall").write_text("theirs, and no name of ours")
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


def test_what_somebody_put_over_ours_is_left_alone(bundle: Path, node: Node) -> None:
    """Another suite was installed after ours: its files stay, and older ones are not brought back over them."""
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


BREAKS: dict[str, Callable[[Path], object]] = {
    "no plugins' executable": lambda bundle: (bundle / "bridge").unlink(),
    "not executable": lambda bundle: (bundle / "bridge").chmod(0o644),
    "cut short": lambda bundle: os.truncate(bundle / "bridge", 1_000_000),
    "no modules": lambda bundle: (bundle / "lib" / "cniwire.modules").unlink(),
    "no launcher": lambda bundle: (bundle / "cniwire").unlink(),
    "says something else": lambda bundle: put(bundle / "portmap", lambda fresh: fresh.symlink_to("/bin/pwd")),
    "nothing for people": lambda bundle: shutil.rmtree(bundle / "share"),
    "no bundle at all": shutil.rmtree,
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_bundle_that_does_not_answer_is_refused(
    bundle: Path, node: Node, tmp_path: Path, name: str
) -> None:
    """One line, and all is as before: an empty machine stays empty, an installed suite goes on."""
    broken = changed(bundle, tmp_path / "broken")
    BREAKS[name](broken)
    said = node.install(broken, succeeds=False)
    assert (said.count("\n"), said.startswith("install: ")) == (1, True)
    assert list(node.folder.iterdir()) == []
    node.install(bundle)
    before = node.tree()
    node.install(broken, succeeds=False)
    assert node.tree() == before


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


def test_an_installation_killed_at_any_moment_leaves_a_suite_that_answers(
    bundle: Path, node: Node, tmp_path: Path
) -> None:
    """The old one or the new one; and the next installation clears up."""
    node.install(bundle)
    other = changed(bundle, tmp_path / "other")
    command = [
        sys.executable,
        "-m",
        "bundle.install",
        str(other),
        "--prefix",
        str(node.prefix),
        "--bindir",
        str(node.bindir),
    ]
    for step in range(12):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        time.sleep(0.08 * step)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert {version(node.bindir / name) for name in PLUGINS} == {"1.1.0"}
    node.install(other)
    assert not (node.lib / ".new").exists()
    node.uninstall()
    assert list(node.folder.iterdir()) == []


def test_two_installations_at_once_are_one_and_a_refusal(bundle: Path, node: Node) -> None:
    node.install(bundle)
    with open(node.lib / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "somebody else is installing there" in node.install(bundle, succeeds=False)


@pytest.mark.parametrize(
    ("prefix", "bindir", "says"),
    [
        ("usr", "/opt/cni/bin", "PREFIX=usr: an absolute path"),
        ("{node}/usr", "bin", "BINDIR=bin: an absolute path"),
        ("{node}/usr", "{node}/usr/lib/cniwire/bin", "the suite itself goes there"),
        ("{node}/file", "{node}/bin", "file is there, and is no folder"),
        ("{node}/usr", "{node}/folder", "is a folder, and should be a link"),
    ],
)
def test_places_that_cannot_be_are_refused(
    bundle: Path, node: Node, prefix: str, bindir: str, says: str
) -> None:
    (node.folder / "file").write_text("")
    (node.folder / "folder" / "bridge").mkdir(parents=True)
    before = node.tree()
    node.prefix, node.bindir = (Path(each.format(node=node.folder)) for each in (prefix, bindir))
    assert says in node.install(bundle, succeeds=False)
    assert node.tree() == before


def test_a_disk_that_is_full_keeps_the_old_suite(bundle: Path, node: Node) -> None:
    """One line, nothing left behind."""
    small = node.folder / "usr"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "cniwire-test", small], check=True)
    try:
        node.install(bundle)
        before = node.tree()
        subprocess.run(["fallocate", "-l", "20M", small / "ballast"], check=True)
        said = node.install(bundle, succeeds=False)
        assert (said.count("\n"), "No space left on device" in said, "nothing was installed" in said) == (
            1,
            True,
            True,
        )
        (small / "ballast").unlink()
        assert node.tree() == before
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_folder_of_a_link_may_be_a_link(bundle: Path, node: Node) -> None:
    (node.folder / "elsewhere" / "bin").mkdir(parents=True)
    node.prefix.mkdir()
    (node.prefix / "bin").symlink_to(node.folder / "elsewhere" / "bin")
    node.install(bundle)
    done = subprocess.run([node.folder / "elsewhere" / "bin" / "cniwire", "--help"], capture_output=True)
    assert done.returncode == 0


def test_uninstalling_what_was_never_installed_says_so(bundle: Path, node: Node) -> None:
    assert "nothing is installed there" in node.uninstall(succeeds=False)
