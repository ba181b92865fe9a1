"""The commands that put the plugins on a node and take them away: install, upgrade, rollback, uninstall."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from core.cni.json import render
from launcher import example, networks, requirements
from launcher.conflist import LISTS, SINGLES, config_files
from launcher.failures import PRIVILEGE, Failure, UsageFailure
from launcher.installation import switching
from launcher.installation.node import PluginDirectory
from launcher.installation.place import record_of
from launcher.installation.suites import UNKNOWN, origin
from launcher.installation.things import Text, Thing
from launcher.installation.versions import PLUGINS, Refused
from launcher.plain import escape
from launcher.session import Session
from launcher.terminal import Stopwatch

FILE = "10-cniwire.conflist"  # a runtime takes the first file, and others begin with a number, too
NEVER = "nothing was installed"


def install(session: Session, options: argparse.Namespace) -> int:
    """Put the suite that lies beside this command into the plugin directory, or tell what is there."""
    if options.check:
        from launcher import node_check  # only here

        return node_check.check(session, options)
    lacked = requirements.missing()
    if lacked and not options.force:
        hint = "--force installs it all the same, and what needs that will fail"
        raise Failure(f"{'; '.join(lacked)}: {NEVER}", hint=hint)
    with failing(NEVER):
        known = record_of(PluginDirectory(options.bin_dir)).options
    place = PluginDirectory(options.bin_dir, options.copy, options.prefix or str(known.get("prefix", "")))
    also: dict[str, Thing] = {}
    if options.network:
        path = os.path.join(session.conf_dir, FILE)
        also = {place.relative(path): configuration(options.network, options.subnet)}
    elif options.subnet:
        raise UsageFailure("--subnet is for --network")
    return put(session, options, place, also, {"copy": options.copy, "prefix": place.prefix})


def upgrade(session: Session, options: argparse.Namespace) -> int:
    """Install the suite that lies beside this command as the one that is there was installed."""
    place = installed(options.bin_dir)
    return put(session, options, place, {}, {"copy": place.copies, "prefix": place.prefix})


def rollback(session: Session, options: argparse.Namespace) -> int:
    """Go back to the version before."""
    place, watch = installed(options.bin_dir), Stopwatch()
    with failing("all is as it was"):
        left, current = switching.rollback(place, lambda text: session.terminal.note(escape(text)))
    text = f"[bold]{escape(current)}[/] is back in {escape(place.bin_dir)}, in place of {escape(left)}"
    session.terminal.done(text, watch.seconds)
    session.terminal.result({"binDir": place.bin_dir, "version": current, "instead": left})
    return 0


def uninstall(session: Session, options: argparse.Namespace) -> int:
    """Take all of it away, and bring back what it has replaced."""
    place, watch, told = installed(options.bin_dir, half=True), Stopwatch(), list[str]()
    # What is needed to say something is loaded now: it may lie in what goes.
    session.terminal.note(f"taking away what is in {escape(place.lib)}")
    with failing("not all is gone: once more when that is mended", refused=""):
        switching.uninstall(place, told.append)
    for text in told:
        session.terminal.note(escape(text))
    session.terminal.done(f"cniwire is gone from {escape(place.bin_dir)}", watch.seconds)
    session.terminal.result({"binDir": place.bin_dir, "notes": told})
    return 0


def put(
    session: Session,
    options: argparse.Namespace,
    place: PluginDirectory,
    also: dict[str, Thing],
    chosen: dict[str, object],
) -> int:
    """Install a suite, and say what came of it. also: a configuration. chosen: for the next version."""
    suite, watch, told = source(options.source), Stopwatch(), list[str]()
    refuse = partial(refuse_foreign, place, options, also)
    with failing(NEVER):
        place.refuse_unfit(suite)
        known, current = record_of(place).options, place.current
        configured = next(iter(also), known.get("configuration"))
        wanted = {**chosen, **({"configuration": configured} if configured else {})}
        version = switching.install(
            suite, place, told.append, whole=bool(place.prefix), options=wanted, also=also, refuse=refuse
        )
    for text in told:
        session.terminal.note(escape(text))
    again = " already" if version == current else ""
    session.terminal.done(f"[bold]{escape(version)}[/] is in {escape(place.bin_dir)}{again}", watch.seconds)
    files = [place.named(name) for name in also]
    for path in files:
        session.terminal.done(f"network configuration {escape(path)}")
        warn_of_others(session, path)
    outcome = {"binDir": place.bin_dir, "version": version, "configurations": files, "notes": told}
    session.terminal.result(outcome)
    return 0


def refuse_foreign(
    place: PluginDirectory, options: argparse.Namespace, also: dict[str, Thing], names: list[str]
) -> None:
    """Raise Failure where something that is not ours would be replaced, and nobody has said so."""
    executables = [name for name in names if name not in also]
    if executables and not options.replace:
        refuse_executables(place, executables)
    configurations = [place.named(name) for name in names if name in also]
    if configurations and not options.force:
        hint = "--force replaces it, and keeps it for `cniwire uninstall`"
        text = f"{configurations[0]} is there, and not as `cniwire install` wrote it: {NEVER}"
        raise Failure(text, hint=hint)


def refuse_executables(place: PluginDirectory, names: list[str]) -> None:
    """Say whose files stand where ours would go. Raises Failure."""
    whose = dict.fromkeys(str(it) for it in map(origin, map(place.real, names)) if it.suite != UNKNOWN)
    by = f" ({', '.join(whose)})" if whose else ""
    shown = [name if os.sep not in name else place.named(name) for name in names]
    hint = "--replace puts ours in their place, and keeps them for `cniwire uninstall`"
    text = f"{', '.join(shown)} in {place.bin_dir}: somebody else's{by}, and not replaced unasked: {NEVER}"
    raise Failure(text, hint=hint)


def source(folder: str) -> Path:
    """The folder of the suite to install: the one that was named, else the one of this command."""
    beside = folder or os.path.dirname(os.path.realpath("/proc/self/exe"))
    if not all(os.path.exists(os.path.join(beside, name)) for name in PLUGINS):
        text = f"there are no plugins in {beside}"
        raise Failure(f"{text}: {NEVER}", hint="--from names the folder of a bundle, or of the static file")
    return Path(beside).resolve()


def configuration(template: str, subnets: list[str]) -> Text:
    """The text of a network configuration. Raises UsageFailure."""
    parsed = [str(networks.parse(subnet)) for subnet in subnets]
    if template == "pod-cidr" and not parsed:
        hint = "`kubectl get node NAME -o jsonpath='{.spec.podCIDRs}'` tells it; --subnet once for each"
        raise UsageFailure("--network pod-cidr: the node's podCIDR is missing: --subnet", hint=hint)
    written = example.pods(parsed) if template == "pod-cidr" else example.DEMO
    if template == "demo" and parsed:
        written = example.document("demo", "demo0", parsed)
    return Text(render(written, 2) + "\n")


def warn_of_others(session: Session, path: str) -> None:
    """A runtime takes the first configuration of its directory."""
    others = config_files(os.path.dirname(path), LISTS + SINGLES)
    before = [os.path.basename(other) for other in others if os.path.basename(other) < FILE]
    if before:
        session.terminal.warn(f"{', '.join(before)} sorts before {FILE}: most runtimes take the first file")


def installed(bin_dir: str, half: bool = False) -> PluginDirectory:
    """What is installed in a plugin directory, with what was asked for then. Raises Failure.

    half: an installation that was killed before its end counts, too.
    """
    place = PluginDirectory(bin_dir)
    if not (place.current or (half and place.home.is_dir())):
        hint = "`cniwire install` does; what `make install` installed, `make uninstall` takes away"
        raise Failure(f"cniwire has installed nothing in {place.bin_dir}", hint=hint)
    with failing("all is as it was"):
        options = record_of(place).options
    return PluginDirectory(bin_dir, bool(options.get("copy")), str(options.get("prefix", "")))


@contextmanager
def failing(ending: str, refused: str | None = None) -> Iterator[None]:
    """Say in one line what was refused, and how things are now. Raises Failure.

    refused: how things are where we refuse ourselves, if that is another thing than after an error.
    """
    os.umask(0o022)
    try:
        yield
    except Refused as error:
        told, behind = str(error), ending if refused is None else refused
        raise Failure(told if behind in told else f"{told}: {behind}") from None
    except OSError as error:
        hint = PRIVILEGE if isinstance(error, PermissionError) else ""
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror}: {ending}", hint=hint) from None
