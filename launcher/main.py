"""The `cniwire` command: read the command line, do the command, answer with an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from signal import Signals
from typing import TYPE_CHECKING

from core.cni.version import ALL, NEWEST, SUITE
from core.errors import CNIError
from launcher import options as command_line
from launcher.commands import COMMANDS
from launcher.failures import FAILED, PRIVILEGE, Failure, Interrupted
from launcher.usage import nearest_command, refuse

if TYPE_CHECKING:
    from launcher.session import Session

COMPANIONS = ("host-local", "portmap")  # a folder that has both is one of our plugins
INSTALLERS = ("install", "upgrade", "rollback", "uninstall")
# Commands whose messages are their result.
FINDERS = ("check", "gc", "leave", "network", "status", *INSTALLERS)
HOOK = "oci-hook"  # whose messages end up in those of a runtime
SYSTEM_DIRS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit codes are in `cniwire --help`."""
    complete_streams()
    try:
        try:
            return obey(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()
    except OSError as error:  # nobody reads any more, or the disk behind stdout is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that Python does not try again at its end
        if not isinstance(error, BrokenPipeError):
            print(f"cniwire: cannot write what was asked for: {error.strerror}", file=sys.stderr)
        return FAILED


def obey(argv: Sequence[str]) -> int:
    """Find out what is wanted, and do it."""
    if argv[:1] == ["lab"] and not {"-h", "--help"} & set(argv[:2]):  # the rest is a command, not options
        return enter_lab(argv[1:])
    options = command_line.parse(argv)
    if options.action == "lab":
        return enter_lab(options.command)
    if options.action in ALONE:
        return ALONE[options.action](options)
    return perform(options)


def show_help(options: argparse.Namespace) -> int:
    """`help`, `help COMMAND`, or no command at all."""
    if options.topic and options.topic not in COMMANDS:
        refuse("help", f"there is no command {options.topic!r}", nearest_command(options.topic))
    if options.topic:
        command_line.parser().parse_args([options.topic, "--help"])
    print(command_line.parser().format_help(), end="")
    return 0


def show_version(options: argparse.Namespace) -> int:
    """The version of the suite, and those of the protocol."""
    print(f"cniwire {SUITE}, CNI {ALL[0]} to {NEWEST}")
    return 0


def show_completion(options: argparse.Namespace) -> int:
    """A script for a shell, or the names that it offers."""
    from launcher.completion import names, script  # only here

    if options.shell in ("networks", "containers"):
        found = names(options.shell, options.conf_dir, (options.cache_dir, *options.read_cache))
        print("".join(f"{name}\n" for name in found), end="")
        return 0
    print(script(command_line.parser(), options.shell))
    return 0


def execute(options: argparse.Namespace) -> int:
    """Become a command in a container."""
    from launcher import inside  # only here

    return inside.execute(options)


def be_node(options: argparse.Namespace) -> int:
    """Be the agent of a Kubernetes node."""
    from launcher import node  # only here

    return node.node(options)


# Commands that need no session.
ALONE = {
    "help": show_help,
    "version": show_version,
    "completion": show_completion,
    "exec": execute,
    "node": be_node,
}


def complete_streams() -> None:
    """Open /dev/null where stdin, stdout or stderr is closed.

    Otherwise the next file or socket would get that number, and be sent our messages.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    for name, handle in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(handle, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        elif isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without ✔ is no reason to stop


def enter_lab(command: Sequence[str]) -> int:
    """Run a command in a private fake host."""
    from launcher import lab  # late: it needs nothing of what the other commands load

    return lab.main(command)


def work(action: str) -> "Callable[[Session, argparse.Namespace], int]":
    """The function of a command, from the one module that it needs.

    The imports are written out, because PyInstaller collects the modules that it sees imported.
    """
    if action in ("ls", "ps"):
        from launcher import drawing  # these alone

        return {"ls": drawing.ls, "ps": drawing.ps}[action]
    if action in ("check", "status"):
        from launcher import upkeep  # these alone

        return {"check": upkeep.check, "status": upkeep.status}[action]
    if action == "gc":
        from launcher import collection  # this alone

        return collection.gc
    if action == "leave":
        from launcher import leaving  # this alone

        return leaving.leave
    if action == "report":
        from launcher import report  # this alone

        return report.report
    if action == HOOK:
        from launcher import oci_hook  # this alone

        return oci_hook.hook
    if action == "network":
        from launcher import networks  # this alone

        return networks.network
    if action in INSTALLERS:
        from launcher import installing  # these alone

        return {
            "install": installing.install,
            "upgrade": installing.upgrade,
            "rollback": installing.rollback,
            "uninstall": installing.uninstall,
        }[action]
    from launcher import containers  # these alone

    make = {"run": containers.run, "up": containers.up, "attach": containers.attach}
    remove = {"down": containers.down, "detach": containers.detach}
    return {**make, **remove}[action]


def session(options: argparse.Namespace) -> "Session":
    """Everything that a command works with."""
    from launcher.cache import Cache  # late: --help and exec need none of it
    from launcher.runtime import Runtime
    from launcher.session import Session
    from launcher.terminal import Terminal

    terminal = Terminal(
        options.json, options.verbose, findings=options.action in FINDERS, quiet=options.action == HOOK
    )
    cache = Cache(options.cache_dir, *options.read_cache)
    runtime = Runtime(plugin_dirs(options.plugin_dir), cache, options.timeout, terminal)
    return Session(options.conf_dir, runtime, terminal, options.wide)


def perform(options: argparse.Namespace) -> int:
    """Make a session and run one of the commands in it."""
    from launcher import signals  # late: --help and exec do without it

    made = session(options)
    signals.stop_by_exception()
    try:
        return work(options.action)(made, options)
    except CNIError as error:
        made.terminal.failure(error)
        return getattr(error, "status", FAILED)
    except Interrupted as stop:
        made.terminal.settle()
        made.terminal.note(f"stopped by {Signals(stop.number).name}")
        return 128 + stop.number
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        hint = PRIVILEGE if isinstance(error, PermissionError) else ""
        made.terminal.failure(Failure(str(error), hint=hint))
        return FAILED
    finally:
        made.terminal.settle()


def plugin_dirs(chosen: Sequence[str] | None) -> list[str]:
    """Where to look for plugins: --plugin-dir, else CNI_PATH, else our own folder and those of the system."""
    if chosen or os.environ.get("CNI_PATH"):
        listed = [part for text in chosen or [os.environ["CNI_PATH"]] for part in text.split(":")]
        return [os.path.abspath(directory) for directory in listed if directory]
    executable = os.path.dirname(os.path.realpath("/proc/self/exe"))  # the bundle's folder
    checkout = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")
    own = [path for path in (executable, checkout) if has_plugins(path)]
    return own + [path for path in SYSTEM_DIRS if os.path.isdir(path) and path not in own]


def has_plugins(folder: str) -> bool:
    """Whether a folder is one of our plugins."""
    return all(os.path.isfile(os.path.join(folder, name)) for name in COMPANIONS)


if __name__ == "__main__":
    sys.exit(main())
