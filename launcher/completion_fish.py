"""The script for fish, which takes one `complete` line for each thing that may stand somewhere."""

import argparse

from launcher.completion import COMMAND, CONTAINERS, FOLDER, NETWORKS, Slot, slots, valued
from launcher.completion_scripts import Table, all_actions, places


def fish(table: Table) -> str:
    """One `complete` line per command, option and place; a function tells where on the line we are."""
    common = _fish_options(table["help"][1])  # the command help has only the options that all have
    takes = " ".join(valued(all_actions(table)))
    lines = [
        f"""\
function __cniwire_at
    set -l words (commandline -opc)[2..]
    set -l command ''
    set -l position 0
    while set -q words[1]
        switch $words[1]
            case --
                set position behind
                break
            case {takes}
                set -e words[1]
            case '-*'
            case '*'
                if test -z "$command"
                    set command $words[1]
                else
                    set position (math $position + 1)
                end
        end
        set -e words[1]
    end
    test "$command" = "$argv[1]"; and contains -- $position $argv[2..]
end
function __cniwire_networks
    set -l prefix (string match -r '^.*,' -- (commandline -ct))
    for name in (cniwire completion networks 2>/dev/null)
        echo -- "$prefix$name"
    end
end
complete -c cniwire -f""",
        *[f"complete -c cniwire {option}" for option in common],
    ]
    for name, (text, _) in table.items():
        lines.append(f"complete -c cniwire -n '__cniwire_at \"\" 0' -a {name} -d {_fish_quoted(text)}")
    for name, (_, actions) in table.items():
        own = [option for option in _fish_options(actions) if option not in common]
        lines += [f"complete -c cniwire -n '__fish_seen_subcommand_from {name}' {option}" for option in own]
    for where, slot in places(table):
        name, _, position = where.partition(":")
        if position == "*":
            behind = ["behind"] if slot.kind == COMMAND else []
            position = " ".join([*map(str, range(_first(table, name), 10)), *behind])
        for offer in _fish_offers(slot):
            lines.append(f"complete -c cniwire -n '__cniwire_at {name} {position}' {offer}")
    return "\n".join(lines)


def _fish_options(actions: list[argparse.Action]) -> list[str]:
    """What fish is told of each option: spelling, what its value may be, help."""
    told = []
    for action in [action for action in actions if action.option_strings]:
        flags = [("-s" if len(flag) == 2 else "-l", flag.lstrip("-")) for flag in action.option_strings]
        spelled = " ".join(f"{kind} {name}" for kind, name in flags)
        kind = valued([action]).get(action.option_strings[0])
        value = {
            FOLDER: " -x -a '(__fish_complete_directories)'",
            NETWORKS: " -x -a '(cniwire completion networks 2>/dev/null)'",
            None: "",
        }
        told.append(f"{spelled}{value.get(kind, ' -x')} -d {_fish_quoted(action.help or '')}")
    return told


def _fish_offers(slot: Slot) -> list[str]:
    offers = [f"-a {_fish_quoted(' '.join(slot.words))}"] if slot.words else []
    if slot.kind == CONTAINERS:
        offers.append("-a '(cniwire completion containers 2>/dev/null)'")
    if slot.kind == NETWORKS:
        offers += ["-a '(__cniwire_networks)'", "-a '(__fish_complete_suffix .conflist)'"]
    if slot.kind == COMMAND:
        offers.append("-a '(__fish_complete_command)'")
    return offers


def _first(table: Table, name: str) -> int:
    """The number of the first place whose content may repeat."""
    return next(position for position, slot in enumerate(slots(name, table[name][1])) if slot.repeats)


def _fish_quoted(text: str) -> str:
    """*text* in single quotes of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
