"""Text from outside (kernel, caches, files, plugins' answers) as it may be shown: control characters escaped.

Pure.

Law: whatever a name holds, it changes nothing at the terminal, and it can be told from every other name.
Containers name their interfaces as they like.
"""

from typing import Any


def plain(text: str) -> str:
    r"""*text* with control characters escaped: `\x1b`, `\n`, `\u202e`; bytes that were no UTF-8 as `\xff`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _written(each) for each in text)


def _written(character: str) -> str:
    """One character as Python writes it; a surrogate stands for a byte that was no UTF-8."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(character)[1:-1]


def escape(text: str) -> str:
    """*text* as Rich's markup."""
    from rich import markup  # only where something is shown in colours

    return markup.escape(plain(text))


def printable(value: Any) -> Any:
    """*value* with every text in it as it may be shown."""
    return _each(value, plain)


def portable(value: Any) -> Any:
    """*value* for JSON, with bytes that were no UTF-8 as text; all else JSON escapes by itself."""
    return _each(value, _without_surrogates)


def _without_surrogates(text: str) -> str:
    return "".join(_written(each) if "\ud800" <= each <= "\udfff" else each for each in text)


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _each(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(item, change) for item in value]
    return value
