"""What is meant by a target, and what is provably gone."""

import os
import subprocess
from pathlib import Path

import pytest

from launcher import netns, surroundings, target
from launcher.cache import Cached
from launcher.failures import Failure, UsageFailure
from launcher.request import Request
from launcher.target import Target

OWN = "/proc/self/ns/net"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for /run/netns."""
    monkeypatch.setattr(netns, "DIRECTORY", str(tmp_path / "netns"))
    (tmp_path / "netns").mkdir()
    return tmp_path / "netns"


def cached(container_id: str, path: str) -> Cached:
    return Cached("net", Request(container_id, "eth0", path), b"", {})


def test_a_target_is_a_name_a_pid_or_a_path(directory: Path, tmp_path: Path) -> None:
    """derive() does not ask whether it is there."""
    start = surroundings.start_time(os.getpid())
    process = Target(f"pid-{os.getpid()}-{start}", f"/proc/{os.getpid()}/ns/net")
    assert target.derive(str(os.getpid())) == process
    assert target.derive(f"/proc/{os.getpid()}/ns/net") == process
    assert target.derive("web") == Target("web", "")
    assert target.derive(f"{directory}/web") == Target("web", "")
    (tmp_path / "link").symlink_to(directory)
    assert target.derive(f"{tmp_path}/link/web") == Target("web", "")
    other = target.derive("/somewhere/else")
    assert other.container_id.startswith("netns-")
    assert len(other.container_id) == 26
    assert other == target.derive("/somewhere/../somewhere/else")


def test_a_name_of_digits_is_a_name_if_there_is_one(directory: Path) -> None:
    (directory / "4711").touch()
    assert target.derive("4711").container_id == "4711"


def test_resolve_refuses_what_is_not_there_and_what_is_ours() -> None:
    with pytest.raises(UsageFailure, match="found nothing"):
        target.resolve("")
    with pytest.raises(Failure, match="no namespace 'web'"):
        target.resolve("web")
    with pytest.raises(Failure, match="is in this very network namespace"):
        target.resolve(str(os.getpid()))


def test_a_process_is_known_by_pid_and_start() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        container_id = target.derive(str(process.pid)).container_id
        assert not target.owner_gone(container_id)
        assert target.owner_gone(f"pid-{process.pid}-1"), "another process with this pid"
        process.kill()
    assert target.owner_gone(container_id)
    assert surroundings.start_time(process.pid) is None
    assert not target.owner_gone(target.own_id())
    assert not target.owner_gone("web")


def test_gone_is_only_what_is_provably_gone(directory: Path) -> None:
    """A path that is no namespace any more, or a process that has ended; everything else counts as alive."""
    (directory / "leftover").touch()
    assert target.gone(cached("c1", str(directory / "leftover"))).endswith("is no namespace any more")
    assert target.gone(cached("c1", "/nowhere")) == "/nowhere is no namespace any more"
    assert target.gone(cached("pid-999999999-1", OWN)) == "its process has ended"
    assert target.gone(cached("c1", OWN)) == ""
    assert target.gone(cached("c1", "")) == "", "an old cache does not tell the namespace"
    assert target.gone(cached(target.own_id(), OWN)) == ""


def test_reachable_never_leads_into_another_process(directory: Path) -> None:
    """A pid may have been given anew; a named namespace of a dead run is still the one it was."""
    assert target.reachable(cached("c1", OWN)) == OWN
    assert target.reachable(cached("pid-1-1", "/proc/1/ns/net")) == ""
    assert target.reachable(cached("run-999999999-1", OWN)) == OWN
    assert target.reachable(cached("c1", "/nowhere")) == ""
    assert target.reachable(cached("c1", "")) == ""


def test_identity_tells_network_namespaces_from_anything_else(tmp_path: Path) -> None:
    status = os.stat(OWN)
    assert netns.identity(OWN) == (status.st_dev, status.st_ino)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    for path in (
        "/proc/self/ns/mnt",
        "/dev/null",
        str(tmp_path),
        str(tmp_path / "file"),
        str(tmp_path / "fifo"),
        "/nowhere",
        "",
    ):
        assert netns.identity(path) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_namespace_needs_a_file_name(name: str) -> None:
    with pytest.raises(UsageFailure, match="namespace name: want a file name"):
        netns.create(name)
    with pytest.raises(UsageFailure, match="namespace name: want a file name"):
        netns.remove(name)
