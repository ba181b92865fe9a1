"""JSON in and out, with the rules of the reference's decoder and without the cost of the json package.

Laws: parse takes bytes and returns plain values; whatever is wrong is one CNIError with code
DECODING_FAILURE. Whatever parse accepts, render can print. So parse replaces surrogates, refuses nesting
deeper than DEPTH, and keeps the digits of a number that neither int nor float can hold. Numbers without
fraction or exponent are int, all others float, so that `1.0` can be refused where an int is wanted. Pure.
"""

from __future__ import annotations

import sys

from core.errors import DECODING_FAILURE, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What reads an object, a list and a string, for a scanner that is not the C one
PARTS: tuple[Any, Any, Any] = (None, None, None)
try:
    from _json import encode_basestring_ascii, make_scanner
except ImportError:  # another Python: the public package, whose scanner has to be handed its parts
    from json.decoder import JSONArray, JSONObject, scanstring  # type: ignore[attr-defined]
    from json.encoder import encode_basestring_ascii
    from json.scanner import make_scanner

    PARTS = (JSONObject, JSONArray, scanstring)

WHITESPACE = " \t\n\r"
# Levels of nesting, as many as the reference takes. The C scanner needs less than 2 MiB of stack for them.
DEPTH = 10_000
INDENTED = 50  # levels that are indented: below, the margins would be most of the text
CONSTANTS = {None: "null", True: "true", False: "false"}


def _last_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose repeated keys stand where they stood last.

    So the last one wins, too, among keys that differ only in case.
    """
    values: dict[str, Any] = {}
    for key, value in pairs:
        values.pop(key, None)
        values[key] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


INFINITY = float("inf")


class Huge(float):
    """A number that no float or int of ours holds: infinite in comparisons, and printed as it came."""

    digits: str


def _huge(digits: str) -> Huge:
    value = Huge(digits)
    value.digits = digits
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    return _huge(digits) if value in (INFINITY, -INFINITY) else value


def _whole(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts
        return _huge(digits)


class Rules:
    """What the scanner asks its context for."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_last_wins)
    parse_float = staticmethod(_finite)
    parse_int = staticmethod(_whole)
    parse_constant = staticmethod(_no_constant)
    memo: dict[str, str] = {}
    parse_object, parse_array, parse_string = PARTS


def parse(data: bytes, what: str, rules: type[Rules] = Rules) -> Any:
    """Decode one JSON document; *what* names it in the error ("network configuration").

    Invalid UTF-8 and lone surrogates become U+FFFD, as the reference does.
    Text behind the document is an error.
    Raises CNIError(DECODING_FAILURE).
    """
    text = data.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(WHITESPACE))
    try:
        value, end = _stacked(1, make_scanner(rules), text, start)  # type: ignore[arg-type]
        if text[end:].strip(WHITESPACE):
            raise ValueError("text behind the JSON document")
        if text.count("{") + text.count("[") > DEPTH and _is_deep(value):
            raise RecursionError
    except (StopIteration, SystemError, ValueError, TypeError, RecursionError) as error:
        raise CNIError(DECODING_FAILURE, f"cannot decode {what}: {_reason(text, error)}") from None
    return _stacked(4, _without_surrogates, value) if "\\u" in text else value


def _stacked(calls: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do *work*, which takes so many nested *calls* for each level of JSON.

    If that is too deep for the interpreter, do it once more with room for DEPTH levels.
    """
    try:
        return work(*arguments)
    except RecursionError:
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(calls * DEPTH + usual)
        try:
            return work(*arguments)
        finally:
            sys.setrecursionlimit(usual)


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """As parse, and the document must be an object. Raises CNIError(DECODING_FAILURE)."""
    value = parse(data, what)
    if not isinstance(value, dict):
        msg = f"cannot decode {what}: want a JSON object, found {render(value)[:60]}"
        raise CNIError(DECODING_FAILURE, msg)
    return value


def _is_deep(value: Any) -> bool:
    """Whether *value* nests deeper than DEPTH levels, found without recursion."""
    level = [value]
    for _ in range(DEPTH):
        below = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
        level = [child for child in below if isinstance(child, (dict, list))]
    return bool(level)


def _reason(text: str, error: BaseException) -> str:
    """What is wrong with *text*, by the json package, which is too dear to be imported before that."""
    import json  # cold: only for bad input

    if not text.strip(WHITESPACE):
        return "it is empty"
    try:
        json.loads(text)
    except RecursionError:
        error = RecursionError()
    except ValueError as reason:
        return str(reason)
    if isinstance(error, RecursionError):
        return f"it nests too deep: {DEPTH} levels are the most"
    return str(error)


def _replaced(text: str) -> str:
    """*text* with U+FFFD for lone surrogates, which no strict decoder accepts and no UTF-8 holds."""
    return "".join(["\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text])


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _replaced(value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replaced(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _string(text: str) -> str:
    """Bytes of the environment that are no UTF-8 arrive here as surrogates."""
    encoded = encode_basestring_ascii(text)
    return encode_basestring_ascii(_replaced(text)) if "\\ud" in encoded else encoded


def render(value: Any, indent: int | None = None) -> str:
    """Encode plain values as JSON in ASCII: compact, or with *indent* spaces a level; no final newline.

    Raises TypeError for what is no JSON value, ValueError for a number that is not finite.
    """
    text: str = _stacked(4, _render, value, indent, 0)
    return text


def _render(value: Any, indent: int | None, above: int) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return CONSTANTS[value]
    if isinstance(value, (int, float)):
        if isinstance(value, Huge):
            return value.digits
        if value != value or value in (INFINITY, -INFINITY):  # only NaN differs from itself
            raise ValueError(f"{value} is no JSON number")
        return repr(value)
    level = above + 1
    indent = indent if level <= INDENTED else None
    if isinstance(value, dict):
        colon = ":" if indent is None else ": "
        items = [f"{_string(key)}{colon}{_render(below, indent, level)}" for key, below in value.items()]
        opening, closing = "{}"
    elif isinstance(value, (list, tuple)):
        items = [_render(below, indent, level) for below in value]
        opening, closing = "[]"
    else:
        raise TypeError(f"{type(value).__name__} is no JSON value")
    if indent is None or not items:
        return opening + ",".join(items) + closing
    margin = "\n" + " " * indent * level
    return f"{opening}{margin}{(',' + margin).join(items)}{margin[: len(margin) - indent]}{closing}"
