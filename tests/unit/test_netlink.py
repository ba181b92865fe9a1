"""Attributes and acknowledgements: what is written is read again, and rubbish does no harm."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import nla

from core.netlink import message, socket
from core.netlink.message import (
    attribute,
    attribute_list,
    attributes,
    head,
    nest,
    number,
    pack,
    string,
    text,
    unsigned,
)
from core.netlink.socket import DONE, ERROR, NLM_F_ACK_TLVS, failure

pairs = st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=50)), max_size=10)


@given(pairs)
def test_attributes_that_we_write_we_read_again(wanted: list[tuple[int, bytes]]) -> None:
    """In order and with repetitions; as a dictionary the last of a kind wins."""
    data = b"".join(attribute(kind, value) for kind, value in wanted)
    assert len(data) % 4 == 0
    assert attribute_list(data) == wanted
    assert attributes(data) == dict(wanted)
    assert attribute_list(b"head" + data, 4) == wanted


@given(pairs)
def test_flags_in_an_attributes_kind_are_not_part_of_it(wanted: list[tuple[int, bytes]]) -> None:
    """NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
    data = b"".join(
        attribute(kind | 0x8000, value) + attribute(kind | 0x4000, value) for kind, value in wanted
    )
    assert attribute_list(data) == [pair for pair in wanted for _ in range(2)]


class Sample(nla):  # type: ignore[misc]
    nla_map = (
        ("NONE", "none"),
        ("NUMBER", "uint32"),
        ("SMALL", "uint8"),
        ("TEXT", "asciiz"),
        ("BYTES", "cdata"),
        ("NEST", "inner"),
    )

    class inner(nla):  # type: ignore[misc] # noqa: N801
        nla_map = (("NONE", "none"), ("NUMBER", "uint16"))


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1),
    st.binary(min_size=1),
)
def test_pyroute2_reads_the_same(large: int, small: int, words: str, data: bytes) -> None:
    parts = (
        number(1, large),
        number(2, small, size=1),
        string(3, words),
        attribute(4, data),
        nest(5, number(1, 7, size=2)),
    )
    sample = Sample(attribute(0, b"".join(parts)))
    sample.decode()
    assert [(name, value) for name, value, *_ in sample["attrs"]][:4] == [
        ("NUMBER", large),
        ("SMALL", small),
        ("TEXT", words),
        ("BYTES", data),
    ]
    assert sample.get_nested("NEST", "NUMBER") == 7


@given(st.binary(max_size=300), st.integers(0, 400))
def test_whatever_bytes_come_reading_attributes_ends(data: bytes, offset: int) -> None:
    for kind, value in attribute_list(data, offset):
        assert 0 <= kind <= 0x3FFF
        assert value in data
    text(data)
    assert unsigned(data) >= 0


@pytest.mark.parametrize(
    "data",
    [b"", b"\5", b"\5\0\1", b"\3\0\1\0", b"\0\0\0\0", b"\xff\xff\1\0x", b"\6\0\1\0x"],
    ids=["nothing", "one byte", "three", "shorter than itself", "zeros", "much too long", "a byte too long"],
)
def test_a_torn_attribute_ends_the_list(data: bytes) -> None:
    assert attribute_list(data) == []
    assert attribute_list(attribute(7, b"whole") + data) == [(7, b"whole")]


def test_an_attribute_that_is_not_padded_at_the_end_is_whole() -> None:
    assert attribute_list(b"\5\0\1\0x") == [(1, b"x")]


@given(st.binary(max_size=40), st.integers(0, 50))
def test_a_message_that_is_too_short_is_a_value_error(data: bytes, offset: int) -> None:
    if offset + 8 <= len(data):
        assert head("=II", data, offset) == (
            unsigned(data[offset : offset + 4]),
            unsigned(data[offset + 4 : offset + 8]),
        )
    else:
        with pytest.raises(ValueError, match="netlink message"):
            head("=II", data, offset)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_strings_of_any_language(words: str) -> None:
    assert text(attributes(string(1, words))[1]) == words


def test_bytes_that_are_no_utf_8_survive() -> None:
    """A link's name or alias may be anything."""
    assert attributes(string(1, text(b"\xff\xfe\0")))[1] == b"\xff\xfe\0"


def test_numbers_in_host_byte_order() -> None:
    assert (number(1, 258)[4:], unsigned(pack("=I", 258))) == (pack("=I", 258), 258)
    assert (message.LITTLE, pack("=H", 1)) in ((True, b"\1\0"), (False, b"\0\1"))
    assert unsigned(b"") == 0


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
    """The kernel's own explanation stands behind the text of the number; what is no error number is a protocol error."""
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
