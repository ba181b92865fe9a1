"""JSON in and out, with the rules of the reference's decoder and without the cost of the json package.

Law: bytes in, plain values out; whatever is wrong is one CNIError with code DECODING_FAILURE.
Numbers without fraction or exponent are int, all others float, so that `1.0` can be refused where an int is wanted.
"""

from __future__ import annotations

from core.errors import DECODING_FAILURE, CNIError

try:
    from _json import encode_basestring_ascii, make_scanner
except ImportError:  # another Python: the public package has the same two under other names
    from json.encoder import py_encode_basestring_ascii as encode_basestring_ascii  # type: ignore[assignment]
    from json.scanner import py_make_scanner as make_scanner  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WHITESPACE = " \t\n\r"


def _last_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose repeated keys stand where they stood last, so that folding their case keeps the last one too."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        values.pop(key, None)
        values[key] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class _Rules:
    """What the C scanner asks its context for."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_last_wins)
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_no_constant)
    memo: dict[str, str] = {}
    parse_object = parse_array = parse_string = None  # only the pure Python scanner reads these


def parse(data: bytes, what: str) -> Any:
    """Decode one JSON document; *what* names it in the error ("network configuration").

    Invalid UTF-8 and lone surrogates become U+FFFD, as the reference does. Text behind the document is an error.
    Raises CNIError(DECODING_FAILURE).
    """
    text = data.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(WHITESPACE))
    try:
        value, end = make_scanner(_Rules)(text, start)  # type: ignore[arg-type]
        if text[end:].strip(WHITESPACE):
            raise ValueError("text behind the JSON document")
    except (StopIteration, SystemError, ValueError, TypeError, RecursionError) as error:
        raise CNIError(DECODING_FAILURE, f"cannot decode {what}: {_reason(text, error)}") from None
    return _without_surrogates(value) if "\\u" in text else value


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """As parse, and the document must be an object. Raises CNIError(DECODING_FAILURE)."""
    value = parse(data, what)
    if not isinstance(value, dict):
        raise CNIError(DECODING_FAILURE, f"cannot decode {what}: want a JSON object, found {render(value)[:60]}")
    return value


def _reason(text: str, error: BaseException) -> str:
    """The proper complaint: the C scanner needs json.decoder for it, which is worth its price only now."""
    import json  # cold: only for bad input

    if not text.strip(WHITESPACE):
        return "it is empty"
    try:
        json.loads(text)
    except (ValueError, RecursionError) as reason:
        return str(reason)
    return str(error) or type(error).__name__


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(["\ufffd" if "\ud800" <= character <= "\udfff" else character for character in value])
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def render(value: Any, indent: int | None = None, _level: int = 0) -> str:
    """Encode plain values as JSON: compact, or with *indent* spaces a level (no final newline either way)."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    level = _level + 1
    if isinstance(value, dict):
        colon = ":" if indent is None else ": "
        items = [f"{encode_basestring_ascii(str(k))}{colon}{render(v, indent, level)}" for k, v in value.items()]
        opening, closing = "{}"
    else:
        items = [render(item, indent, level) for item in value]
        opening, closing = "[]"
    if indent is None or not items:
        return opening + ",".join(items) + closing
    margin = "\n" + " " * indent * level
    return f"{opening}{margin}{(',' + margin).join(items)}{margin[: len(margin) - indent]}{closing}"
