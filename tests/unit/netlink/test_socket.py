"""Acknowledgements, and a send buffer that is too small for a batch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.netlink import message, socket
from core.netlink.message import attribute, pack
from core.netlink.socket import DONE, ERROR, NLM_F_ACK_TLVS, failure


@pytest.mark.parametrize(
    ("payload", "flags", "kind", "expected"),
    [
        (pack("=i", 0) + bytes(16), 0, ERROR, None),
        (b"", 0, DONE, None),
        (pack("=i", 0), 0, DONE, None),
        (pack("=i", -17) + bytes(16), 0, ERROR, "[Errno 17] File exists"),
        (
            pack("=i", -17) + bytes(16) + attribute(1, b"taken\0"),
            NLM_F_ACK_TLVS,
            ERROR,
            "[Errno 17] File exists (taken)",
        ),
        (pack("=i", -17) + bytes(16) + attribute(1, b"taken\0"), 0, ERROR, "[Errno 17] File exists"),
        (
            pack("=i", -4) + attribute(1, b"again\0"),
            NLM_F_ACK_TLVS,
            DONE,
            "[Errno 4] Interrupted system call (again)",
        ),
        (pack("=i", -17), NLM_F_ACK_TLVS, ERROR, "[Errno 17] File exists"),
        (pack("=i", 17), 0, ERROR, "[Errno 71] Protocol error"),
        (pack("=i", -(2**31)), 0, ERROR, "[Errno 71] Protocol error"),
    ],
)
def test_acknowledgements(payload: bytes, flags: int, kind: int, expected: str | None) -> None:
    """The kernel's own explanation stands behind the number's text; a number that is no errno is EPROTO."""
    found = failure(payload, flags, kind)
    assert (None if found is None else str(found)) == expected


@given(st.binary(max_size=80), st.integers(0, 0xFFFF), st.sampled_from([ERROR, DONE]))
def test_any_acknowledgement_is_an_os_error_or_none(payload: bytes, flags: int, kind: int) -> None:
    found = failure(payload, flags, kind)
    assert found is None or found.errno


class Narrow:
    """A socket whose owner may not force a larger buffer."""

    def __init__(self) -> None:
        self.options: list[Any] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option))
        if option == socket.SO_SNDBUFFORCE:
            raise PermissionError(1, "Operation not permitted")

    def send(self, data: bytes) -> None:
        return


def test_a_batch_that_is_too_large_for_a_user_namespace_is_tried_all_the_same() -> None:
    """P-19: root of a user namespace may not force the buffer; send() has the last word."""
    one = socket.Socket.__new__(socket.Socket)
    one.socket, one.sequence = Narrow(), 0  # type: ignore[assignment]
    one.send((message.Message(16, 0, bytes(200_000)),))
    assert one.socket.options == [(1, socket.SO_SNDBUFFORCE), (1, socket.SO_SNDBUF)]  # type: ignore[attr-defined]
    one.send((message.Message(16, 0, bytes(100)),))
    assert len(one.socket.options) == 2  # type: ignore[attr-defined]
