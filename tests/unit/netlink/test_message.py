"""Attributes of netlink messages: what is written is read again, and rubbish does no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import nla

from core.netlink import message
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


def test_nests_are_marked_and_strings_end_in_nul() -> None:
    assert nest(1, string(2, "ab")) == b"\x0c\0\1\x80\7\0\2\0ab\0\0"
