"""The `cniwire` command: read the command line, do the command, answer with an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence
from signal import Signals

from core.errors import CNIError
from core.version import ALL, NEWEST, SUITE
from launcher import options as command_line
from launcher.commands import COMMANDS
from launcher.failures import FAILED, PRIVILEGE, Failure, Interrupted
from launcher.usage import nearest_command, refuse

COMPANIONS = ("host-local", "portmap")  # where these two are, our plugins are
SYSTEM_DIRS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit codes are in `cniwire --help`."""
    complete_streams()
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["lab"] and not {"-h", "--help"} & set(argv[:2]):  # its command is its own business
        return enter_lab(argv[1:])
    options = command_line.parse(argv)
    if options.action == "lab":
        return enter_lab(options.command)
    if options.action in TOLD:
        return TOLD[options.action](options)
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


TOLD = {"help": show_help, "version": show_version, "completion": show_completion}  # what needs no plugins


def complete_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed: else the next file or socket would get its number, and our messages."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    for name, handle in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(handle, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def enter_lab(command: Sequence[str]) -> int:
    """Run a command in a private fake host."""
    from launcher import lab  # apart, so that it stays free of everything that the others load

    return lab.main(command)


def perform(options: argparse.Namespace) -> int:
    """Make a session and run one of the commands in it."""
    from launcher import collection, containers, drawing, networks, signals, upkeep  # behind --help, which needs none of it
    from launcher.cache import Cache
    from launcher.runtime import Runtime
    from launcher.terminal import Terminal
    from launcher.wiring import Session

    commands = {
        "run": containers.run,
        "up": containers.up,
        "down": containers.down,
        "exec": containers.execute,
        "attach": containers.attach,
        "detach": containers.detach,
        "check": upkeep.check,
        "gc": collection.gc,
        "status": upkeep.status,
        "network": networks.network,
        "ls": drawing.ls,
        "ps": drawing.ps,
    }
    terminal = Terminal(options.json, options.verbose, findings=options.action in ("check", "gc", "network", "status"))
    runtime = Runtime(plugin_dirs(options.plugin_dir), Cache(options.cache_dir, *options.read_cache), options.timeout, terminal)
    signals.stop_by_exception()
    try:
        return commands[options.action](Session(options.conf_dir, runtime, terminal, options.wide), options)
    except CNIError as error:
        terminal.failure(error)
        return getattr(error, "status", FAILED)
    except Interrupted as stop:
        terminal.settle()
        terminal.note(f"stopped by {Signals(stop.number).name}")
        return 128 + stop.number
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        terminal.failure(Failure(str(error), hint=PRIVILEGE if isinstance(error, PermissionError) else ""))
        return FAILED
    finally:
        terminal.settle()


def plugin_dirs(chosen: Sequence[str] | None) -> list[str]:
    """Where plugins are looked for: --plugin-dir, else CNI_PATH, else our own and the system's directories that exist."""
    if chosen or os.environ.get("CNI_PATH"):
        listed = [part for text in chosen or [os.environ["CNI_PATH"]] for part in text.split(":")]
        return [os.path.abspath(directory) for directory in listed if directory]
    executable = os.path.dirname(os.path.realpath("/proc/self/exe"))  # the bundle's folder
    checkout = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")
    own = [path for path in (executable, checkout) if all(os.path.isfile(os.path.join(path, name)) for name in COMPANIONS)]
    return own + [path for path in SYSTEM_DIRS if os.path.isdir(path) and path not in own]


if __name__ == "__main__":
    sys.exit(main())
