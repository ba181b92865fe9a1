"""Who may import whom, what a late import owes its reader, and how long a module may be."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "plugins", "ipam", "launcher", "tests")
HOT = ("core", "plugins", "ipam")
# What a package may import of ours, besides itself. Plugins and IPAM reach each other by executing, or by the names that bin/ hands in.
MAY_IMPORT = {"core": (), "plugins": ("core",), "ipam": ("core",), "launcher": ("core",), "tests": PACKAGES}
# Bytes and records in, bytes and records out.
PURE = (
    *("address", "apply", "attachment", "config", "difference", "document", "errors", "expression", "healing", "message", "nft", "plan"),
    *("protocol", "record", "words"),
    *("result", "rules", "ruleset", "sha512", "taken", "version"),
)
# What a pure module may take from an impure one: text of addresses, and for three of them the clock of the verb. protocol also compares two
# namespaces (the specification wants it before any plugin's work) and tells a traceback where debugging is asked for.
PURE_NAMES = {
    "_socket": ("AF_INET", "AF_INET6", "inet_ntop", "inet_pton"),
    "socket": ("AF_INET", "AF_INET6", "inet_ntop", "inet_pton"),
    "core.deadline": ("Expired", "check", "grace"),
}
MAY_HOLD_THE_CLOCK = ("apply", "protocol", "taken")
TOUCHING = ("_ctypes", "_socket", "ctypes", "fcntl", "os", "pathlib", "posix", "select", "shutil", "socket", "subprocess", "tempfile", "time")
# Start-up costs, in ms above a bare interpreter: built into it and so nearly free, or worth their 0.5 to 1.5.
CHEAP = (
    *("_ctypes", "_json", "_sha2", "_sha512", "_signal", "_socket", "_struct", "_thread"),
    *("__future__", "errno", "fcntl", "posix", "select", "sys", "time"),
)
LONGEST = 250  # lines


class Import(NamedTuple):
    """One import statement: `from a import b` names both a and a.b, since b may be a module."""

    path: Path
    line: int
    names: tuple[str, ...]
    late: bool  # within a function
    typing: bool  # seen by type checkers only
    fallback: bool  # in an except clause: where the private module is missing
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.text.strip()}"


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[Import]:
    text = path.read_text()
    lines = text.splitlines()

    def walk(node: ast.AST, late: bool, typing: bool, fallback: bool) -> Iterator[Import]:
        children: Iterator[ast.AST] = ast.iter_child_nodes(node)
        match node:
            case ast.Import():
                yield Import(path, node.lineno, tuple(name.name for name in node.names), late, typing, fallback, lines[node.lineno - 1])
            case ast.ImportFrom():
                module = node.module or ""
                names = (module, *(f"{module}.{name.name}" for name in node.names))
                yield Import(path, node.lineno, names, late, typing, fallback, lines[node.lineno - 1])
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                typing, children = True, (child for child in node.body)
                for other in node.orelse:
                    yield from walk(other, late, False, fallback)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                late = True
            case ast.ExceptHandler():
                fallback = True
        for child in children:
            yield from walk(child, late, typing, fallback)

    yield from walk(ast.parse(text), False, False, False)


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    allowed = {package, *MAY_IMPORT[package]}
    found = [
        str(each)
        for path in sources(package)
        for each in imports(path)
        if top(each.names[0]) in PACKAGES and top(each.names[0]) not in allowed
    ]
    assert found == []


def test_plugins_do_not_import_each_other() -> None:
    """A plugin's further modules are named after it: bridge, bridge_plan."""
    found = [
        str(each)
        for path in sources("plugins")
        for each in imports(path)
        if top(each.names[0]) == "plugins" and each.names[0].split(".")[1].partition("_")[0] != path.stem.partition("_")[0]
    ]
    assert found == []


def test_plugins_need_nothing_but_the_standard_library() -> None:
    known = {*sys.stdlib_module_names, "_sha2", "_sha512", *HOT}  # the one came with 3.12, the other went
    found = [str(each) for path in sources(*HOT) for each in imports(path) if top(each.names[0]) not in known]
    assert found == []


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_only_pure_ones(name: str) -> None:
    def impure(each: Import) -> bool:
        module, imported = each.names[0], [part.rpartition(".")[2] for part in each.names[1:]]
        if module == "core":
            held = (*(("deadline",) if name in MAY_HOLD_THE_CLOCK else ()), *(("system",) if name == "protocol" else ()))
            return any(part not in (*PURE, *held) for part in imported)
        if module in PURE_NAMES and (module != "core.deadline" or name in MAY_HOLD_THE_CLOCK):
            return any(part not in PURE_NAMES[module] for part in imported)
        return top(module) in TOUCHING or (top(module) == "core" and module.partition(".")[2] not in PURE)

    assert [str(each) for each in imports(ROOT / "core" / f"{name}.py") if not each.typing and impure(each)] == []


def test_the_launcher_executes_plugins_and_imports_none_of_their_mechanism() -> None:
    """But one module reads with the netlink codec: another library's import would cost more than all that `ls` does."""
    allowed = {f"core.{name}" for name in PURE}
    reading = {"interfaces.py": {"core.netlink", "core.rtnetlink"}}
    found = [
        str(each)
        for path in sources("launcher")
        for each in imports(path)
        if top(each.names[0]) == "core" and not {each.names[0], *each.names[1:2]} & (allowed | reading.get(path.name, set()))
    ]
    assert found == []


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "bin").iterdir()))
def test_executables_import_the_entry_point_and_their_plugin(script: str) -> None:
    module = script.replace("-", "_")
    names = [name for each in imports(ROOT / "bin" / script) for name in each.names if top(name) in PACKAGES]
    assert len(names) == 4
    assert names[:2] == ["core.main", "core.main.main"]
    assert names[3] in (f"plugins.{module}", f"ipam.{module}")


def test_hot_modules_import_cheap_ones_at_their_top() -> None:
    """What costs more is imported where it is needed, with its reason; test_import_budget has the last word."""
    found = [
        str(each)
        for path in sources(*HOT)
        for each in imports(path)
        if not (each.late or each.typing or each.fallback) and top(each.names[0]) not in (*CHEAP, *HOT)
    ]
    assert found == []


def test_late_imports_give_their_reason() -> None:
    """In a comment on their line; the first of a run of imports speaks for all of it."""

    def unexplained(path: Path) -> Iterator[str]:
        explained = 0
        for each in imports(path):
            if each.late and not each.typing:
                if "#" in each.text or each.line == explained + 1:
                    explained = each.line
                else:
                    yield str(each)

    assert [each for path in sources(*HOT, "launcher") for each in unexplained(path)] == []


def test_modules_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(*HOT, "launcher")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
