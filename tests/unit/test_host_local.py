"""host-local in process: what cannot be brought about from outside."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from core import deadline, system
from core.cni.protocol import respond
from ipam import host_local
from ipam.host_local import boot, index
from ipam.host_local.files import Directory

TRY_AGAIN_LATER, STORE_FAILED = 11, 107
RANGES = [[{"subnet": "10.7.0.0/29"}]]


def call(data: Path, command: str, container_id: str = "c1", **keys: Any) -> tuple[int, Any]:
    """(exit code, what was printed)."""
    environ = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_IFNAME": "eth0",
        "CNI_NETNS": "/run/netns/none",
        "CNI_PATH": "/none",
    }
    config = {
        "cniVersion": "1.1.0",
        "name": "n1",
        "type": "x",
        "ipam": {"type": "host-local", "dataDir": str(data), "ranges": RANGES},
        **keys,
    }
    code, output = respond(host_local, environ, json.dumps(config).encode)
    return code, json.loads(output) if output else None


def given(answer: tuple[int, Any]) -> str:
    assert answer[0] == 0, answer
    return str(answer[1]["ips"][0]["address"])


def files(data: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in (data / "n1").iterdir()
        if path.name.startswith(("10.", ".new"))
    }


class Intruder:
    """Somebody who takes addresses without the lock, just before we link ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, data: Path, names: list[str]):
        self.data, self.names = data, names
        self.link = system.link
        monkeypatch.setattr(system, "link", self)

    def __call__(self, *words: Any, **keys: Any) -> None:
        if self.names:
            (self.data / "n1" / self.names.pop(0)).write_bytes(b"intruder\r\neth0")
        self.link(*words, **keys)


def test_an_address_that_is_taken_under_our_hands_is_left_to_its_taker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H-55: link(2) refuses an address that the index wrongly takes for free, and the next one is given."""
    Intruder(monkeypatch, tmp_path, ["10.7.0.2"])
    assert given(call(tmp_path, "ADD")) == "10.7.0.3/29"
    assert files(tmp_path) == {"10.7.0.2": b"intruder\r\neth0", "10.7.0.3": b"c1\r\neth0"}
    assert call(tmp_path, "DEL", "intruder") == (0, None)
    assert files(tmp_path) == {"10.7.0.3": b"c1\r\neth0"}


def test_after_three_tries_it_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """H-55."""
    Intruder(monkeypatch, tmp_path, ["10.7.0.2", "10.7.0.3", "10.7.0.4"])
    code, answer = call(tmp_path, "ADD")
    assert (code, answer["code"], answer["msg"]) == (
        1,
        TRY_AGAIN_LATER,
        f"{tmp_path}/n1: 10.7.0.4 is taken by somebody who ignores the lock",
    )
    assert sorted(files(tmp_path)) == ["10.7.0.2", "10.7.0.3", "10.7.0.4"]


@pytest.mark.parametrize("names", [["10.7.0.2"], ["10.7.0.2", "fd00::2"]])
def test_a_file_of_two_names_is_undone_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    """H-11: of several sets none is kept."""

    def full(_: int) -> None:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(system, "fsync", full)
    directory = Directory(str(tmp_path))
    with pytest.raises(OSError, match="disk"):
        directory.publish(names, b"c1\r\neth0", b"", "/x")
    directory.close()
    assert list(tmp_path.iterdir()) == []


def broken(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Reading the file *name* fails from now on."""
    read = Directory.read

    def failing(self: Directory, wanted: str) -> bytes | None:
        if wanted == name:
            raise OSError(number, os.strerror(number))
        return read(self, wanted)

    monkeypatch.setattr(Directory, "read", failing)


def test_del_asks_for_another_try_when_a_file_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H-60: it may be the attachment's own."""
    call(tmp_path, "ADD", "other")
    (tmp_path / "n1" / index.FILE).unlink()
    broken(monkeypatch, "10.7.0.2", errno.ENFILE)
    code, answer = call(tmp_path, "DEL")
    assert (code, answer["code"]) == (1, TRY_AGAIN_LATER)
    assert answer["msg"] == f"ipam.dataDir: cannot use {tmp_path}/n1/10.7.0.2: Too many open files in system"
    assert not (tmp_path / "n1" / index.FILE).exists()


def test_what_the_disk_has_lost_does_not_keep_others_from_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H-60."""
    call(tmp_path, "ADD", "other")
    call(tmp_path, "ADD", "c1")
    (tmp_path / "n1" / index.FILE).unlink()
    broken(monkeypatch, "10.7.0.2", errno.EIO)
    assert call(tmp_path, "DEL") == (0, None)
    assert list(files(tmp_path)) == ["10.7.0.2"]
    assert given(call(tmp_path, "ADD", "c2")) == "10.7.0.4/29"


def test_it_works_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where times cannot be set, it costs time and nothing else."""

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, "not yours")

    monkeypatch.setattr(system, "utime", refused)
    assert [given(call(tmp_path, "ADD", f"c{number}")) for number in range(3)] == [
        "10.7.0.2/29",
        "10.7.0.3/29",
        "10.7.0.4/29",
    ]
    assert call(tmp_path, "DEL", "c1") == (0, None)
    assert not (tmp_path / "n1" / index.FILE).exists()
    assert sorted(files(tmp_path)) == ["10.7.0.2", "10.7.0.4"]


@pytest.mark.parametrize("missing", ["BOOT_ID", "MACHINE_ID"])
def test_without_a_boot_or_machine_id_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """H-57."""
    monkeypatch.setattr(boot, missing, "/none")
    assert given(call(tmp_path, "ADD")) == "10.7.0.2/29"
    assert os.listxattr(tmp_path / "n1" / "10.7.0.2") == []
    assert call(tmp_path, "DEL") == (0, None)
    assert files(tmp_path) == {}


def test_where_there_are_no_attributes_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H-57."""

    def unsupported(*_: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(system, "setxattr", unsupported)
    assert given(call(tmp_path, "ADD")) == "10.7.0.2/29"


def test_the_note_fits_an_inode_of_ext4() -> None:
    """An inode has room for 64 bytes beside the name; with a container runtime's path it just suffices."""
    path = "/var/run/netns/cni-01234567-89ab-cdef-0123-456789abcdef"
    assert len(boot.FORM) + boot.PART + 2 * boot.SHORT + len(path) == 64


def test_an_add_that_is_to_stop_reserves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline.WAITING, "told", "SIGTERM was received")
    assert call(tmp_path, "ADD")[1]["code"] == TRY_AGAIN_LATER
    assert files(tmp_path) == {}
