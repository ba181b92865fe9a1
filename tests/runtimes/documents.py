"""The configurations that docs/runtimes shows, for the tests to use: what is read there is what is tried.

A block of a page is known by the last thing in backquotes in the line above it:

    Copy this to `/etc/cni/net.d/10-cniwire.conflist`:

        {"cniVersion": ...
"""

import re
from pathlib import Path
from textwrap import dedent

PAGES = Path(__file__).resolve().parents[2] / "docs" / "runtimes"
BLOCK = re.compile(r"^.*`([^`\n]+)`[^`\n]*:\n\n((?: {4}.*\n|\n(?= {4}))+)", re.MULTILINE)


def blocks(page: str) -> dict[str, str]:
    """Return the blocks of docs/runtimes/*page*.md by name. Raises AssertionError if two bear one name."""
    found = BLOCK.findall((PAGES / f"{page}.md").read_text())
    named = {name: dedent(text) for name, text in found}
    assert len(named) == len(found), f"{page}.md: {[name for name, _ in found]}"
    return named


def place(page: str, name: str) -> Path:
    """Write the block *name*, which is an absolute path, where it says; return that path.

    In a lab only, and where the directory is the fake host's own. Raises KeyError.
    """
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(blocks(page)[name])
    return path
