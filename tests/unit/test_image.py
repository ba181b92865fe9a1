"""What two seeds agree on becomes the image; nothing of a run may be in it."""

import struct

import pytest

from bundle.static.image import SET_BY_LIBC, Data, agreed, data_of
from bundle.static.source import Refused

ADDRESS, OFFSET = 0x700000, 0x1000
CODE, DATA = (
    (1, 5, 0, 0x400000, 0x400000, OFFSET, OFFSET, 0x1000),
    (1, 6, OFFSET, ADDRESS, ADDRESS, 64, 64, 0x1000),
)
STACK = (0x6474E551, 6, 0, 0, 0, 0, 0, 16)  # GNU_STACK may be written to, and is no data
KNOWN = [
    (ADDRESS, 16, "_PyRuntime"),
    (ADDRESS + 16, 8, "__stack_chk_guard"),
    (ADDRESS + 24, 8, "__hwcap"),
    (ADDRESS + 40, 8, "builtin_tls"),
]


def executable(data: bytes, code: bytes = b"") -> bytes:
    """An executable of one page of code and 64 bytes of data."""
    segments = [CODE, STACK, DATA]
    head = b"\x7fELF\2\1\1".ljust(32, b"\0") + struct.pack(
        "<QQIHHHHHH", 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    head += b"".join([struct.pack("<IIQQQQQQ", *segment) for segment in segments])
    return head.ljust(OFFSET - len(code), b"\0") + code + data.ljust(64, b"\0")


def test_the_data_of_an_executable_is_found() -> None:
    assert data_of(executable(b"")) == Data(OFFSET, ADDRESS)
    with pytest.raises(Refused, match="no segment that is written to"):
        data_of(executable(b"").replace(struct.pack("<II", 1, 6), struct.pack("<II", 1, 4)))


def test_seeds_that_are_alike_are_the_image() -> None:
    image = executable(b"12345678abcdefghGUARDxxx")
    assert agreed(image, image, KNOWN) == image


def test_what_libc_sets_at_each_start_becomes_nothing() -> None:
    one, other = executable(b"12345678abcdefghGUARD001"), executable(b"12345678abcdefghGUARD002")
    assert agreed(one, other, KNOWN) == executable(b"12345678abcdefgh")
    assert "__stack_chk_guard" in SET_BY_LIBC


def test_what_another_machine_would_have_otherwise_becomes_nothing() -> None:
    image = executable(b"12345678abcdefghGUARD001" + b"\xff" * 8)
    assert agreed(image, image, KNOWN) == executable(b"12345678abcdefghGUARD001")


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        (executable(b"12345678abcdefgh"), executable(b"12345678abcdefgi"), r"_PyRuntime \+ 8"),
        (executable(b"\0" * 32 + b"x"), executable(b"\0" * 32 + b"y"), "the address 0x700020"),
        (executable(b"\0" * 56 + b"x"), executable(b"\0" * 56 + b"y"), "the address 0x700038"),
        (executable(b"", code=b"x"), executable(b"", code=b"y"), "the address 0x6ffff8"),
        (executable(b""), executable(b"") + b"more", "images of"),
    ],
)
def test_anything_else_that_differs_refuses_the_build(one: bytes, other: bytes, where: str) -> None:
    """In a variable of Python's, between variables, behind the last one, in code, in size."""
    with pytest.raises(Refused, match=where):
        agreed(one, other, KNOWN)
