"""Completion scripts for bash, zsh and fish, made from the parser so that they cannot disagree with it.

A script asks cniwire itself for the names that exist (`cniwire completion networks`, `containers`) and puts
the answer into words that the shell expands. So only names without characters that a shell interprets
are printed.
"""

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass

from launcher import conflist, identifiers, netns
from launcher.cache import Cache
from launcher.commands import COMMANDS
from launcher.conflist import Network
from launcher.failures import ConfigFailure, Failure

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NETWORKS, CONTAINERS, COMMAND, FOLDER, NOTHING = "networks", "containers", "command", "folder", ""
# What an argument takes, by its name in the parser; one with choices is completed from them.
KINDS = {
    "network": NETWORKS,
    "networks": NETWORKS,
    "name": NETWORKS,
    "target": CONTAINERS,
    "names": CONTAINERS,
    "command": COMMAND,
}
FOLDERS = ("conf_dir", "plugin_dir", "cache_dir", "read_cache", "bin_dir", "prefix", "source")
NEW_NAMES = ("up",)  # whose names are of containers that are not there yet


@dataclass(frozen=True)
class Slot:
    """What may stand at one place of a command line.

    kind: names of existing things. words: further words. repeats: the same may stand at all places behind it.
    """

    kind: str
    words: tuple[str, ...] = ()
    repeats: bool = False


def names(kind: str, conf_dir: str, caches: Iterable[str]) -> list[str]:
    """Names of the networks or containers that exist; what cannot be read is skipped."""
    found: set[str] = set()
    try:
        if kind == NETWORKS:
            found = {str(conflist.built_in().name)}
            found |= {each.name for _, each in conflist.load_all(conf_dir) if isinstance(each, Network)}
        else:
            found = set(netns.names())
            cached = [cached.request.container_id for cached in Cache(*caches).attachments()]
            found |= set(identifiers.shortened(cached).values())
    except (ConfigFailure, Failure):
        pass
    return sorted(name for name in found if PLAIN.fullmatch(name))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script for *shell*."""
    from launcher import completion_fish, completion_scripts  # what only a script needs

    writers = {"bash": completion_scripts.bash, "zsh": completion_scripts.zsh, "fish": completion_fish.fish}
    return writers[shell](commands(parser))


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, list[argparse.Action]]]:
    """Help text and arguments of each command."""
    sub = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    texts = {action.dest: action.help or "" for action in sub._choices_actions}
    return {name: (texts[name], arguments(choice)) for name, choice in sub.choices.items()}


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser, without hidden ones."""
    return [action for action in parser._actions if action.help != argparse.SUPPRESS]


def flags(actions: list[argparse.Action]) -> list[str]:
    """All option strings, long ones first."""
    found = [flag for action in actions for flag in action.option_strings]
    return sorted(found, key=lambda flag: (len(flag) == 2, flag))


def valued(actions: Iterable[argparse.Action]) -> dict[str, str]:
    """The option strings that a value follows, each with its kind."""
    return {
        flag: FOLDER if action.dest in FOLDERS else NETWORKS if action.dest == "network" else NOTHING
        for action in actions
        if action.nargs != 0
        for flag in action.option_strings
    }


def slots(command: str, actions: list[argparse.Action]) -> list[Slot]:
    """What may stand at the first place of the command, the second, and so on."""
    found = []
    for action in [action for action in actions if not action.option_strings]:
        kind = NOTHING if command in NEW_NAMES and action.dest == "names" else KINDS.get(action.dest, NOTHING)
        words = tuple(map(str, action.choices or ()))
        if action.dest == "topic":
            words = tuple(COMMANDS)
        if command == "detach" and kind == NETWORKS:
            words = ("all",)
        found.append(Slot(kind, words, action.nargs in ("*", "+", argparse.REMAINDER)))
    return found
