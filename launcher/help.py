"""The pages of `cniwire --help` and `cniwire COMMAND --help`, as wide as the terminal."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable

from launcher.commands import COMMANDS, GROUPS
from launcher.failures import EXIT_CODES

WIDEST, NARROW = (
    100,
    50,
)  # columns: lines are not longer than the one; below the other, the right column goes below the left
INTRODUCTION = """\
The networking of containers without a container engine: cniwire calls CNI plugins, as Kubernetes and Podman do, and they give a network namespace \
its interface, addresses, routes and published ports.

A container here is a network namespace with a name. There are no images: a command in it sees this machine's files and processes, \
and a network of its own.

A network is a file in /etc/cni/net.d that names its plugins. One called demo is always there. \
Whatever wires needs root: use sudo, or try everything in `cniwire lab`, a private machine within this one that needs no root and touches nothing."""
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


def page(command: str, parser: argparse.ArgumentParser) -> str:
    """The page of a command, or the overview for ""."""
    parts = _command(command, parser) if command else _overview(parser)
    return "\n".join(parts) + "\n"


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser, in order, hidden ones included."""
    return list(parser._actions)


def _overview(parser: argparse.ArgumentParser) -> list[str]:
    parts = [
        *_wrapped("cniwire wires network namespaces with CNI plugins."),
        "",
        _title("usage"),
        *_rows([("cniwire [OPTION ...] COMMAND ...", "")]),
        "",
    ]
    for paragraph in INTRODUCTION.split("\n\n"):
        parts += [*_wrapped(paragraph), ""]
    parts += [_title("examples"), *_rows(EXAMPLES, 38), ""]
    for title, commands in GROUPS.items():
        rows = [
            (name, COMMANDS[name][0] + (f" ({docker})" if docker else ""))
            for name, docker in commands.items()
        ]
        parts += [_title(title), *_rows(rows, 12), ""]
    parts += [
        _title("options"),
        *_rows(_options(arguments(parser)), 24),
        "",
        *_wrapped("They stand before or behind the command."),
        "",
    ]
    return [
        *parts,
        *_exit_codes(),
        "",
        *_wrapped("`cniwire help COMMAND` shows the options and examples of a command."),
    ]


def _exit_codes() -> list[str]:
    title, *lines = EXIT_CODES.splitlines()
    rows = [tuple(line.split(maxsplit=1)) for line in lines[:-1]]
    return [
        _title(title.rstrip(":")),
        *_rows([(code, text) for code, text in rows], 8),
        *_wrapped("  " + lines[-1].strip()),
    ]


def _command(command: str, parser: argparse.ArgumentParser) -> list[str]:
    text, taken, examples = COMMANDS[command]
    own = arguments(parser)[: len(taken) + 1]  # with --help; the global ones come behind
    positional = [action for action in own if not action.option_strings]
    words = " ".join(
        [
            "cniwire",
            command,
            *(["[OPTION ...]"] if len(positional) < len(own) else []),
            *map(_spelled, positional),
        ]
    )
    parts = [*_wrapped(text[0].upper() + text[1:] + "."), "", _title("usage"), *_rows([(words, "")]), ""]
    if positional:
        parts += [
            _title("arguments"),
            *_rows([(str(action.metavar or action.dest), _help(action)) for action in positional], 24),
            "",
        ]
    parts += [
        _title("options"),
        *_rows(_options(own), 24),
        "",
        *_wrapped("The options of `cniwire --help` may stand here as well."),
        "",
    ]
    return [*parts, _title("examples"), *_rows([(example, "") for example in examples])]


def _spelled(action: argparse.Action) -> str:
    """`NAME ...`, `[NETWORK ...]`, `[-- COMMAND ...]`."""
    name = str(action.metavar or "|".join(map(str, action.choices or [action.dest])))
    return {
        "+": f"{name} ...",
        "*": f"[{name} ...]",
        "?": f"[{name}]",
        argparse.REMAINDER: f"[{name} ...]",
    }.get(str(action.nargs or ""), name)


def _options(actions: Iterable[argparse.Action]) -> list[tuple[str, str]]:
    """Spelling and help of each option."""
    shown = [action for action in actions if action.option_strings and action.help != argparse.SUPPRESS]
    return [
        (", ".join(action.option_strings) + (f" {action.metavar}" if action.metavar else ""), _help(action))
        for action in shown
    ]


def _help(action: argparse.Action) -> str:
    return "show this page" if "--help" in action.option_strings else (action.help or "").replace("%%", "%")


def _title(text: str) -> str:
    """A heading: bold at a terminal."""
    shown = "\n".join(_wrapped(f"{text}:"))
    return f"\x1b[1m{shown}\x1b[0m" if _at_terminal() and not os.environ.get("NO_COLOR") else shown


def _at_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _width() -> int:
    """Columns for a line; one that nobody sees at a terminal is as long as the widest."""
    return max(8, min(WIDEST, _columns())) if _at_terminal() else WIDEST


def _columns() -> int:
    """As shutil has it, whose import costs more than the page."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"][:6])
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _width(), break_on_hyphens=False, subsequent_indent="  " if text.startswith(" ") else ""
    )


def _rows(rows: Iterable[tuple[str, str]], column: int = 0) -> list[str]:
    """Two columns, the right one wrapped, from *column* on; a left part that is too long has a line of its own."""
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
            lines += textwrap.wrap(
                right, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False
            )
    return lines
