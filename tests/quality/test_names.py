"""Numbers of the kernel's interface bear the kernel's names, and no code asks of what kind a record is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.record import Record
from tests.quality.test_layers import HOT, ROOT, sources

SPEAKING = (*HOT, "launcher")  # packages whose modules speak netlink
ENCODERS = ("attribute", "nest", "number", "string")  # core.netlink.message: the first argument is a type


def kinds(base: type = Record) -> set[str]:
    """The names of all classes of records that have a home in the kernel."""
    found: list[Any] = base.__subclasses__()
    return {name for each in found for name in (*([each.__name__] if each.home else []), *kinds(each))}


def named(node: ast.AST) -> str:
    """What a Name or an Attribute calls, "" for another node."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def bare_numbers(tree: ast.Module) -> Iterator[int]:
    """Lines where an attribute is encoded, or looked up in decoded ones, by a digit."""
    decoded = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and named(node.value.func) == "attributes"
    }

    def is_decoded(node: ast.AST) -> bool:
        is_call = isinstance(node, ast.Call) and named(node.func) == "attributes"
        return is_call or (isinstance(node, ast.Name) and node.id in decoded)

    for node in ast.walk(tree):
        key: ast.AST | None = None
        if isinstance(node, ast.Call) and node.args:
            getter = isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop")
            if named(node.func) in ENCODERS or (
                getter and isinstance(node.func, ast.Attribute) and is_decoded(node.func.value)
            ):
                key = node.args[0]
        elif isinstance(node, ast.Subscript) and is_decoded(node.value):
            key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, int):
            yield key.lineno


def questions(tree: ast.Module, records: set[str]) -> Iterator[int]:
    """Lines that ask whether something is a record of one kind, by isinstance or by comparing types."""
    for node in ast.walk(tree):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Call) and named(node.func) == "isinstance":
            asked = [*ast.walk(node.args[1])]
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Call) and named(side.func) == "type" for side in sides):
                asked = [inner for side in sides for inner in ast.walk(side)]
        yield from [each.lineno for each in asked if isinstance(each, ast.expr) and named(each) in records]


def found(lines: Iterator[int], path: Path) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for line in lines]


def test_no_attribute_is_a_bare_number() -> None:
    assert [
        each for path in sources(*SPEAKING) for each in found(bare_numbers(ast.parse(path.read_text())), path)
    ] == []


def test_nobody_asks_of_what_kind_a_record_is() -> None:
    """A record carries its own law (core.record); what distinguishes kinds is said by their classes."""
    for path in sources(*HOT):
        __import__(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    records = kinds()
    assert {"Link", "Element", "Route", "LinkSettings"} <= records
    assert [
        each
        for path in sources(*HOT, "launcher", "tests/harness", "tests/torture")
        for each in found(questions(ast.parse(path.read_text()), records), path)
    ] == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("nest(1, attribute(NAME, b''))", [1]),
        ("attrs = attributes(data)\nattrs[3]\nattrs.get(4, b'')\nattrs[NAME]", [2, 3]),
        ("attributes(data, 4).get(7)", [1]),
        ("replies[0][1]", []),
    ],
)
def test_a_bare_number_is_seen(text: str, lines: list[int]) -> None:
    assert sorted(set(bare_numbers(ast.parse(text)))) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("isinstance(each, (Link, Route))", [1]),
        ("isinstance(each, records.Link)", [1]),
        ("type(each) is Link", [1]),
        ("isinstance(each, str) and type(each) is type(other)", []),
    ],
)
def test_a_question_is_seen(text: str, lines: list[int]) -> None:
    assert sorted(set(questions(ast.parse(text), {"Link", "Route"}))) == lines
