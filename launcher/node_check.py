"""The command `install --check`: what a node has, whose it is, and what is missing. Changes nothing."""

import argparse
import os
from pathlib import Path
from typing import Any

from core.errors import CNIError
from launcher import conflist, requirements
from launcher.conflist import Network
from launcher.derivation import executables
from launcher.failures import Failure, MissingDirectory
from launcher.installation.node import PluginDirectory
from launcher.installation.place import record_of
from launcher.installation.suites import Origin, origin
from launcher.installation.versions import Refused, is_whole
from launcher.plain import escape
from launcher.session import Session
from launcher.upkeep import finish_with

Problems = list[CNIError]


def check(session: Session, options: argparse.Namespace) -> int:
    """Tell it; 0 where cniwire is installed whole, every configuration has its plugins, and nothing lacks."""
    place = PluginDirectory(options.bin_dir)
    problems: Problems = []
    installation = installed(session, place, problems)
    found = suites(session, place, problems)
    configurations = networks(session, set(found), problems)
    lacked = requirements.missing()
    for text in lacked:
        wrong(session, problems, text)
    if not lacked:
        session.terminal.done(f"Linux {escape(os.uname().release)} has what the plugins need")
    executed = [
        {"name": name, "suite": it.suite, "version": it.version, **({"says": it.says} if it.says else {})}
        for name, it in found.items()
    ]
    outcome = {
        "binDir": place.bin_dir,
        "installed": installation,
        "executables": executed,
        "configurations": configurations,
        "missing": lacked,
    }
    return finish_with(session, [], outcome, problems)


def wrong(session: Session, problems: Problems, text: str, hint: str = "") -> None:
    """Show one thing that is not as it should be, and remember it."""
    problems.append(Failure(text, hint=hint))
    session.terminal.wrong(escape(text), hint=hint)


def installed(session: Session, place: PluginDirectory, problems: Problems) -> dict[str, Any] | None:
    """The version that `cniwire install` has put there, and the one before."""
    current = place.current
    if not current:
        wrong(
            session, problems, f"cniwire has installed nothing in {place.bin_dir}", "`cniwire install` does"
        )
        return None
    try:
        record = record_of(place)
    except Refused as error:
        wrong(session, problems, str(error))
        return None
    before = record.before(current)
    behind = f"; `cniwire rollback` goes back to {escape(before)}" if before else ""
    folder = place.home / current
    whole = folder.is_dir() and is_whole(folder)
    if whole:
        session.terminal.done(f"[bold]{escape(current)}[/] is in {escape(place.bin_dir)}{behind}")
    else:
        wrong(session, problems, f"{place.lib}/{current} is damaged", "`cniwire install` puts it there anew")
    things = place.things(current)
    for name in [name for name in things if name in record.names and not place.is_ours(name, record)]:
        if not os.path.lexists(place.real(name)):
            wrong(session, problems, f"{place.named(name)} is gone", "`cniwire install` puts it there anew")
        else:
            hint = "`cniwire install --replace` puts ours back"
            wrong(session, problems, f"{place.named(name)} is somebody else's by now", hint)
    file = str(record.options.get("configuration", ""))
    return {
        "version": current,
        "before": before,
        "whole": whole,
        "copies": bool(record.options.get("copy")),
        "prefix": str(record.options.get("prefix", "")),
        "configuration": place.named(file) if file else "",
    }


def suites(session: Session, place: PluginDirectory, problems: Problems) -> dict[str, Origin]:
    """Each executable of the plugin directory, by name, and whose it is."""
    try:
        names = sorted(name for name in os.listdir(place.bin_dir) if not name.startswith("."))
    except OSError as error:
        wrong(session, problems, f"cannot read {place.bin_dir}: {error.strerror}")
        return {}
    paths = {name: Path(place.bin_dir, name) for name in names}
    found = {name: origin(path) for name, path in paths.items() if is_executable(path)}
    groups: dict[str, list[str]] = {}
    for name, it in found.items():
        groups.setdefault(str(it), []).append(name)
    for suite, members in groups.items():
        session.terminal.note(f"{escape(suite)}: {escape(', '.join(members))}")
    lost = [name for name, path in paths.items() if path.is_symlink() and not path.exists()]
    if lost:
        wrong(session, problems, f"links that lead nowhere in {place.bin_dir}: {', '.join(lost)}")
    return found


def is_executable(path: Path) -> bool:
    """Whether a runtime could start it."""
    return path.is_file() and os.access(path, os.X_OK)


def networks(session: Session, there: set[str], problems: Problems) -> list[dict[str, Any]]:
    """Each configuration, with the types that it names and those that the plugin directory has not."""
    rows: list[dict[str, Any]] = []
    try:
        loaded = list(conflist.load_all(session.conf_dir))
    except MissingDirectory:
        loaded = []
    if not loaded:
        session.terminal.note(f"no network configuration in {escape(session.conf_dir)}")
    for path, each in loaded:
        if not isinstance(each, Network):
            wrong(session, problems, each.msg, each.hint)
            rows.append({"file": path, "error": each.msg})
            continue
        types = list(dict.fromkeys(name for plugin in each.plugins for name in executables(plugin)))
        lost = [name for name in types if name not in there]
        rows.append({"file": path, "network": each.name, "types": types, "missing": lost})
        if lost:
            wrong(session, problems, f"{path}: no executable {', '.join(lost)}")
        else:
            session.terminal.done(f"{escape(path)}: {escape(each.name)}  [dim]{escape(' '.join(types))}[/]")
    return rows
