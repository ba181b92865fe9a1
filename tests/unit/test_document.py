"""JSON in and out, against the json package as the second opinion."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cni.config import Section
from core.cni.json import DEPTH, parse, parse_object, render
from core.errors import CNIError

ROOT = Path(__file__).resolve().parents[2]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4), max_leaves=20)


def identical(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down: 1, 1.0 and True are three values; so is the order of keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return bool(one == other)


@given(VALUES, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_parse_and_render_agree_with_the_json_package(value: Any, indent: int | None, ascii_only: bool) -> None:
    """S-46, S-62."""
    assert identical(json.loads(render(value, indent)), value)
    assert identical(parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(), "x"), value)
    assert render(value, indent) == json.dumps(value, indent=indent, separators=(",", ":" if indent is None else ": "))


@given(st.text(alphabet='{}[]",:0123456789.eE+-ntrufalse \t\r\n\\ux\0é\ud800', max_size=30))
@settings(max_examples=1500)
def test_parse_accepts_what_the_json_package_accepts(text: str) -> None:
    """S-42, S-62: but for constants that are no JSON."""
    data = text.encode("utf-8", "surrogatepass")

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        wanted = json.loads(data.decode("utf-8", "replace"), parse_constant=refuse)
    except ValueError:
        with pytest.raises(CNIError) as caught:
            parse(data, "x")
        assert caught.value.code == 6
        assert str(caught.value).startswith("cannot decode x: ")
    else:
        assert json.dumps(parse(data, "x"), sort_keys=True) == json.dumps(wanted, sort_keys=True)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_decoding_failure(data: bytes) -> None:
    """S-42, S-62."""
    try:
        render(parse(data, "x"))
    except CNIError as error:
        assert (error.code, error.msg[:17]) == (6, "cannot decode x: ")  # noqa: PT017 - some of the bytes are JSON


@pytest.mark.parametrize(
    ("data", "msg"),
    [
        (b"", "cannot decode x: it is empty"),
        (b" \t\r\n", "cannot decode x: it is empty"),
        (b"{", "cannot decode x: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"{} {}", "cannot decode x: Extra data: line 1 column 4 (char 3)"),
        (b"nul", "cannot decode x: Expecting value: line 1 column 1 (char 0)"),
        (b'"a\nb"', "cannot decode x: Invalid control character at: line 1 column 3 (char 2)"),
        (b"\xef\xbb\xbf{}", "cannot decode x: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        (b"NaN", "cannot decode x: NaN is not JSON"),
        (b"-Infinity", "cannot decode x: -Infinity is not JSON"),
        (b"\x0b{}", "cannot decode x: Expecting value: line 1 column 1 (char 0)"),
        (b"{}\xc2\xa0", "cannot decode x: Extra data: line 1 column 3 (char 2)"),
    ],
)
def test_the_complaint_says_what_and_where(data: bytes, msg: str) -> None:
    """S-42, S-62."""
    with pytest.raises(CNIError) as caught:
        parse(data, "x")
    assert (caught.value.code, caught.value.msg) == (6, msg)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', {"b": 2, "a": 3}),
        (b"[1, 1.0, 1e0, -0, -0.0]", [1, 1.0, 1.0, 0, -0.0]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'["\\udc00", {"\\udc00": ["\\udc00", 1]}]', ["\ufffd", {"\ufffd": ["\ufffd", 1]}]),
        (b'"\xff\xc3"', "\ufffd\ufffd"),
        (b'"\\u0000"', "\0"),
        (b" null\n", None),
    ],
)
def test_values_are_those_of_the_references_decoder(data: bytes, value: Any) -> None:
    """S-42: the last of equal keys, U+FFFD for what is no character, int and float kept apart."""
    assert identical(parse(data, "x"), value)


def test_a_repeated_key_stands_where_it_stood_last() -> None:
    """S-42: so that keys which differ in case only are told apart by position, too."""
    assert list(parse(b'{"a": 1, "A": 2, "a": 3}', "x")) == ["A", "a"]


@pytest.mark.parametrize("data", [b"[1]", b"null", b'"x"', b"3", b"true"])
def test_parse_object_wants_an_object(data: bytes) -> None:
    """S-42."""
    with pytest.raises(CNIError) as caught:
        parse_object(data, "x")
    assert (caught.value.code, caught.value.msg) == (6, f"cannot decode x: want a JSON object, found {data.decode()}")


@pytest.mark.skipif(sys.version_info[:2] in ((3, 12), (3, 13)), reason="these Pythons have a limit of their own in C, below ours")
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_has_an_end(opening: bytes, closing: bytes) -> None:
    """S-42: and what is within it comes out again."""
    for levels, middle in ((DEPTH, b"1"), (DEPTH, b"{}"), (DEPTH + 1, b"1"), (100_000, b"1"), (100_000, b"")):
        inner = levels if middle != b"{}" else levels - 1
        data = opening * inner + middle + closing * inner
        if levels == DEPTH:
            assert render(parse(data, "x")).encode() == data
        else:
            with pytest.raises(CNIError, match="it nests too deep: 10000 levels are the most"):
                parse(data, "x")


def test_a_wide_document_is_not_a_deep_one() -> None:
    """S-42."""
    assert parse(b"[" + b"[],{}," * 5000 + b"[[[]]]]", "x")[-1] == [[[]]]


@pytest.mark.parametrize("digits", ["1e999", "-1.5E+999", "1" * 5000, "-" + "9" * 5000])
def test_a_number_that_nothing_holds_is_kept_as_its_digits(digits: str) -> None:
    """As the reference does with keys that it does not know; where a number is wanted it is refused, by key and value."""
    document = parse(f'{{"a":[{digits}]}}'.encode(), "x")
    assert render(document) == f'{{"a":[{digits}]}}'
    assert not isinstance(document["a"][0], int)
    with pytest.raises(CNIError, match=r"^mtu: want an integer from 0 to 9, found -?[0-9.]+"):
        Section({"mtu": document["a"][0]}).integer("mtu", 0, 9)
    assert parse(b"1" * 4000, "x") == int("1" * 4000)


def test_what_nests_deep_is_printed_without_margins_deep_inside() -> None:
    """Else it would be most of a gigabyte."""
    deep = parse(b'{"a":' * 5000 + b"1" + b"}" * 5000, "x")
    assert len(render(deep, indent=4)) < 100_000
    assert "".join(render(deep, indent=4).split()) == render(deep)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_not_rendered(value: float) -> None:
    """S-46."""
    with pytest.raises(ValueError, match="is no JSON number"):
        render([value])


@pytest.mark.parametrize("value", [b"x", {1}, object(), {1: 2}, ...])
def test_what_is_no_json_value_is_not_rendered(value: Any) -> None:
    """S-46."""
    with pytest.raises(TypeError):
        render({"a": value})


@given(st.text())
def test_what_is_rendered_is_ascii_without_lone_surrogates(text: str) -> None:
    """S-46."""
    rendered = render({text: text})
    assert rendered.isascii()
    json.loads(rendered)[next(iter(json.loads(rendered)))].encode()


def test_without_the_c_accelerator_the_public_package_does_the_same() -> None:
    """S-42, S-46."""
    code = """
import sys
sys.modules["_json"] = None
sys.path.insert(0, sys.argv[1])
from core.cni.config import Section
from core.cni.json import parse, render
from core.errors import CNIError
assert parse(b' {"a": 1, "b": [1.0, null, {"c": "\\\\ud83d"}], "a": 2} ', "x") == {"b": [1.0, None, {"c": "\\ufffd"}], "a": 2}
assert render({"a": ["\\u00e9", 1]}) == '{"a":["\\\\u00e9",1]}'
for bad in (b"", b"{", b"{} x", b"NaN", b"[" * 100000):
    try:
        parse(bad, "x")
    except CNIError as error:
        assert error.code == 6
    else:
        raise AssertionError(bad)
print("done")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code, str(ROOT)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
