"""An image can import nothing that it does not have: whatever a plugin may import is in it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bundle.lean import HOT, MODULES, ROOT

FREEZE = ROOT / "bundle" / "static" / "freeze.py"
# Built in, and there from the beginning.
ALWAYS = {"_codecs", "_imp", "builtins", "marshal", "posix", "sys"}
NEVER = {"_ctypes"}  # for setns, where posix has none: boot.py gives it one


def constants(path: Path) -> dict[str, Any]:
    """The tuples of a module that cannot be imported, with what is added to them."""
    found: dict[str, Any] = {}
    for node in ast.parse(path.read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Tuple | ast.List):
            found[target.id] = [*found.get(target.id, []), *ast.literal_eval(value)]
    return found


def executed(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run where everything is there: no TYPE_CHECKING, no fallback of an import."""
    for node in nodes:
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from executed(node.orelse)
        elif isinstance(node, ast.Try) and isinstance(node.body[0], ast.ImportFrom):
            yield from executed(node.body)
        else:
            yield node
            for part in ("body", "orelse", "finalbody"):
                yield from executed(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from executed(handler.body)


def imported(path: Path) -> Iterator[str]:
    for node in executed(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            yield node.module


def closure(names: list[str]) -> set[str]:
    """These modules and what they import in turn."""
    code = f"import sys; [__import__(name) for name in {names}]; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True).split())


def test_whatever_a_plugin_may_import_is_in_the_image() -> None:
    told = constants(FREEZE)
    there = closure(told["WANTED"]) | {*told["BUILTIN"]} | ALWAYS
    wanted = {name for path in HOT for name in imported(path)} - MODULES.keys() - NEVER
    assert len(wanted) > 10
    assert wanted - there == set()
