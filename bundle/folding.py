"""Constants of the plugins' modules, put where they are used, as compilers of other languages do.

A constant is a name in capitals that a module assigns once, at its top level, a number, a text or a tuple of
them. In the source it says what a number is; a plugin that starts for ten milliseconds need not load the
names of two hundred. Folded are uses in the own module, imported names, and attributes of an imported module.
A constant that is then used nowhere is left out.
"""

import ast
import operator
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")
OPERATORS: dict[type, Any] = {
    ast.LShift: operator.lshift,
    ast.BitOr: operator.or_,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
Values = dict[str, Any]


class Unknown(Exception):
    """The value of an expression is known at run time only."""


def value(node: ast.expr, known: Values) -> Any:
    """What an expression of constants comes to. Raises Unknown."""
    match node:
        case ast.Constant(value=int() | str() | bytes() as found) if not isinstance(found, bool):
            return found
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Tuple(elts=members):
            return tuple([value(each, known) for each in members])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand, known)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value(left, known), value(right, known))
        case ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]):
            return tuple(range(*[value(each, known) for each in bounds]))
    raise Unknown


def assigned(statement: ast.stmt) -> Iterator[tuple[ast.Name, ast.expr | int]]:
    """The names that a statement assigns, each with its value, or with its place in a value of many."""
    match statement:
        case ast.Assign(targets=[ast.Name() as name], value=found):
            yield name, found
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=found)) if len(names) == len(
            found
        ):
            yield from ((name, each) for name, each in zip(names, found) if isinstance(name, ast.Name))
        case ast.Assign(targets=[ast.Tuple(elts=names)]):
            yield from ((name, place) for place, name in enumerate(names) if isinstance(name, ast.Name))


def constants(tree: ast.Module) -> Values:
    """The constants of a module."""
    stored = Counter(
        each.id
        for each in ast.walk(tree)
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    )
    stored.update(each.arg for each in ast.walk(tree) if isinstance(each, ast.arg))
    known: Values = {}
    for statement in tree.body:
        for name, found in assigned(statement):
            if not NAME.fullmatch(name.id) or stored[name.id] != 1 or not isinstance(statement, ast.Assign):
                continue
            try:
                at = value(statement.value, known)[found] if isinstance(found, int) else value(found, known)
            except (Unknown, IndexError, TypeError):
                continue
            known[name.id] = at
    return known


class Folding(ast.NodeTransformer):
    """Put the values of constants into one module."""

    def __init__(self, tree: ast.Module, module: str, known: dict[str, Values]) -> None:
        self.known = known
        self.local: Values = dict(known[module])
        self.modules: dict[str, str] = {}
        bound = Counter(each.arg for each in ast.walk(tree) if isinstance(each, ast.arg))
        bound.update(
            each.id
            for each in ast.walk(tree)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        )
        for taken in [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]:
            there = known.get(taken.module or "", {})
            for alias in taken.names:
                name, whole = alias.asname or alias.name, f"{taken.module}.{alias.name}"
                if whole in known and not bound[name]:
                    self.modules[name] = whole
                elif alias.name in there and not bound[name]:
                    self.local[name] = there[alias.name]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        wanted = [each for each in node.names if (each.asname or each.name) not in self.local]
        if node.module not in self.known or len(wanted) == len(node.names):
            return node
        return (
            ast.copy_location(ast.ImportFrom(node.module, wanted, node.level), node) if wanted else ast.Pass()
        )

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self.local:
            return ast.copy_location(ast.Constant(self.local[node.id]), node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        module = self.modules.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
        if isinstance(node.ctx, ast.Load) and node.attr in self.known.get(module, {}):
            return ast.copy_location(ast.Constant(self.known[module][node.attr]), node)
        return self.generic_visit(node)


def used(tree: ast.Module) -> set[str]:
    """Every name that a module may ask another one, or itself, for."""
    names = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    names |= {
        each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }
    names |= {
        alias.name for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) for alias in each.names
    }
    return names | {
        each.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def without(tree: ast.Module, constants: Values, wanted: set[str]) -> ast.Module:
    """A module without the constants that nobody wants."""
    body: list[ast.stmt] = []
    for statement in tree.body:
        names = [name.id for name, _ in assigned(statement)]
        if names and all(name in constants and name not in wanted for name in names):
            continue
        body.append(statement)
    return ast.Module(body, tree.type_ignores)


def folded(trees: dict[str, ast.Module], others: list[ast.Module]) -> dict[str, ast.Module]:
    """The modules with their constants in place. others: further code that may ask for names."""
    known = {module: constants(tree) for module, tree in trees.items()}
    done = {module: Folding(tree, module, known).visit(tree) for module, tree in trees.items()}
    wanted = {name for tree in (*done.values(), *others) for name in used(tree)}
    return {module: without(tree, known[module], wanted) for module, tree in done.items()}
