"""The lock of a network's directory."""

import os
from collections.abc import Iterator
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from ipam.host_local import lock


@pytest.fixture
def held(tmp_path: Path) -> Iterator[int]:
    """The lock of tmp_path, held by somebody else."""
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDONLY)
    flock(descriptor, LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_it_is_the_file_that_the_go_plugin_locks(tmp_path: Path) -> None:
    """H-53, H-61."""
    descriptor = lock.acquire(str(tmp_path))
    assert (tmp_path / "lock").stat().st_mode & 0o7777 == 0o750 & ~umask()
    with (tmp_path / "lock").open() as other, pytest.raises(BlockingIOError):
        flock(other, LOCK_EX | LOCK_NB)
    os.close(descriptor)
    with (tmp_path / "lock").open() as other:
        flock(other, LOCK_EX | LOCK_NB)


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_waiting_ends_when_the_lock_is_released(tmp_path: Path, held: int) -> None:
    """H-53."""
    def release() -> None:
        sleep(0.1)
        flock(held, LOCK_UN)

    thread = Thread(target=release)
    thread.start()
    descriptor = lock.acquire(str(tmp_path))
    thread.join()
    with pytest.raises(BlockingIOError):
        flock(held, LOCK_EX | LOCK_NB)
    os.close(descriptor)


def test_a_lock_that_was_removed_while_waiting_is_not_enough(tmp_path: Path, held: int) -> None:
    """Somebody clears the directory: the next one locks a new file, and so do we."""
    def replace() -> None:
        sleep(0.1)
        (tmp_path / "lock").unlink()
        flock(held, LOCK_UN)

    thread = Thread(target=replace)
    thread.start()
    descriptor = lock.acquire(str(tmp_path))
    thread.join()
    assert os.path.samestat(os.fstat(descriptor), (tmp_path / "lock").stat())
    os.close(descriptor)


def test_no_directory_no_lock(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock.acquire(str(tmp_path / "none"))
