"""The scripts for bash and zsh: what each needs around the words of `launcher.completion`."""

import argparse

from launcher.arguments import GLOBAL
from launcher.completion import COMMAND, CONTAINERS, FOLDER, NETWORKS, Slot, flags, slots, valued

Table = dict[str, tuple[str, list[argparse.Action]]]
# The options that tell where networks and containers are: passed on to `cniwire completion`.
ASKED = ("--conf-dir", "--cache-dir", "--read-cache")


def bash(table: Table) -> str:
    """A function and its registration; everything behind `--` is completed as a command line of its own."""
    taken = {name: " ".join(flags(actions)) for name, (_, actions) in table.items()}
    options = "\n".join(f'        {name}) words="{words}" ;;' for name, words in taken.items())
    cases = "\n".join(f"    {where}) {_bash_offer(slot)} ;;" for where, slot in places(table))
    kinds = by_kind(table)
    return f"""\
_cniwire_names() {{
    local IFS=$'\\n' prefix=""
    [ "$1" = networks ] && case "$word" in *,*) prefix="${{word%,*}}," ;; esac
    local names="$("${{COMP_WORDS[0]}}" completion "$@" "${{asked[@]}}" 2>/dev/null)"
    COMPREPLY+=($(compgen -P "$prefix" -W "$names" -- "${{word#"$prefix"}}"))
    if [ "$1" = networks ]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY+=($(compgen -f -X '!*.conflist' -- "$word"))
        case "$word" in */*) COMPREPLY+=($(compgen -d -- "$word")) ;; esac
    fi
}}
_cniwire() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" command="" words="" option="" position=0 index asked=()
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "${{COMP_WORDS[index]}}" in
        --) _command_offset $((index + 1)) 2>/dev/null || COMPREPLY=($(compgen -c -- "$word")); return ;;
        {"|".join(valued(all_actions(table)))})
            option="${{COMP_WORDS[index]}}"
            [ "${{COMP_WORDS[index + 1]}}" = "=" ] && ((index++))
            ((++index < COMP_CWORD)) || break
            case "$option" in {"|".join(ASKED)}) asked+=("$option" "${{COMP_WORDS[index]}}") ;; esac
            option="" ;;
        : | =) ((index++)) ;;
        -*) ;;
        *) if [ -z "$command" ]; then command="${{COMP_WORDS[index]}}"; else ((position++)); fi ;;
        esac
    done
    case "$option" in
    "") ;;
    {"|".join(kinds[FOLDER])})
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$word"))
        return ;;
    {"|".join(kinds[NETWORKS])}) _cniwire_names networks; return ;;
    *) return ;;
    esac
    case "$word" in
    -*)
        case "$command" in
        "") words="{" ".join(GLOBAL)}" ;;
{options}
        esac
        COMPREPLY=($(compgen -W "$words" -- "$word"))
        return ;;
    esac
    case "$command:$position" in
    :*) COMPREPLY=($(compgen -W "{" ".join(table)} --help" -- "$word")) ;;
{cases}
    esac
}}
complete -F _cniwire cniwire"""


def zsh(table: Table) -> str:
    """The same for zsh, with the commands described."""
    described = "\n".join(f"        {_quoted(name + ':' + text)}" for name, (text, _) in table.items())
    taken = {name: " ".join(flags(actions)) for name, (_, actions) in table.items()}
    options = "\n".join(f"        {name}) compadd -- {words} ;;" for name, words in taken.items())
    cases = "\n".join(f"    {where}) {_zsh_offer(slot)} ;;" for where, slot in places(table))
    kinds = by_kind(table)
    return f"""\
#compdef cniwire
_cniwire_names() {{
    local -a names=(${{(f)"$("${{words[1]}}" completion $1 $asked 2>/dev/null)"}})
    [[ $1 == networks ]] && compset -P '*,'
    compadd -- $names
    [[ $1 == networks ]] && _files -g '*.conflist'
}}
_cniwire() {{
    local command="" option="" index position=0
    local -a asked known=(
{described}
    )
    for ((index = 2; index < CURRENT; index++)); do
        case ${{words[index]}} in
        --)
            shift $index words
            ((CURRENT -= index))
            _normal
            return ;;
        {"|".join(valued(all_actions(table)))})
            option=${{words[index]}}
            ((++index < CURRENT)) || break
            case $option in ({"|".join(ASKED)}) asked+=($option ${{words[index]}}) ;; esac
            option="" ;;
        -*) ;;
        *) if [[ -z $command ]]; then command=${{words[index]}}; else ((position++)); fi ;;
        esac
    done
    case $option in
    "") ;;
    {"|".join(kinds[FOLDER])}) _files -/; return ;;
    {"|".join(kinds[NETWORKS])}) _cniwire_names networks; return ;;
    *) return ;;
    esac
    if [[ ${{words[CURRENT]}} == -* ]]; then
        case $command in
        "") compadd -- {" ".join(GLOBAL)} ;;
{options}
        esac
        return
    fi
    case $command:$position in
    :*) _describe command known ;;
{cases}
    esac
}}
if [[ ${{funcstack[1]}} == _cniwire ]]; then
    _cniwire "$@"
else
    compdef _cniwire cniwire
fi"""


def all_actions(table: Table) -> list[argparse.Action]:
    return [action for _, actions in table.values() for action in actions]


def by_kind(table: Table) -> dict[str, list[str]]:
    """Option strings by the kind of their value."""
    found = valued(all_actions(table))
    return {kind: [flag for flag, each in found.items() if each == kind] for kind in (FOLDER, NETWORKS)}


def places(table: Table) -> list[tuple[str, Slot]]:
    """`command:position` as a pattern, and what may stand there."""
    found = []
    for name, (_, actions) in table.items():
        for position, slot in enumerate(slots(name, actions)):
            if slot.kind or slot.words:
                found.append((f"{name}:{'*' if slot.repeats else position}", slot))
    return found


def _bash_offer(slot: Slot) -> str:
    parts = [f'COMPREPLY=($(compgen -W "{" ".join(slot.words)}" -- "$word"))'] if slot.words else []
    if slot.kind in (NETWORKS, CONTAINERS):
        parts.append(f"_cniwire_names {slot.kind}")
    if slot.kind == COMMAND:
        parts.append('COMPREPLY=($(compgen -c -- "$word"))')
    return "; ".join(parts)


def _zsh_offer(slot: Slot) -> str:
    parts = [f"compadd -- {' '.join(slot.words)}"] if slot.words else []
    if slot.kind in (NETWORKS, CONTAINERS):
        parts.append(f"_cniwire_names {slot.kind}")
    if slot.kind == COMMAND:
        parts.append("_command_names -e")
    return "; ".join(parts)


def _quoted(text: str) -> str:
    """*text* in single quotes of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
