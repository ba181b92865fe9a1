"""Who may import whom, what a late import owes its reader, and how long a module may be."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "plugins", "ipam", "launcher", "bundle", "manual", "tests")
HOT = ("core", "plugins", "ipam")
# What a package may import of ours, besides itself. Plugins and IPAM reach each other by executing,
# or by the names that bin/ hands in.
MAY_IMPORT = {
    "core": (),
    "plugins": ("core",),
    "ipam": ("core",),
    "launcher": ("core", "ipam"),
    "bundle": ("core", "launcher"),  # the version; and what `cniwire install` does as `make install` does
    "manual": ("core", "launcher"),
    "tests": PACKAGES,
}
# What a pure module may take from an impure one: text of addresses and names.
PURE_NAMES = {
    "_socket": ("AF_INET", "AF_INET6", "inet_ntop", "inet_pton"),
    "socket": ("AF_INET", "AF_INET6", "inet_ntop", "inet_pton"),
    "core.system": ("decoded", "encoded"),
}
# What a docstring names behind "Pure but for", and the modules that this lets in.
BUT_FOR = {
    "the clock of the verb": {"core.deadline"},
    "the clock of the verb, and the look at our own namespace's identity": {"core.deadline", "core.system"},
    "resolvConf, which is a file": {"core.system", "ipam.host_local.resolv"},
}
TOUCHING = (
    "_ctypes",
    "_socket",
    "ctypes",
    "fcntl",
    "os",
    "pathlib",
    "posix",
    "select",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
)
# Start-up costs, in ms above a bare interpreter: built into it and so nearly free, or worth their 0.5 to 1.5.
CHEAP = (
    *("_ctypes", "_json", "_sha2", "_sha512", "_signal", "_socket", "_struct", "_thread"),
    *("__future__", "errno", "fcntl", "posix", "select", "sys", "time"),
)
LONGEST, LONGEST_OF_TESTS = 250, 300  # lines
# The floors of core's folders; "" is what everybody may import.
FLOORS = {"": 0, "cni": 1, "dbus": 1, "netlink": 1, "nft": 2, "iptables": 2}
FLOORS |= {"plan": 3, "kernel": 4, "verbs": 5}


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
                yield Import(
                    path,
                    node.lineno,
                    tuple(name.name for name in node.names),
                    late,
                    typing,
                    fallback,
                    lines[node.lineno - 1],
                )
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
    """A plugin is a module, or a folder of them."""
    found = [
        str(each)
        for path in sources("plugins")
        for each in imports(path)
        if top(each.names[0]) == "plugins"
        and each.names[0].split(".")[1] != path.relative_to(ROOT).with_suffix("").parts[1]
    ]
    assert found == []


def test_plugins_need_nothing_but_the_standard_library() -> None:
    known = {*sys.stdlib_module_names, "_sha2", "_sha512", *HOT}  # the one came with 3.12, the other went
    found = [str(each) for path in sources(*HOT) for each in imports(path) if top(each.names[0]) not in known]
    assert found == []


def exceptions(path: Path) -> set[str] | None:
    """Which impure modules a module of ours may import, as its docstring says.

    None of them if it is "Pure."; the function returns None if the docstring claims nothing.
    """
    said = re.search(
        r"\bPure(?:\.|:| but for ([^.]+)\.)",
        " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split()),
    )
    return None if said is None else BUT_FOR[said[1]] if said[1] else set()


# Every module of the plugins by its name; packages, too, which mean nothing unless they have code.
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sources(*HOT)
}
PURE = {name: allowed for name, path in MODULES.items() if (allowed := exceptions(path)) is not None}


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_only_pure_ones(name: str) -> None:
    """Bytes and records in, bytes and records out."""

    def impure(each: Import) -> bool:
        module, imported = each.names[0], each.names[1:]
        if module in PURE_NAMES and module not in PURE[name]:
            return any(part.rpartition(".")[2] not in PURE_NAMES[module] for part in imported)
        return top(module) in TOUCHING or any(
            part not in PURE and part not in PURE[name] for part in named(each)
        )

    assert [str(each) for each in imports(MODULES[name]) if not each.typing and impure(each)] == []


def named(each: Import) -> list[str]:
    """The modules of ours that an import names; of those in a package not the package, though it has code."""
    of_package = [name for name in each.names[1:] if name in MODULES]
    return [name for name in of_package or each.names[:1] if name in MODULES and MODULES[name].stat().st_size]


def reached(path: Path) -> set[str]:
    """The modules of ours that a module runs or may run: type checkers' imports do not count."""
    return {name for each in imports(path) if not each.typing for name in named(each)}


def floor(module: str) -> int:
    """The floor of a module of core."""
    return FLOORS[module.split(".")[1] if module.count(".") > 1 else ""]


def test_a_wing_of_core_imports_only_wings_below_it() -> None:
    wings = {name: path for name, path in MODULES.items() if top(name) == "core" and path.stat().st_size}
    pairs = [(name, other) for name, path in wings.items() for other in reached(path) if top(other) == "core"]
    above = [pair for pair in pairs if floor(pair[1]) > floor(pair[0])]
    beside = [
        (name, other)
        for name, other in pairs
        if floor(name) == floor(other) and name.split(".")[:-1] != other.split(".")[:-1]
    ]
    assert (above, beside) == ([], [])


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports count, too: whoever reads one module would have to read the other first."""
    below = {name: reached(path) for name, path in MODULES.items()}
    while leaves := {name for name, others in below.items() if not others & below.keys()}:
        below = {name: others for name, others in below.items() if name not in leaves}
    assert below == {}


def test_what_has_to_be_pure_is() -> None:
    """The plan of the house rests on these: what a plugin wants, and how bytes are made of it."""
    needed = {
        "core.address",
        "core.cni.protocol",
        "core.cni.result",
        "core.nft.rules",
        "core.plan.records",
        "core.plan.from_ipam",
    }
    needed.add("ipam.host_local.ranges")
    assert needed | {
        name for name in MODULES if name.startswith("plugins.") and name.endswith(".plan")
    } <= set(PURE)


def test_the_launcher_executes_plugins_and_imports_none_of_their_mechanism() -> None:
    """But three modules read with the netlink codec: to import a library would cost more than all of `ls`.

    And one looks for an executable as the plugins do. One changes the packet filter, for `cniwire leave`, and
    one the routes between nodes, for `cniwire node`: no verb of the protocol means that.
    """
    allowed = set(PURE)
    readers = ("interfaces.py", "packet_filter.py", "routes.py", "kernel.py")
    reading = {name: {"core.netlink.socket"} for name in readers}
    reading["plugin.py"] = {"core.system"}
    reading["leaving.py"] = {"core.kernel.handover", "core.kernel.kernel"}
    found = [
        str(each)
        for path in sources("launcher")
        for each in imports(path)
        if top(each.names[0]) in ("core", "ipam")
        and not {each.names[0], *each.names[1:2]} & (allowed | reading.get(path.name, set()))
    ]
    assert found == []


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "bin").iterdir()))
def test_executables_import_the_entry_point_and_their_plugin(script: str) -> None:
    module = script.replace("-", "_")
    names = [name for each in imports(ROOT / "bin" / script) for name in each.names if top(name) in PACKAGES]
    assert len(names) == 4
    assert names[:2] == ["core.cni.main", "core.cni.main.main"]
    assert names[3] in (f"plugins.{module}", f"ipam.{module}")


def test_hot_modules_import_cheap_ones_at_their_top() -> None:
    """What costs more is imported where it is needed, with its reason; test_import_budget decides."""
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


@pytest.mark.parametrize(
    ("packages", "longest"), [((*HOT, "launcher", "bundle"), LONGEST), (("tests",), LONGEST_OF_TESTS)]
)
def test_modules_are_short(packages: tuple[str, ...], longest: int) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(*packages)}
    assert {path: length for path, length in lengths.items() if length > longest} == {}
