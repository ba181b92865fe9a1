"""Make the plugins' executable and its modules: python -m bundle.build FOLDER TARGET.

FOLDER is a scratch folder, in which PyInstaller has collected the launcher. The finished bundle is tried
there and then renamed to TARGET, so that a build that dies half way leaves TARGET as it was.

Sources are compiled without what only readers and type checkers need: docstrings, annotations of functions,
TYPE_CHECKING blocks. That halves what every start has to read. Imports of our own modules become look-ups
in a dictionary. All modules that an ADD of a plugin loads, as the import budget lists them, are marshalled
as one object, in which each name is stored once.
"""

import ast
import json
import marshal
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import CodeType

from bundle.folding import folded
from bundle.versions import LAUNCHER, PLUGINS, Refused, ask

ROOT = Path(__file__).resolve().parents[1]
HOT = [path for folder in ("core", "plugins", "ipam") for path in sorted((ROOT / folder).rglob("*.py"))]
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in HOT]
MODULES = dict(zip(NAMES, HOT))
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}
EXECUTABLE, LINKS = PLUGINS[0], PLUGINS[1:]
# File names of completion scripts, as each shell looks for them.
COMPLETION = {"bash": "cniwire.bash", "zsh": "_cniwire", "fish": "cniwire.fish"}
# Modules of the interpreter that plugins use: built in, and as extension modules.
BUILTIN = ("_sha512", "_signal", "_socket", "_struct", "errno", "fcntl", "time")
EXTENSIONS = ("_json",)
BUDGET = ROOT / "tests" / "quality" / "import_budget.txt"
PLACES = ROOT / "build" / "modules.json"  # for tests.bench.profile: size and offset of each module
PLUGIN_PART_MAX, BUNDLE_MAX = 12_000_000, 32_000_000  # bytes on disk


class Lean(ast.NodeTransformer):
    """Drops what has no effect when the module runs; of a class's annotations only the names have one."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        for field in fields:
            field.annotation = ast.copy_location(ast.Constant(None), field)
        node.body = [each if each in fields else self.visit(each) for each in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        is_for_readers = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return (node.orelse or ast.Pass()) if is_for_readers else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        """Turn imports of our own modules, all of which boot.py knows, into look-ups.

        `from package import module` does not run the module, which happens at its first use;
        `from module import name` does.
        """
        if node.module == "__future__":
            return ast.Pass()
        if node.module in PACKAGES and all(f"{node.module}.{each.name}" in MODULES for each in node.names):
            return [
                ast.parse(f"{each.asname or each.name} = __modules__['{node.module}.{each.name}']").body[0]
                for each in node.names
            ]
        if node.module not in MODULES:
            return node
        names = [f"{each.asname or each.name} = __taken.{each.name}" for each in node.names]
        return ast.parse("\n".join([f"__taken = __run__('{node.module}')", *names])).body


def compiled(tree: ast.Module, source: Path) -> CodeType:
    """The code of a module."""
    lean = ast.fix_missing_locations(Lean().visit(tree))
    code: CodeType = compile(lean, str(source.relative_to(ROOT)), "exec", dont_inherit=True, optimize=2)
    return code


def usual(plugin: str) -> set[str]:
    """The modules that an ADD of *plugin* loads: its column of the import budget has an A."""
    head, *rows = [line for line in BUDGET.read_text().splitlines() if line][1:]
    column = re.search(rf"\b{plugin}\b", head)
    assert column
    return {row.split()[0] for row in rows if "A" in row[column.start() :].split()[0]}


def archive(contents: Path, apart: bool = False) -> None:
    """Write all modules into one file, and boot.py with the place of each into another.

    apart: each module is read by a system call of its own, for tests.bench.profile.
    """
    scripts = {name: ast.parse((ROOT / "bin" / name).read_text()) for name in PLUGINS}
    trees = folded(
        {name: ast.parse(source.read_text()) for name, source in MODULES.items()}, list(scripts.values())
    )
    codes = {name: compiled(tree, MODULES[name]) for name, tree in trees.items()}
    with open(contents / "cniwire.modules", "wb") as file:

        def put(value: CodeType | dict[str, CodeType]) -> tuple[int, int]:
            """Write a value; its size and offset, as pread wants them."""
            data = marshal.dumps(value)
            file.write(data)
            return len(data), file.tell() - len(data)

        places = {name: put(code) for name, code in codes.items()}
        entries = {}
        for name in PLUGINS:
            together = {module: codes[module] for module in sorted(usual(name) & codes.keys()) if not apart}
            entries[name] = put({"": compiled(scripts[name], ROOT / "bin" / name), **together})
    (contents / "cniwire.boot").write_bytes(boot(places, entries, contents, apart))
    PLACES.parent.mkdir(exist_ok=True)
    PLACES.write_text(json.dumps(places))


def boot(
    places: dict[str, tuple[int, int]], entries: dict[str, tuple[int, int]], contents: Path, apart: bool
) -> bytes:
    """The marshalled code of boot.py, with the values that it declares as coming from here."""
    lent = {name: "" for name in BUILTIN if name in sys.builtin_module_names}
    for name in EXTENSIONS:
        found = next(contents.glob(f"python3*/lib-dynload/{name}.*"), None)
        if found:
            lent[name] = f"/{found.relative_to(contents)}"
    source = ROOT / "bundle" / "boot.py"
    told = ast.parse(f"PLACES, PLUGINS, LENT, APART = {places}, {entries}, {lent}, {apart}")
    tree = Lean().visit(ast.parse(source.read_text()))
    tree.body[1:1] = told.body
    ast.fix_missing_locations(tree)
    return marshal.dumps(compile(tree, "bundle/boot.py", "exec", dont_inherit=True, optimize=2))


def lacked(library: Path) -> list[str]:
    """The modules in a static library of Python that cannot be linked, for lack of code that they call.

    Debian's library lacks HACL*, which the hash modules call since Python 3.12.
    """
    command = ["nm", "-P", str(library)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    members = [[line.split()[:2] for line in part.splitlines()[1:]] for part in listed.split(f"{library}[")]
    defined = {name for symbols in members for name, kind in symbols if kind != "U"}
    found = []
    for symbols in members:
        if any(kind == "U" and "Hacl" in name and name not in defined for name, kind in symbols):
            found += [name for name, kind in symbols if kind == "T" and name.startswith("PyInit_")]
    return sorted(name.removeprefix("PyInit_") for name in found)


def link(target: Path, *further: str) -> None:
    """Compile interpreter.c against the static library of this Python, with *further* options.

    Raises CalledProcessError.
    """
    of = sysconfig.get_config_var
    library = Path(of("LIBPL"), of("LIBRARY"))
    libraries = ["-l:libexpat.a", "-l:libz.a", *of("LIBS").split(), *of("SYSLIBS").split()]
    told = f"-DLACKED={' '.join(f'LACKING({name})' for name in lacked(library))}"
    # -no-pie: at a fixed address nothing has to be relocated at the start, which costs a shared libpython a
    # millisecond or two.
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-no-pie", "-s", "-Wl,-O1", "-Wl,--export-dynamic"]
    options += ["-I", of("INCLUDEPY"), told, *further]
    source = str(ROOT / "bundle" / "interpreter.c")
    subprocess.run(["cc", *options, source, str(library), *libraries, "-o", str(target)], check=True)


def size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink())


def for_people(folder: Path) -> None:
    """Example configurations, and completion scripts as the launcher writes them.

    Raises CalledProcessError.
    """
    shutil.copytree(ROOT / "conf", folder / "share" / "conf")
    scripts = folder / "share" / "completion"
    scripts.mkdir()
    for shell, name in COMPLETION.items():
        with open(scripts / name, "w") as file:
            subprocess.run([folder / LAUNCHER, "completion", shell], stdout=file, check=True)


def is_small(folder: Path) -> bool:
    """Whether the bundle in *folder* is within the limits; prints its size."""
    contents = folder / "lib"
    extensions = contents.glob("python3*/lib-dynload/_json.*")
    plugin_part = size([folder / EXECUTABLE, *contents.glob("cniwire.*"), *extensions])
    whole = size(folder.rglob("*"))
    print(f"plugins {plugin_part / 1e6:.1f} MB, with the launcher {whole / 1e6:.1f} MB")
    return plugin_part <= PLUGIN_PART_MAX and whole <= BUNDLE_MAX


def replace(folder: Path, target: Path) -> None:
    """Rename *folder* to *target*, and remove what was there."""
    aside = folder.with_name("replaced")
    shutil.rmtree(aside, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        target.rename(aside)
    folder.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def main(folder: Path, target: Path) -> int:
    archive(folder / "lib")
    link(folder / EXECUTABLE)
    for name in LINKS:
        (folder / name).symlink_to(EXECUTABLE)
    for_people(folder)
    if not is_small(folder):
        print("the bundle has grown too large: what came in?", file=sys.stderr)
        return 1
    try:
        ask(folder)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    (folder / LAUNCHER).touch()  # younger than all that it is made of, for make
    replace(folder, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
