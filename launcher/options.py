"""The command line: from words to options."""

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from launcher import usage
from launcher.arguments import seconds
from launcher.commands import COMMANDS

CONF_DIR, CACHE_DIR, TIMEOUT = "/etc/cni/net.d", "/var/lib/cni", 60.0


def parser() -> argparse.ArgumentParser:
    """The whole parser. Each command's options have `action` set to its name."""
    top = _Parser(prog="cniwire")
    top.add_argument("--version", action="store_true", help="show the version")
    _global_options(top)
    commands = top.add_subparsers(dest="action", metavar="COMMAND", parser_class=_Parser)
    for name, (text, arguments, _) in COMMANDS.items():
        sub = commands.add_parser(name, help=text)
        for flags, settings in arguments:
            sub.add_argument(*flags, **settings)
        _global_options(sub.add_argument_group("global options"), again=True)
    return top


class _Parser(argparse.ArgumentParser):
    """A parser whose help pages come from launcher.help and whose errors from launcher.usage."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=_formatter)

    def format_help(self) -> str:
        """The page of a command, or the overview."""
        from launcher import help as pages  # only where somebody asks

        return pages.page(self.prog.partition(" ")[2], self)

    def error(self, message: str) -> NoReturn:
        """One line and a pointer, on stderr. Exits with 2."""
        usage.refuse(*usage.complaint(self.prog.partition(" ")[2], message))


def _formatter(prog: str) -> argparse.HelpFormatter:
    """The formatter that argparse makes for every argument, to check its metavar.

    Given a width it does not ask for the terminal's, for which it would import shutil.
    """
    return argparse.HelpFormatter(prog, width=80)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of a command line; the command to run is what stands behind the first `--`.

    Exits with 2 where they make no sense.
    """
    before, behind = list(argv), None
    if "--" in before:
        cut = before.index("--")
        before, behind = before[:cut], before[cut + 1 :]
    options, rest = parser().parse_known_args(before)
    if options.version or not options.action:
        return _without_command(options, rest)
    if behind is not None and not hasattr(options, "command"):
        usage.refuse(options.action, f"{options.action} takes no command behind --")
    wrong = usage.misunderstood(options, before, rest, behind is not None)
    if wrong:
        usage.refuse(options.action, *wrong)
    if behind is not None:
        options.command = [*options.command, *behind]
    return options


def _without_command(options: argparse.Namespace, rest: Sequence[str]) -> argparse.Namespace:
    """--version, or nothing at all, which asks for the overview."""
    if rest:
        usage.refuse("", *usage.unknown_option("", rest[0]))
    options.action, options.topic = "version" if options.version else "help", ""
    return options


def _global_options(parser: Any, again: bool = False) -> None:
    """The options that stand before or behind the command.

    again: behind it. There they have no default, because it would replace what was given before the command.
    """

    def option(*flags: str, default: Any = None, **settings: Any) -> None:
        parser.add_argument(*flags, default=argparse.SUPPRESS if again else default, **settings)

    conf_dir = os.environ.get("NETCONFPATH") or CONF_DIR
    found = f"network configurations (default: $NETCONFPATH or {CONF_DIR})"
    option("--conf-dir", metavar="DIR", default=conf_dir, help=found)
    default = "$CNI_PATH, or those that came with cniwire and /opt/cni/bin"
    where = f"plugin executables, may be repeated (default: {default})"
    option("--plugin-dir", metavar="DIR", action="append", help=where)
    results = f"holds the result cache (default: {CACHE_DIR})"
    option("--cache-dir", metavar="DIR", default=CACHE_DIR, help=results)
    also = "another runtime's, read as well: Multus keeps its own in /var/lib/cni/multus; may be repeated"
    option("--read-cache", metavar="DIR", action="append", default=[], help=also)
    time = f"for one verb over all plugins (default: {TIMEOUT:g})"
    option("--timeout", metavar="SECONDS", type=seconds, default=TIMEOUT, help=time)
    option("--wide", action="store_true", default=False, help="show long container IDs whole")
    option("--json", action="store_true", default=False, help="print one JSON document for programs")
    calls = "show every call of a plugin: variables, input, output, time"
    option("--verbose", action="store_true", default=False, help=calls)
