"""Text from outside (kernel, caches, files, plugins' answers) as it may be shown: what a terminal would obey is written out. Pure.

Law: a name is shown so that it can be told from every other, and does nothing. Containers name their interfaces as they like.
"""

from typing import Any


def plain(text: str) -> str:
    r"""*text* with what cannot be printed escaped: `\x1b`, `\n`, `\u202e`; bytes that were no UTF-8 as `\xff`."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else _written(each) for each in text)
    )


def _written(character: str) -> str:
    """One character as Python writes it; a byte that was no UTF-8 comes here as a surrogate."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(character)[1:-1]


def escape(text: str) -> str:
    """*text* as Rich's markup."""
    from rich import markup  # only where something is shown in colours

    return markup.escape(plain(text))


def printable(value: Any) -> Any:
    """Plain values with every text in them as it may be shown."""
    return _each(value, plain)


def portable(value: Any) -> Any:
    """Plain values for JSON, which escapes by itself all but what no Unicode text can hold: bytes that were no UTF-8."""
    return _each(
        value, lambda text: "".join(_written(each) if "\ud800" <= each <= "\udfff" else each for each in text)
    )


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _each(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(item, change) for item in value]
    return value
