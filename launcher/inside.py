"""A command in a container: `exec`, and the child of `run`.

Law: imports nothing that only messages and drawings need, because `exec` is typed often.
"""

import argparse
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import CNIError
from launcher import answers, netns, signals, system_calls, target
from launcher.cache import Cache
from launcher.environment import outer_environ
from launcher.failures import NOT_EXECUTABLE, NOT_FOUND, NOT_RUN
from launcher.plain import plain


def execute(options: argparse.Namespace) -> int:
    """Run a command in a namespace that is there already: become it."""
    command = options.command or [os.environ.get("SHELL") or "/bin/sh"]
    cache = Cache(options.cache_dir, *options.read_cache)
    try:
        place = target.resolve(options.target, known=cache.attachments)
        outcomes = [cached.result for cached in cache.attachments(place.container_id)]
    except CNIError as error:
        return _refuse(options, error)
    return become(place.netns, command, outcomes)


def _refuse(options: argparse.Namespace, error: CNIError) -> int:
    """Say why nothing was run, and which container the name may have meant."""
    from launcher.main import session  # late: a successful exec needs none of it

    made = session(options)
    hint = made.like(options.target)
    if "did you mean" in hint:
        error.hint = hint  # type: ignore[attr-defined]
    made.terminal.failure(error, on_stdout=False)
    return NOT_RUN


def spawn(path: str, command: Sequence[str], outcomes: Sequence[Mapping[str, Any]]) -> int:
    """Fork *command* into the namespace at *path* and return its pid; it dies with us.

    outcomes: the results of ADD, from which its resolv.conf is made.
    """
    child = os.fork()
    if child == 0:
        code = NOT_RUN
        try:
            system_calls.die_with_parent()
            code = become(path, command, outcomes)
        finally:  # the child must never run the parent's cleanup
            os._exit(code)
    return child


def become(path: str, command: Sequence[str], outcomes: Sequence[Mapping[str, Any]]) -> int:
    """Turn this process into *command* inside a namespace; returns an exit code only if that fails."""
    signals.restore()
    try:
        netns.enter(path, answers.resolv_conf(outcomes))
    except OSError as error:
        print(f"cniwire: cannot enter {plain(path)}: {error.strerror}", file=sys.stderr)
        return NOT_RUN
    try:
        os.execvpe(command[0], list(command), outer_environ())
    except OSError as error:
        # A folder on PATH that we may not search makes EACCES of every name that is not found.
        folders = [""] if "/" in command[0] else os.get_exec_path()
        missing = not any(os.path.exists(os.path.join(folder, command[0])) for folder in folders)
        reason = os.strerror(errno.ENOENT) if missing else error.strerror
        print(f"cniwire: {command[0]}: {reason}", file=sys.stderr)
        return NOT_FOUND if missing or isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
