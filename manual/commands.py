"""docs/commands.md, from what `cniwire help` prints: python -m manual.commands > docs/commands.md."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from launcher import help as pages
from launcher.commands import COMMANDS, GROUPS
from launcher.failures import EXIT_CODES
from launcher.help import Described
from launcher.options import parser

HEAD = """\
# Commands

`cniwire` plays the container runtime for people. This page is what `cniwire help` and `cniwire help COMMAND`
print; `python -m manual.commands` writes it, and a test compares.

    cniwire [OPTION ...] COMMAND ...
"""
Rows = Sequence[tuple[str, str]]


@cache
def described() -> Mapping[str, Described]:
    """Every command, in the order of the overview."""
    top = parser()
    (commands,) = [action.choices for action in pages.arguments(top) if action.metavar == "COMMAND"]
    assert isinstance(commands, Mapping)
    return {name: pages.described(name, commands[name]) for group in GROUPS.values() for name in group}


def global_options() -> Rows:
    """Those that stand before or behind a command."""
    return pages.options_of(pages.arguments(parser()))


def exit_codes() -> tuple[Rows, str]:
    """Codes with their meaning, and the sentence behind them."""
    _, *lines, last = EXIT_CODES.splitlines()
    return [(code, text) for code, text in (line.split(maxsplit=1) for line in lines)], last.strip()


def cell(text: str, literal: bool = False) -> str:
    """A cell of a table, where a bar would begin the next one."""
    text = text.replace("|", "/" if literal else "or")
    return f"`{text}`" if literal else text.replace("<", "&lt;")


def table(head: str, rows: Rows) -> Iterator[str]:
    yield from (f"| {head} | |", "|---|---|")
    yield from [f"| {cell(name, literal=True)} | {cell(text)} |" for name, text in rows]
    yield ""


def page() -> Iterator[str]:
    """The lines of the page."""
    yield HEAD
    for title, commands in GROUPS.items():
        yield from (f"| {title} | | with Docker |", "|---|---|---|")
        for name, docker in commands.items():
            like = f"`{docker}`" if docker else ""
            yield f"| [{name}](#{name}) | {cell(COMMANDS[name][0])} | {like} |"
        yield ""
    yield from ("## Options of all commands", "", "They stand before or behind the command.", "")
    yield from table("option", global_options())
    codes, last = exit_codes()
    yield from ("## Exit codes", "", *table("code", codes), last[0].upper() + last[1:], "")
    for name, of in described().items():
        yield from (f"## {name}", "", of.sentence, "", f"    {of.usage}", "")
        if of.arguments:
            yield from table("argument", of.arguments)
        yield from table("option", of.options)
        yield from ("For example:", "", *[f"    {example}" for example in of.examples], "")


def text() -> str:
    """The page, with one line end at its end."""
    return "\n".join(page()).rstrip("\n") + "\n"


def main() -> None:
    sys.stdout.write(text())


if __name__ == "__main__":
    main()
