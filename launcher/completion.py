"""Completion scripts for bash, zsh and fish, made from the parser so that they cannot disagree with it."""

import argparse

# Positional arguments that name things which exist: a shell command that lists them.
NAMESPACES = "ls /run/netns 2>/dev/null"
NETWORKS = (
    'sed -n \'s/^[[:space:]]*"name"[[:space:]]*:[[:space:]]*"\\([^"]*\\)".*/\\1/p\' "${NETCONFPATH:-/etc/cni/net.d}"/*.conf* </dev/null 2>/dev/null'
)
SOURCES = {"network": NETWORKS, "networks": NETWORKS, "target": NAMESPACES, "names": NAMESPACES}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script for *shell*: commands, their options, and names of networks and namespaces."""
    return {"bash": bash, "zsh": zsh, "fish": fish}[shell](commands(parser))


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, list[argparse.Action]]]:
    """Help text and arguments of each command."""
    sub = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    texts = {action.dest: action.help or "" for action in sub._choices_actions}
    return {name: (texts[name], arguments(choice)) for name, choice in sub.choices.items()}


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser."""
    return [action for action in parser._actions if action.help != argparse.SUPPRESS]


def flags(actions: list[argparse.Action]) -> list[str]:
    """All option strings, long ones first."""
    return sorted((flag for action in actions for flag in action.option_strings), key=lambda flag: (len(flag) == 2, flag))


def sources(actions: list[argparse.Action]) -> list[str]:
    """Words and shell commands that give the values of the positional arguments."""
    found = [f"$({SOURCES[action.dest]})" for action in actions if action.dest in SOURCES]
    return found + [" ".join(map(str, action.choices)) for action in actions if action.choices and not action.option_strings]


def bash(table: dict[str, tuple[str, list[argparse.Action]]]) -> str:
    """A function and its registration; everything behind `--` is completed as a command line of its own."""
    cases = "\n".join(f'        {name}) words="{" ".join([*flags(actions), *sources(actions)])}" ;;' for name, (_, actions) in table.items())
    return f"""\
_cniwire() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" command="" words="" index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "${{COMP_WORDS[index]}}" in
        --) _command_offset $((index + 1)) 2>/dev/null; return ;;
        {"|".join(table)}) [ -n "$command" ] || command="${{COMP_WORDS[index]}}" ;;
        esac
    done
    case "${{COMP_WORDS[COMP_CWORD - 1]}}" in
    --conf-dir | --plugin-dir | --cache-dir | --read-cache) COMPREPLY=($(compgen -d -- "$word")); return ;;
    esac
    case "$command" in
        "") words="{" ".join(table)} --help" ;;
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    case "$word" in */*) COMPREPLY+=($(compgen -f -- "$word")) ;; esac
}}
complete -F _cniwire cniwire"""


def zsh(table: dict[str, tuple[str, list[argparse.Action]]]) -> str:
    """The bash function through zsh's own emulation layer, with the commands described."""
    described = "\n".join(f"        {_quoted(name + ':' + text)}" for name, (text, _) in table.items())
    cases = "\n".join(
        f"        {name}) compadd -- {' '.join(flags(actions))} {' '.join(sources(actions))} ;;" for name, (_, actions) in table.items()
    )
    return f"""\
#compdef cniwire
_cniwire() {{
    local -a commands=(
{described}
    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    if ((${{words[(I)--]}} > 0 && ${{words[(I)--]}} < CURRENT)); then
        local separator=${{words[(I)--]}}
        shift $separator words
        ((CURRENT -= separator))
        _normal
        return
    fi
    case ${{words[2]}} in
{cases}
    esac
    _files
}}
if [[ ${{funcstack[1]}} == _cniwire ]]; then
    _cniwire "$@"
else
    compdef _cniwire cniwire
fi"""


def fish(table: dict[str, tuple[str, list[argparse.Action]]]) -> str:
    """One `complete` line per command, option and source."""
    lines = ["complete -c cniwire -f"]
    for name, (text, actions) in table.items():
        lines.append(f"complete -c cniwire -n __fish_use_subcommand -a {name} -d {_fish_quoted(text)}")
        seen = f"complete -c cniwire -n '__fish_seen_subcommand_from {name}'"
        for action in actions:
            if action.option_strings:
                spelled = " ".join(f"-{'s' if len(flag) == 2 else 'l'} {flag.lstrip('-')}" for flag in action.option_strings)
                lines.append(f"{seen} {spelled}{' -r' if action.nargs != 0 else ''} -d {_fish_quoted(action.help or '')}")
            elif action.dest in SOURCES:
                lines.append(f"{seen} -a {_fish_quoted('(' + _fish_command(SOURCES[action.dest]) + ')')}")
            elif action.choices:
                lines.append(f"{seen} -a {_fish_quoted(' '.join(map(str, action.choices)))}")
    return "\n".join(lines)


def _fish_command(command: str) -> str:
    """A POSIX command line as fish runs it: through sh."""
    return f"sh -c {_fish_quoted(command)}"


def _quoted(text: str) -> str:
    """*text* in single quotes of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    """*text* in single quotes of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
