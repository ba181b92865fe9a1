"""The pages of `cniwire --help` and `cniwire COMMAND --help`, as wide as the terminal."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from launcher.commands import COMMANDS, GROUPS
from launcher.failures import EXIT_CODES

WIDEST = 100  # columns of a line
NARROW = 50  # columns of a terminal below which the right column stands below the left one
INTRODUCTION = """\
The networking of containers without a container engine: cniwire calls CNI plugins, as Kubernetes and Podman \
do, and they give a network namespace its interface, addresses, routes and published ports.

A container here is a network namespace with a name. There are no images: a command in it sees this \
machine's files and processes, and a network of its own.

A network is a file in /etc/cni/net.d that names its plugins. One called demo is always there. Whatever \
wires needs root: use sudo, or try everything in `cniwire lab`, a private machine within this one that \
needs no root and touches nothing."""
EXAMPLES = (
    ("cniwire lab", "a shell in a private fake host, to try all of this in"),
    ("cniwire run demo -- ip address", "a command in a new container"),
    ("cniwire run demo -p 8080:80 -- python3 -m http.server 80", "with a published port"),
    ("cniwire up demo web db", "two containers that stay"),
    ("cniwire exec web ping -c 1 10.77.0.3", "a command in one of them"),
    ("cniwire ls", "who is wired, as a table and a drawing"),
    ("cniwire attach demo 4711", "wire the namespace of process 4711"),
    ("cniwire down web db", "take both down"),
)


class Described(NamedTuple):
    """A command as its pages tell it: names with their texts, and command lines."""

    sentence: str
    usage: str
    arguments: list[tuple[str, str]]
    options: list[tuple[str, str]]
    examples: list[str]


def page(command: str, parser: argparse.ArgumentParser) -> str:
    """The page of a command, or the overview for ""."""
    parts = _command(command, parser) if command else _overview(parser)
    return "\n".join(parts) + "\n"


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser, in order, hidden ones included."""
    return list(parser._actions)


def _overview(parser: argparse.ArgumentParser) -> list[str]:
    parts = [*_wrapped("cniwire wires network namespaces with CNI plugins."), ""]
    parts += [_title("usage"), *_rows([("cniwire [OPTION ...] COMMAND ...", "")]), ""]
    for paragraph in INTRODUCTION.split("\n\n"):
        parts += [*_wrapped(paragraph), ""]
    parts += [_title("examples"), *_rows(EXAMPLES, 38), ""]
    for title, commands in GROUPS.items():
        likened = {name: f" ({docker})" if docker else "" for name, docker in commands.items()}
        rows = [(name, COMMANDS[name][0] + like) for name, like in likened.items()]
        parts += [_title(title), *_rows(rows, 12), ""]
    parts += [_title("options"), *_rows(options_of(arguments(parser)), 24), ""]
    parts += [*_wrapped("They stand before or behind the command."), ""]
    last = "`cniwire help COMMAND` shows the options and examples of a command."
    return [*parts, *_exit_codes(), "", *_wrapped(last)]


def _exit_codes() -> list[str]:
    title, *lines = EXIT_CODES.splitlines()
    rows = [tuple(line.split(maxsplit=1)) for line in lines[:-1]]
    table = _rows([(code, text) for code, text in rows], 8)
    return [_title(title.rstrip(":")), *table, *_wrapped("  " + lines[-1].strip())]


def described(command: str, parser: argparse.ArgumentParser) -> Described:
    """What there is to say of a command; *parser* is its own."""
    text, taken, examples = COMMANDS[command]
    own = arguments(parser)[: len(taken) + 1]  # with --help; the global options come behind
    positional = [action for action in own if not action.option_strings]
    options = ["[OPTION ...]"] if len(positional) < len(own) else []
    words = " ".join(["cniwire", command, *options, *map(_spelled, positional)])
    rows = [(str(action.metavar or action.dest), _help(action)) for action in positional]
    return Described(text[0].upper() + text[1:] + ".", words, rows, options_of(own), examples)


def _command(command: str, parser: argparse.ArgumentParser) -> list[str]:
    of = described(command, parser)
    parts = [*_wrapped(of.sentence), "", _title("usage"), *_rows([(of.usage, "")]), ""]
    if of.arguments:
        parts += [_title("arguments"), *_rows(of.arguments, 24), ""]
    parts += [_title("options"), *_rows(of.options, 24), ""]
    parts += [*_wrapped("The options of `cniwire --help` may stand here as well."), ""]
    return [*parts, _title("examples"), *_rows([(example, "") for example in of.examples])]


def _spelled(action: argparse.Action) -> str:
    """`NAME ...`, `[NETWORK ...]`, `[-- COMMAND ...]`."""
    name = str(action.metavar or "|".join(map(str, action.choices or [action.dest])))
    many = f"[{name} ...]"
    forms = {"+": f"{name} ...", "*": many, argparse.REMAINDER: many, "?": f"[{name}]"}
    return forms.get(str(action.nargs or ""), name)


def options_of(actions: Iterable[argparse.Action]) -> list[tuple[str, str]]:
    """Spelling and help of each option."""
    found = []
    for action in actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            value = f" {action.metavar}" if action.metavar else ""
            found.append((", ".join(action.option_strings) + value, _help(action)))
    return found


def _help(action: argparse.Action) -> str:
    return "show this page" if "--help" in action.option_strings else (action.help or "").replace("%%", "%")


def _title(text: str) -> str:
    """A heading: bold at a terminal."""
    shown = "\n".join(_wrapped(f"{text}:"))
    return f"\x1b[1m{shown}\x1b[0m" if _at_terminal() and not os.environ.get("NO_COLOR") else shown


def _at_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _width() -> int:
    """Columns of a line: those of the terminal, at most WIDEST; WIDEST where there is none."""
    return max(8, min(WIDEST, _columns())) if _at_terminal() else WIDEST


def _columns() -> int:
    """The terminal's columns, as shutil finds them; importing it costs more than the page."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"][:6])
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _wrapped(text: str) -> list[str]:
    indent = "  " if text.startswith(" ") else ""
    return textwrap.wrap(text, _width(), break_on_hyphens=False, subsequent_indent=indent)


def _rows(rows: Iterable[tuple[str, str]], column: int = 0) -> list[str]:
    """Two columns; the right one begins at *column* and is wrapped.

    A left part that is too long stands on a line of its own.
    """
    lines, width = [], _width()
    narrow = width < NARROW
    for left, right in rows:
        indent = " " * (6 if narrow else column + 2)
        fits = not narrow and len(left) < column
        head = f"  {left:<{column}}" if fits and right else f"  {left}"
        if not (fits and right):
            lines += textwrap.wrap(head, width, subsequent_indent="    ", break_on_hyphens=False)
            head = indent
        if right:
            wrapper = textwrap.TextWrapper(width, head, indent, break_on_hyphens=False)
            lines += wrapper.wrap(right)
    return lines
