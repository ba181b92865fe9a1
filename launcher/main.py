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
    from launcher.wiring import Session

COMPANIONS = ("host-local", "portmap")  # where these two are, our plugins are
FINDERS = ("check", "gc", "network", "status")  # what they say is what they were asked for
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
    if argv[:1] == ["lab"] and not {"-h", "--help"} & set(argv[:2]):  # its command is its own business
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
    """Ours, and the protocol's."""
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


ALONE = {
    "help": show_help,
    "version": show_version,
    "completion": show_completion,
    "exec": execute,
}  # what needs no session


def complete_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed: else the next file or socket would get its number, and our messages."""
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
    from launcher import lab  # apart, so that it stays free of everything that the others load

    return lab.main(command)


def work(action: str) -> "Callable[[Session, argparse.Namespace], int]":
    """The function of a command: loading one loads no other. Spelled out, because the bundle has what its builder sees imported."""
    if action in ("ls", "ps"):
        from launcher import drawing  # these alone

        return {"ls": drawing.ls, "ps": drawing.ps}[action]
    if action in ("check", "status"):
        from launcher import upkeep  # these alone

        return {"check": upkeep.check, "status": upkeep.status}[action]
    if action == "gc":
        from launcher import collection  # this alone

        return collection.gc
    if action == "network":
        from launcher import networks  # this alone

        return networks.network
    from launcher import containers  # these alone

    commands = {
        "run": containers.run,
        "up": containers.up,
        "down": containers.down,
        "attach": containers.attach,
        "detach": containers.detach,
    }
    return commands[action]


def session(options: argparse.Namespace) -> "Session":
    """Everything that a command works with."""
    from launcher.cache import Cache  # behind --help and exec, which need none of it
    from launcher.runtime import Runtime
    from launcher.terminal import Terminal
    from launcher.wiring import Session

    terminal = Terminal(options.json, options.verbose, findings=options.action in FINDERS)
    runtime = Runtime(
        plugin_dirs(options.plugin_dir),
        Cache(options.cache_dir, *options.read_cache),
        options.timeout,
        terminal,
    )
    return Session(options.conf_dir, runtime, terminal, options.wide)


def perform(options: argparse.Namespace) -> int:
    """Make a session and run one of the commands in it."""
    from launcher import signals  # as above

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
        made.terminal.failure(
            Failure(str(error), hint=PRIVILEGE if isinstance(error, PermissionError) else "")
        )
        return FAILED
    finally:
        made.terminal.settle()


def plugin_dirs(chosen: Sequence[str] | None) -> list[str]:
    """Where plugins are looked for: --plugin-dir, else CNI_PATH, else our own and the system's directories that exist."""
    if chosen or os.environ.get("CNI_PATH"):
        listed = [part for text in chosen or [os.environ["CNI_PATH"]] for part in text.split(":")]
        return [os.path.abspath(directory) for directory in listed if directory]
    executable = os.path.dirname(os.path.realpath("/proc/self/exe"))  # the bundle's folder
    checkout = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")
    own = [
        path
        for path in (executable, checkout)
        if all(os.path.isfile(os.path.join(path, name)) for name in COMPANIONS)
    ]
    return own + [path for path in SYSTEM_DIRS if os.path.isdir(path) and path not in own]


if __name__ == "__main__":
    sys.exit(main())
