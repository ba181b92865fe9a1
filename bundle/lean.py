"""What the bundles make of a module: lean code, and boot.py, which finds it again.

Sources are compiled without what only readers and type checkers need: docstrings, annotations of functions,
TYPE_CHECKING blocks. That halves what every start has to read. Imports of our own modules become look-ups
in a dictionary. What comes out is for the Python that runs this: bytecode and marshalled data of another
version may differ. So `make dist` runs it with the interpreter that it has just built, which has few modules;
none but those below may be imported here.
"""

import ast
import marshal
import re
from pathlib import Path
from types import CodeType
from typing import IO

from bundle.folding import folded

ROOT = Path(__file__).resolve().parents[1]
HOT = [path for folder in ("core", "plugins", "ipam") for path in sorted((ROOT / folder).rglob("*.py"))]
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in HOT]
MODULES = dict(zip(NAMES, HOT))
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}
BUDGET = ROOT / "tests" / "quality" / "import_budget.txt"
Place = tuple[int, int]  # size and offset, as pread wants them
Places = dict[str, Place]


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


def suite(plugins: tuple[str, ...]) -> tuple[dict[str, CodeType], dict[str, CodeType]]:
    """The code of all modules by name, and that of the plugins' entry scripts."""
    scripts = {name: ast.parse((ROOT / "bin" / name).read_text()) for name in plugins}
    trees = folded(
        {name: ast.parse(source.read_text()) for name, source in MODULES.items()}, list(scripts.values())
    )
    codes = {name: compiled(tree, MODULES[name]) for name, tree in trees.items()}
    return codes, {name: compiled(script, ROOT / "bin" / name) for name, script in scripts.items()}


def written(file: IO[bytes], plugins: tuple[str, ...], apart: bool = False) -> tuple[Places, Places]:
    """Marshal all modules into *file*; the place of each, and of what each plugin usually loads.

    apart: each module is read by a system call of its own, for tests.bench.profile.
    """
    codes, scripts = suite(plugins)

    def put(value: CodeType | dict[str, CodeType]) -> Place:
        data = marshal.dumps(value)
        file.write(data)
        return len(data), file.tell() - len(data)

    places = {name: put(code) for name, code in codes.items()}
    entries = {}
    for name in plugins:
        together = {module: codes[module] for module in sorted(usual(name) & codes.keys()) if not apart}
        entries[name] = put({"": scripts[name], **together})
    return places, entries


def boot(
    places: Places, entries: Places, lent: dict[str, str], apart: bool = False, standard: tuple[str, ...] = ()
) -> bytes:
    """The marshalled code of boot.py, with the values that it declares as coming from here."""
    values = {"PLACES": places, "PLUGINS": entries, "LENT": lent, "APART": apart, "STANDARD": standard}
    told = ast.parse("\n".join([f"{name} = {value}" for name, value in values.items()]))
    tree = Lean().visit(ast.parse((ROOT / "bundle" / "boot.py").read_text()))
    tree.body[1:1] = told.body
    ast.fix_missing_locations(tree)
    return marshal.dumps(compile(tree, "bundle/boot.py", "exec", dont_inherit=True, optimize=2))
