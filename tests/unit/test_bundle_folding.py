"""Constants that the bundle's build puts in the places where they are used."""

import ast
import importlib
from typing import Any

import pytest

from bundle.folding import constants, folded
from bundle.lean import MODULES


def fold(others: str = "", **sources: str) -> dict[str, str]:
    trees = {name: ast.parse(source) for name, source in sources.items()}
    return {name: ast.unparse(tree) for name, tree in folded(trees, [ast.parse(others)]).items()}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("A = 1", {"A": 1}),
        ("A, B = 1, 'x'", {"A": 1, "B": "x"}),
        ("A = 1\nB = A << 3 | 2", {"A": 1, "B": 10}),
        ("A = -1", {"A": -1}),
        ("A, B = range(3, 5)", {"A": 3, "B": 4}),
        ("A = 10\nB, C, D = range(A << 8, (A << 8) + 3)", {"A": 10, "B": 2560, "C": 2561, "D": 2562}),
        ("A = (1, 2)\nB, C = A", {"A": (1, 2), "B": 1, "C": 2}),
        ("A = True", {}),  # a switch for readers, such as TYPE_CHECKING
        ("A = f()", {}),
        ("A = 1\nA = 2", {}),
        ("A = 1\ndef f(A): return A", {}),
        ("A = 1\ndef f():\n    global A\n    A = 2", {}),
        ("class C:\n    A = 1", {}),
        ("a = 1", {}),
    ],
)
def test_what_is_a_constant(source: str, found: dict[str, Any]) -> None:
    """A name in capitals that is assigned once, at the top level, what is known when the bundle is built."""
    assert constants(ast.parse(source)) == found


def test_uses_become_values_and_what_is_used_nowhere_goes() -> None:
    made = fold(
        m="A, B = 1, 2\nC = 'c'\ndef f(): return A",
        p="from m import B, f\nfrom q import m\nprint(B, f, m.C, m.f)",
        **{"q.m": "C = 3\ndef f(): return C"},
    )
    assert made == {
        "m": "def f():\n    return 1",
        "p": "from m import f\nfrom q import m\nprint(2, f, 3, m.f)",
        "q.m": "def f():\n    return 3",
    }


def test_an_import_of_constants_alone_is_no_import() -> None:
    assert fold(m="A = 1", p="from m import A\nx = A")["p"] == "pass\nx = 1"


@pytest.mark.parametrize("asking", ["m.A", "getattr(m, 'A')", "from m import A"])
def test_what_others_may_ask_for_stays(asking: str) -> None:
    """The entry scripts, and whoever has the name as a text."""
    assert fold(asking, m="A = 1")["m"] == "A = 1"


def test_a_name_that_means_something_else_is_left_alone() -> None:
    """A local name that hides the module's, or a module that is called by a name of ours."""
    source = "from q import m\ndef f(m): return m.A"
    assert fold(**{"q.m": "A = 1", "p": source})["p"] == ast.unparse(ast.parse(source))


@pytest.mark.parametrize("module", MODULES)
def test_the_values_are_those_that_python_finds(module: str) -> None:
    """Of every module of the plugins."""
    live = vars(importlib.import_module(module))
    found = constants(ast.parse(MODULES[module].read_text()))
    assert {name: live[name] for name in found} == found
