"""Which test covers which item of the conformance checklist.

`python -m tests.checklist` reads the numbers in the tests' docstrings: `B-12`, `B-12 B-14`, or a range
`H-30..H-33`. It ends with 1 if an item has neither a test nor a reason in REASONS, if an item with a reason
has a test all the same, or if a docstring names an item that there is not.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
# Entry point and specification, runtime, bridge, host-local, portmap, loopback, static, tuning, bandwidth,
# firewall.
LAST = {
    "S": 107,
    "R": 25,
    "B": 71,
    "H": 61,
    "P": 50,
    "L": 3,
    "N": 1,
    "T": 15,
    "W": 11,
    "F": 7,
}
NUMBER = re.compile(rf"\b([{''.join(LAST)}])-(\d+)(?:\s?\.\.\s?(?:\1-)?(\d+))?")
REASONS = {
    "B-69": "about a helper that reads nft's JSON; ours writes map elements over netlink,"
    " and B-35 and B-45 cover failure and removal",
}


def key(item: str) -> tuple[int, int]:
    letter, number = item.split("-")
    return list(LAST).index(letter), int(number)


def items(docstring: str) -> Iterator[str]:
    for letter, first, last in NUMBER.findall(docstring):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letter}-{number}"


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """(test, docstring) for the module, each class and each test in *path*.

    The first two speak for all tests in them.
    """
    tree = ast.parse(path.read_text())
    name = str(path.relative_to(TESTS))
    yield name, ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) or (
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ):
            yield f"{name}::{node.name}", ast.get_docstring(node) or ""


def golden(folder: Path) -> Iterator[tuple[str, str]]:
    """A golden case may say what it covers in a file `about`."""
    for path in sorted(folder.rglob("about")):
        yield str(path.parent.relative_to(TESTS)), path.read_text()


def coverage() -> dict[str, list[str]]:
    """The tests of each item."""
    tests: dict[str, list[str]] = {
        f"{letter}-{number}": [] for letter, last in LAST.items() for number in range(1, last + 1)
    }
    sources = [
        *(entry for path in sorted(TESTS.rglob("test_*.py")) for entry in documented(path)),
        *golden(TESTS),
    ]
    for test, docstring in sources:
        for item in items(docstring):
            tests.setdefault(item, []).append(test)
    return tests


def main() -> int:
    tests = coverage()
    last = {f"{letter}-{number}" for letter, number in LAST.items()}
    unknown = [item for item in tests if key(item)[1] > LAST[item[0]] or key(item)[1] == 0]
    for item in sorted(tests, key=key):
        for number, test in enumerate(tests[item] or [f"-- {REASONS.get(item, 'no test, and no reason')}"]):
            print(f"{item if number == 0 else '':6} {test}")
        if item in last:
            print()
    uncovered = [item for item, found in tests.items() if not found]
    faults = {
        "no test and no reason": [item for item in uncovered if item not in REASONS],
        "a reason, and yet a test": [item for item in REASONS if tests.get(item)],
        "no such item": unknown,
    }
    print(f"{len(tests)} items: {len(tests) - len(uncovered)} with a test, {len(uncovered)} without")
    for fault, found in faults.items():
        if found:
            print(f"{fault}: {' '.join(sorted(found, key=key))}")
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
