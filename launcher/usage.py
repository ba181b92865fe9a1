"""Command lines that make no sense: said in one line, with a pointer to what would."""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from launcher.arguments import GLOBAL
from launcher.commands import COMMANDS
from launcher.failures import USAGE

# Words of Docker, `ip netns` and other runtimes, and the command that does the same here.
OTHER_WORDS = {
    **dict.fromkeys(("rm", "stop", "kill", "delete", "remove"), "down"),
    **dict.fromkeys(("create", "start", "add"), "up"),
    **dict.fromkeys(("list", "inspect", "topology"), "ls"),
    **dict.fromkeys(("disconnect", "del"), "detach"),
    "connect": "attach",
    "shell": "exec",
    "prune": "gc",
    "ready": "status",
}
STAYS = (
    "{0} stays in the foreground; `cniwire up NETWORK NAME` makes a container that stays, "
    "`cniwire exec NAME COMMAND &` runs in it"
)
AS_OTHER = "the command runs as you; `-- setpriv --reuid USER --clear-groups COMMAND` as somebody else"
ONLY_DOCKER = ("--hostname", "--entrypoint", "--restart", "--privileged", "-P", "--publish-all", "--link")
OTHER_FLAGS = {
    ("-d", "--detach"): STAYS,
    ("-v", "--volume", "--mount"): "a container here sees this machine's files, so nothing need be mounted",
    ("-e", "--env", "--env-file"): "the command has your environment; `-- env KEY=VALUE COMMAND` adds to it",
    ("-w", "--workdir"): "the command starts in this directory; `-- env -C DIRECTORY COMMAND` in another",
    ("-u", "--user"): AS_OTHER,
    ("--net", "--network"): "the network comes first: `cniwire {0} NETWORK`",
    ONLY_DOCKER: "Docker's; a container here is a network namespace",
}
REQUIRED = re.compile(r"the following arguments are required: (.*)")
CHOICE = re.compile(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
ARGUMENT = re.compile(r"argument (?:-\w/)?(\S+): (.*)", re.DOTALL)


def refuse(command: str, text: str, hint: str = "") -> NoReturn:
    """Say what is wrong with a command line, and end with code 2."""
    pointer = hint or f"`cniwire {command} --help` shows how it is used".replace("  ", " ")
    print(f"cniwire{' ' + command if command else ''}: {text}\n  → {pointer}", file=sys.stderr)
    sys.exit(USAGE)


def complaint(command: str, message: str) -> tuple[str, str, str]:
    """Command, text and hint for what argparse complains of."""
    required, choice, argument = [each.fullmatch(message) for each in (REQUIRED, CHOICE, ARGUMENT)]
    if required:
        missing = required[1].split(", ")
        return command, f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", ""
    if choice and choice[1] == "COMMAND":
        return command, f"there is no command {choice[2]!r}", nearest_command(choice[2])
    if choice:
        return command, f"want one of {choice[3]}, found {choice[2]}".replace("'", ""), ""
    if argument:
        return command, argument[2] if argument[2].startswith("-") else f"{argument[1]}: {argument[2]}", ""
    return command, message, ""


def nearest_command(word: str) -> str:
    """What somebody may have meant who typed *word* as a command."""
    meant = OTHER_WORDS.get(word) or closest(word, COMMANDS)
    return f"did you mean `cniwire {meant}`?" if meant else "`cniwire --help` shows the commands"


def misunderstood(
    options: argparse.Namespace, words: Sequence[str], rest: Sequence[str], has_dashes: bool
) -> tuple[str, str] | tuple[()]:
    """Text and hint where a part of the command line was not understood; () where all is well.

    words: the command line before any `--`. rest: those of them that the parser did not take.
    has_dashes: whether there is a `--`. `run` without one may have taken a command's words for its
    own options.
    """
    if getattr(options, "detach", False):
        return unknown_option(options.action, "-d")
    if options.action == "run":
        wrong = _unmarked_command(options, words, rest) if not has_dashes else ()
        if wrong:
            return wrong
    if not rest:
        return ()
    if rest[0].startswith("-"):
        return unknown_option(options.action, rest[0])
    return f"{rest[0]!r} is one word too many", ""


def _unmarked_command(
    options: argparse.Namespace, words: Sequence[str], rest: Sequence[str]
) -> tuple[str, str] | tuple[()]:
    """`run demo ls -la`: whose option is -la? A command of several words stands behind `--`."""
    command = list(options.command)
    if command and (not rest or command[0] in words[: words.index(rest[0])]):
        begin = len(words) - words[::-1].index(command[-1]) - len(command)
    elif rest and not rest[0].startswith("-"):
        begin = words.index(rest[0])
    else:
        return ()
    if not any(word.startswith("-") for word in words[begin:]) and not rest:
        return ()
    import shlex  # only where it is wrong

    corrected = f"cniwire {shlex.join(words[:begin])} -- {shlex.join(words[begin:])}"
    return "a command stands behind `--`", corrected


def unknown_option(command: str, word: str) -> tuple[str, str]:
    """Text and hint for an option that there is not."""
    flag = word.partition("=")[0]
    arguments = COMMANDS[command][1] if command else []
    known = [option for flags, _ in arguments for option in flags if option.startswith("--")]
    for flags, explained in OTHER_FLAGS.items():
        if flag in flags and command in ("run", "exec", "up", "attach", ""):
            return f"there is no option {flag}", explained.format(command or "run")
    close = closest(flag, [*known, *GLOBAL])
    return f"there is no option {flag}", f"did you mean {close}?" if close else ""


def closest(word: str, known: Iterable[str], alike: float = 0.6) -> str:
    """The one of *known* that is spelled most like *word*, "" when none is at least *alike* (1: the same)."""
    from difflib import get_close_matches  # only where something is misspelled

    return next(iter(get_close_matches(word, sorted(known), 1, alike)), "")
