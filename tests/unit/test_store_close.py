"""The end of a Store: by then everything stands, and a descriptor that cannot be closed properly, as on a failing disk, is no failure any more."""

import errno
from pathlib import Path

import pytest

from core import address, system
from core.attachment import Attachment
from ipam.store import Store


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EINTR])
def test_a_reservation_stands_whatever_closing_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    attachment, packed = Attachment("net", "c1", "eth0"), address.parse("10.1.0.2")
    close, failed = system.close, []

    def failing(descriptor: int) -> None:
        close(descriptor)
        failed.append(descriptor)
        raise OSError(number, "refused")

    with Store(str(tmp_path)) as store:
        assert store.owned(attachment) == (b"", [])  # as ADD asks, which opens the index
        store.reserve(attachment, {0: packed})
        monkeypatch.setattr(system, "close", failing)
    monkeypatch.undo()
    assert len(failed) == 3  # of the index, the directory and the lock
    with Store(str(tmp_path)) as store:  # the lock is free again
        assert store.owned(attachment)[1] == [packed]
