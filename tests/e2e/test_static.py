"""The one static file (make dist): in an empty root, as plain copies, without Python and C library."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from launcher.installation.versions import PLUGINS
from launcher.installation.versions import STATIC as NAME
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host

ROOT = Path(__file__).resolve().parents[2]
SIZE_MAX = 12_000_000  # bytes
MEMORY_MAX = 12_000  # KiB, of a plugin at its peak
PT_INTERP = 3  # elf(5): the segment that names a loader
CHROOT = "/usr/sbin/chroot"
VERSION = {"CNI_COMMAND": "VERSION"}
PEAK = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
os.write(2, b"%d %d" % (status, usage.ru_maxrss))
"""


@pytest.fixture
def copies(static: Path, tmp_path: Path) -> Path:
    """What installers make of it: cp -f /opt/cni/bin/* /host/opt/cni/bin/."""
    folder = tmp_path / "copies"
    folder.mkdir()
    subprocess.run(["cp", "-f", *static.iterdir(), folder], check=True)
    return folder


class Empty:
    """A root directory with nothing in it but copies of the plugins, at the same path as `outside`.

    outside: scripts that call them there.
    """

    def __init__(self, folder: Path, static: Path) -> None:
        self.root, self.outside = folder / "root", folder / "outside"
        inside = self.inside(self.outside)
        for path in (self.outside, inside):
            path.mkdir(parents=True)
        for name in PLUGINS:
            shutil.copy(static / NAME, inside / name)
            script = self.outside / name
            script.write_text(f"#!/bin/sh\nexec {CHROOT} {self.root} {self.outside}/{name}\n")
            script.chmod(0o755)

    def inside(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    @contextmanager
    def seeing(self, *paths: Path) -> Iterator[None]:
        """For so long the plugins see these folders, with all that is mounted there by now."""
        for path in paths:
            self.inside(path).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--rbind", "--make-rslave", path, self.inside(path)], check=True)
        try:
            yield
        finally:
            for path in paths:
                subprocess.run(["umount", "--lazy", "--recursive", self.inside(path)], check=True)


@pytest.fixture
def empty(static: Path, tmp_path: Path) -> Empty:
    return Empty(tmp_path / "empty", static)


def call(executable: Path, environ: dict[str, str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([executable], env=environ, input=stdin, capture_output=True)


def test_no_loader_and_no_library_is_named(static: Path) -> None:
    """And the file is small."""
    data = (static / NAME).read_bytes()
    start, size, count = (
        int.from_bytes(data[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58))
    )  # elf(5): e_phoff, e_phentsize, e_phnum
    types = [int.from_bytes(data[start + n * size : start + n * size + 4], "little") for n in range(count)]
    assert types
    assert PT_INTERP not in types
    assert len(data) <= SIZE_MAX


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_answers_in_a_root_with_nothing_in_it(empty: Empty, name: str) -> None:
    """Not even /proc."""
    done = subprocess.run(
        [CHROOT, empty.root, empty.outside / name], env=VERSION, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["cniVersion"] == "1.1.0"


def test_all_golden_cases_pass_in_an_empty_root(empty: Empty, tmp_path: Path) -> None:
    """With what they read and write, and /proc."""
    work = tmp_path / "work"
    work.mkdir()
    options = ["--quiet", "-p", "no:cacheprovider", f"--plugins={empty.outside}", f"--basetemp={work}/golden"]
    command = [sys.executable, "-m", "pytest", *options, "tests/golden"]
    with empty.seeing(work, Path("/proc")):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_container_is_wired_from_an_empty_root(empty: Empty, tmp_path: Path) -> None:
    """bridge with host-local, portmap and firewall: ADD, CHECK, DEL, and nothing is left."""
    with Host(empty.outside, tmp_path) as host:
        container = host.container()
        host.data.mkdir()
        network = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP, {"type": "firewall"})
        ports: Any = {"portMappings": [mapping(8080)]}
        with empty.seeing(Path("/proc"), tmp_path / "netns", host.data):
            result = network.add(container, **ports)
            assert [each["address"] for each in result["ips"]] == ["10.1.0.2/24"]
            assert container.addresses("eth0") == ["10.1.0.2/24"]
            assert "8080" in host.run("nft list ruleset")
            network.check(container, **ports)
            network.delete(container, **ports)
        assert "eth0" not in container.links()
        assert "8080" not in host.run("nft list ruleset")


def test_copies_run_host_local_in_the_bridges_process(copies: Path, host: Host, tmp_path: Path) -> None:
    """Although each of them is a file of its own."""
    trace = tmp_path / "trace"
    tracer = ("strace", "--follow-forks", "--trace=execve", "--signal=none", f"--output={trace}")
    add(host, copies, *tracer)
    assert re.findall(r'execve\("([^"]+)"', trace.read_text()) == [str(copies / "bridge")]


@pytest.mark.parametrize("kind", ["script", "version"])
def test_another_host_local_is_not_taken_for_ours(copies: Path, host: Host, kind: str) -> None:
    """It lies beside our bridge: somebody else's, or another version of ours, told by its build ID."""
    other = copies / "host-local"
    if kind == "script":
        answer = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.77/24", "gateway": "10.1.0.1"}]}'
        other.write_text(f"#!/bin/sh\necho '{answer}'\n")
    else:
        data = other.read_bytes()
        at = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16  # elf(5): NT_GNU_BUILD_ID
        other.write_bytes(data[:at] + bytes(20) + data[at + 20 :])
    trace = host.folder / "trace"
    add(host, copies, "strace", "--follow-forks", "--trace=execve", "--signal=none", f"--output={trace}")
    assert re.findall(r'execve\("([^"]+)"', trace.read_text())[:2] == [str(copies / "bridge"), str(other)]


@pytest.mark.parametrize(
    ("name", "plugin"),
    [("cnv-bridge", "bridge"), ("buildkit-cni-host-local", "host-local"), ("my-portmap", "portmap")],
)
def test_a_copy_acts_as_what_its_name_ends_in(static: Path, tmp_path: Path, name: str, plugin: str) -> None:
    shutil.copy(static / NAME, tmp_path / name)
    assert call(tmp_path / name, {}).stderr.startswith(f"CNI {plugin} plugin v".encode())


def test_a_link_may_have_a_name_of_its_own(static: Path, tmp_path: Path) -> None:
    (tmp_path / "ports").symlink_to(static / "portmap")
    assert call(tmp_path / "ports", {}).stderr.startswith(b"CNI portmap plugin v")


@pytest.mark.parametrize("name", [NAME, "whatever", 'a"b\\c', "bytes-\udcff", "mybridge"])
def test_a_name_that_tells_nothing_is_one_json_error(static: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(static / NAME, tmp_path / name)
    done = call(tmp_path / name, VERSION)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "bridge, host-local, portmap" in json.loads(done.stdout)["msg"]


def test_no_variable_for_pythons_gets_in(static: Path) -> None:
    variables = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONVERBOSE": "1", "LC_ALL": "tr_TR"}
    for name in PLUGINS:
        done = call(static / name, {**variables, **VERSION})
        assert (json.loads(done.stdout)["cniVersion"], done.stderr) == ("1.1.0", b"")


def test_bad_json_is_told_by_the_standard_library(static: Path) -> None:
    """As much of it as is needed lies in the file."""
    attachment = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
    done = call(static / "bridge", {"CNI_COMMAND": "ADD", **attachment}, b"{,}")
    assert (done.returncode, json.loads(done.stdout)["code"], done.stderr) == (1, 6, b"")
    assert "line 1 column 2" in json.loads(done.stdout)["msg"]


def test_a_file_that_was_cut_short_does_not_answer(static: Path, tmp_path: Path) -> None:
    """The kernel refuses it, or it ends with an error; it never says that all is well."""
    whole = (static / NAME).read_bytes()
    for part in (0.3, 0.6, 0.9):
        copy = tmp_path / "bridge"
        copy.write_bytes(whole[: int(len(whole) * part)])
        copy.chmod(0o755)
        try:
            status = call(copy, VERSION).returncode
        except OSError:
            continue
        assert status != 0


def test_a_plugin_stays_small(copies: Path, host: Host) -> None:
    status, peak = map(int, add(host, copies, sys.executable, "-I", "-S", "-c", PEAK).stderr.split())
    assert status == 0
    assert peak <= MEMORY_MAX


def test_the_licenses_of_what_is_inside_go_along(copies: Path) -> None:
    text = (copies / f"{NAME}.licenses").read_text()
    for words in ("Apache License", "PYTHON SOFTWARE FOUNDATION LICENSE", "musl"):
        assert words in text


def add(host: Host, folder: Path, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """ADD of a masquerading bridge, with *wrapper* in front of the executable."""
    config = {"cniVersion": "1.1.0", "name": "net", **bridge(host.data, "10.1.0.0/24", ipMasq=True)}
    environ = {
        "PATH": os.environ["PATH"],
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(host.container().path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(folder),
    }
    command = [*wrapper, str(folder / "bridge")]
    done = subprocess.run(command, env=environ, input=json.dumps(config), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done
