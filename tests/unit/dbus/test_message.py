"""D-Bus messages: ours read by jeepney, jeepney's read by us, and rubbish."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jeepney import HeaderFields, Message, MessageFlag
from jeepney.low_level import MessageType

from core.dbus import message
from core.dbus.message import ERROR, FIXED_BYTES, LARGEST, METHOD_RETURN, Reply, parse, size, socket_addresses
from tests.harness.fake_bus import answer, failure, signal

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}(\.[A-Za-z_][A-Za-z0-9_]{0,9}){1,4}", fullmatch=True)
PATHS = st.from_regex(r"/([A-Za-z0-9_]{1,9}(/[A-Za-z0-9_]{1,9}){0,3})?", fullmatch=True)
SERIALS = st.integers(1, 2**32 - 101)
VALUES = {  # what may come back, by its signature
    "s": TEXTS,
    "b": st.booleans(),
    "y": st.integers(0, 255),
    "n": st.integers(-(2**15), 2**15 - 1),
    "q": st.integers(0, 2**16 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "u": st.integers(0, 2**32 - 1),
    "x": st.integers(-(2**63), 2**63 - 1),
    "t": st.integers(0, 2**64 - 1),
    "d": st.floats(allow_nan=False),
    "o": PATHS,
    "g": st.sampled_from(["", "s", "a{sv}"]),
}
BODIES = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])), max_size=6
)


@given(SERIALS, NAMES, PATHS, NAMES, st.lists(TEXTS, max_size=4))
def test_a_call_is_what_jeepney_reads(
    serial: int, name: str, path: str, interface: str, arguments: list[str]
) -> None:
    made = message.call(serial, name, path, interface, "addSource", *arguments)
    read = Message.from_buffer(made)
    fields = {
        HeaderFields.path: path,
        HeaderFields.interface: interface,
        HeaderFields.member: "addSource",
        HeaderFields.destination: name,
    }
    if arguments:
        fields[HeaderFields.signature] = "s" * len(arguments)
    assert read.header.message_type is MessageType.method_call
    assert (read.header.flags, read.header.serial) == (MessageFlag.no_auto_start, serial)
    assert (read.header.fields, list(read.body)) == (fields, arguments)
    assert size(made) == len(made)


@given(SERIALS, BODIES, st.booleans())
def test_an_answer_of_jeepneys_is_read(serial: int, body: list[tuple[str, Any]], big: bool) -> None:
    signature, values = "".join(kind for kind, _ in body), tuple(value for _, value in body)
    made = answer(serial, signature, *values, big=big)
    assert size(made) == len(made)
    assert parse(made) == Reply(METHOD_RETURN, serial, "", values)


@given(SERIALS, NAMES, TEXTS)
def test_an_error_of_jeepneys_is_read(serial: int, name: str, text: str) -> None:
    made = failure(serial, name, text)
    assert parse(made) == Reply(ERROR, serial, name, (text,) if text else ())


def test_what_is_no_answer_is_not_looked_into() -> None:
    """A signal may carry anything."""
    assert parse(signal()) == Reply(4)


@given(st.data())
def test_whatever_bytes_come_the_reader_ends_and_raises_nothing_but_value_error(data: st.DataObject) -> None:
    """Arbitrary bytes, and true messages torn off or with one byte changed."""
    true = [
        answer(7, "sb", "trusted", True),
        failure(7, "org.x.Error", "no"),
        signal(),
        answer(7, "xd", 1, 2.0),
    ]
    changed = bytearray(data.draw(st.sampled_from(true)))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    for each in (data.draw(st.binary(max_size=200)), bytes(changed), bytes(changed[:place])):
        for read in (size, parse):
            try:
                read(each)
            except ValueError:
                continue


def test_every_torn_message_is_refused() -> None:
    made = answer(7, "sb", "trusted", True)
    for end in range(len(made)):
        with pytest.raises(ValueError, match="want a whole D-Bus message"):
            parse(made[:end])
        assert size(made[:end]) == (FIXED_BYTES if end < FIXED_BYTES else len(made))


def edited(data: bytes, place: int, *values: int) -> bytes:
    return data[:place] + bytes(values) + data[place + len(values) :]


STRING = answer(7, "s", "abc")
BODY = len(STRING) - 8


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP/1.1 400 Bad", "want a D-Bus message, found b'HTTP'"),
        (edited(STRING, 1, 0), "want a D-Bus message"),
        (edited(STRING, 3, 2), "want a D-Bus message"),
        (edited(STRING, 4, 255, 255, 255, 255), f"want a message of at most {LARGEST} bytes"),
        (edited(STRING, 12, 255, 255, 255, 127), f"want a message of at most {LARGEST} bytes"),
        (edited(STRING, BODY, 255, 255, 255, 255), "want 4294967296 bytes more, found 4"),
        (edited(STRING, BODY, 2), "want a string that ends with its only NUL"),
        (edited(STRING, BODY + 4, 0), "want a string that ends with its only NUL"),
        (edited(STRING, BODY + 4, 255), "can't decode byte 0xff"),
        (edited(answer(7, "b", True), len(answer(7, "b", True)) - 4, 2), "want true or false, found 2"),
        (answer(7, "as", ["a"]), "found a value of signature 'a'"),
        (answer(7, "v", ("s", "a")), "found a value of signature 'v'"),
    ],
)
def test_rubbish_is_told(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(data)


def test_an_answer_to_nothing_is_refused() -> None:
    """Its field is there, but of another type, or with another meaning."""
    place = STRING.index(b"\x05\x01u\0")
    for made in (edited(STRING, place, 9), edited(STRING, place + 4, 0, 0, 0, 0), edited(STRING, 1, ERROR)):
        with pytest.raises(ValueError, match="want an answer to a call"):
            parse(made)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_is_no_string_cannot_be_sent(text: str) -> None:
    with pytest.raises(ValueError):
        message.call(2, "a.b", "/", "a.b", "c", text)


def test_a_call_has_a_length_that_it_may_have() -> None:
    with pytest.raises(ValueError, match="want a message of at most"):
        message.call(2, "a.b", "/", "a.b", "c", "x" * LARGEST)


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        ("unix:path=/run/bus", [b"/run/bus"]),
        ("unix:guid=01,path=/a%20b%2f;unix:abstract=x", [b"/a b/", b"\0x"]),
        ("tcp:host=localhost,port=1;unix:path=/c", [b"/c"]),
        ("unix:path=%zz;unix:path=%0;unix:path=/a%00b;unix:path=", []),
        ("", []),
        ("unix", []),
        ("unix:path=\ud800", []),
        ("unix:path=/\udce4", []),
    ],
)
def test_the_sockets_of_a_list_of_addresses(addresses: str, found: list[bytes]) -> None:
    assert socket_addresses(addresses) == found


@given(st.text(max_size=60))
def test_any_text_as_addresses_is_read_to_its_end(text: str) -> None:
    socket_addresses(text)
    socket_addresses(f"unix:path={text}")
