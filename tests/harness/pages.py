"""What the pages of docs/ show: tables and blocks by section, which tests read and run as they stand."""

import re
from pathlib import Path
from textwrap import dedent

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECTION = re.compile(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^(.+?):?\n\n((?: {4}.*\n|\n(?= {4}))+)", re.MULTILINE)
# What is told of a block that shows what was printed, and not what is typed.
SHOWN = re.compile(r"\bprints?\b|^It fails|^Nothing is left")


def sections(page: str) -> dict[str, str]:
    """The text of each section of docs/*page*.md, by title."""
    return dict(SECTION.findall((DOCS / f"{page}.md").read_text()))


def rows(section: str) -> list[list[str]]:
    """The cells of each row of the tables in a section, without heads."""
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        row for row, line in zip(cells, lines) if not line.startswith(("| key |", "| code |", "| name |"))
    ]


def blocks(section: str) -> dict[str, str]:
    """The indented blocks of a section, by the line in front, without its colon."""
    return {title: dedent(text) for title, text in BLOCK.findall(section)}


def in_order(page: str) -> list[tuple[str, str]]:
    """The indented blocks of docs/*page*.md, each with the line in front of it, without its colon."""
    text = (DOCS / f"{page}.md").read_text()
    return [(title, dedent(block)) for title, block in BLOCK.findall(text)]


def is_shown(title: str) -> bool:
    """Whether a block behind that line is what commands print, and no command."""
    return bool(SHOWN.search(title))
