"""The end of a Store, and of a call: a descriptor that cannot be closed is no failure.

All work is done by then. Closing fails, for example, on a failing disk.
"""

import errno
from pathlib import Path
from typing import Any

import pytest

from core import address, system
from core.attachment import Attachment
from core.cni.protocol import Request, respond
from core.cni.result import parse
from ipam.host_local.store import Store
from tests.harness.stub_plugin import ENVIRON, Stub


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EINTR])
def test_a_reservation_stands_whatever_closing_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
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


def test_an_add_stands_whatever_closing_what_it_held_says() -> None:
    """The file of a reservation, which bridge's ADD keeps locked until its end: found by torture-faults."""

    def add(request: Request) -> Any:
        request.held.append(2**30)  # which nobody can close
        return parse(None, request.version)

    stdin = b'{"cniVersion": "1.1.0", "name": "net", "type": "stub"}'
    code, output = respond(Stub(add), ENVIRON, lambda: stdin)
    assert (code, output) == (0, b'{\n    "cniVersion": "1.1.0"\n}')
