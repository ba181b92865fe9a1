"""Find a plugin executable and call it once, as the specification's execution protocol says.

Law: a call ends before its deadline, and nothing of the plugin's process group outlives it.
Spec: section 2 "CNI protocol", section 5 "Error".
"""

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core import system
from core.cni import json
from core.errors import INCOMPATIBLE_VERSION, INTERNAL, CNIError
from launcher.environment import outer_environ
from launcher.failures import Failure, PluginFailed, PluginMissing, TimedOut

BUSY_TRIES, BUSY_PAUSE = 6, 1.0  # (seconds) for ETXTBSY, while the executable is being replaced
GRACE = 1.0  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Call:
    """One finished call, for --verbose and the tests. code: exit code, None when the deadline ended it."""

    verb: str
    plugin_type: str
    path: str
    environ: Mapping[str, str]
    stdin: bytes
    code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float


class Observer(Protocol):
    """Who wants to see the calls."""

    def calling(self, verb: str, plugin_type: str, environ: Mapping[str, str]) -> None:
        """A call begins."""

    def called(self, call: Call) -> None:
        """A call has ended."""


@dataclass(frozen=True)
class Deadline:
    """The point in time by which a whole verb has to be done."""

    seconds: float
    start: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that remain, not below zero."""
        return max(0.0, self.start + self.seconds - time.monotonic())


def find(plugin_type: str, plugin_dirs: Sequence[str]) -> str:
    """The path of the executable *plugin_type*: the first file of that name in *plugin_dirs*.

    Raises PluginMissing.
    """
    if not plugin_type or "/" in plugin_type:
        raise PluginMissing(f"type: want the name of a plugin executable, found {plugin_type!r}")
    path = system.first_file(plugin_dirs, plugin_type)
    if path:
        return path
    hint = "name its directory with --plugin-dir or CNI_PATH"
    searched = f"searched {', '.join(plugin_dirs) or 'no directory'}"
    raise PluginMissing(f"plugin {plugin_type!r} not found", searched, hint)


def call(
    path: str,
    verb: str,
    variables: Mapping[str, str],
    config: Mapping[str, Any],
    deadline: Deadline,
    observer: Observer | None = None,
) -> tuple[bytes, bytes]:
    """Run a plugin and return its stdout and stderr. *variables* are the CNI_ ones besides CNI_COMMAND.

    Raises PluginFailed with the plugin's own error, TimedOut, or Failure when it cannot be started.
    """
    plugin_type = os.path.basename(path)
    environ = {**outer_environ(), **variables, "CNI_COMMAND": verb}
    stdin = json.render(config).encode()
    if observer:
        observer.calling(verb, plugin_type, environ)
    start = time.monotonic()
    code, stdout, stderr = _run(path, environ, stdin, deadline)
    took = time.monotonic() - start
    if observer:
        observer.called(Call(verb, plugin_type, path, environ, stdin, code, stdout, stderr, took))
    if code is None:
        raise TimedOut(f"plugin {plugin_type} did not answer within {deadline.seconds:g} s ({verb})")
    if code != 0:
        error = error_of(code, stdout, stderr)
        hint = f"the executable is {path}" if error.code == INCOMPATIBLE_VERSION else ""
        raise PluginFailed(plugin_type, verb, error, hint)
    return stdout, stderr


def error_of(code: int, stdout: bytes, stderr: bytes) -> CNIError:
    """The error of a failed plugin: from its JSON, or made of stderr and exit status."""
    if not stdout.strip():
        said = stderr.decode(errors="surrogateescape").strip()
        ending = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        return CNIError(INTERNAL, said or f"no error message, {ending}")
    try:
        values = json.parse_object(stdout, "its error")
        number = int(values.get("code", INTERNAL))
        return CNIError(number, str(values.get("msg", "")), str(values.get("details", "")))
    except (CNIError, TypeError, ValueError, OverflowError) as error:
        shown = stdout.decode(errors="replace").strip()
        return CNIError(INTERNAL, f"it printed no valid error: {shown[:500]!r}", str(error))


def _run(
    path: str, environ: Mapping[str, str], stdin: bytes, deadline: Deadline
) -> tuple[int | None, bytes, bytes]:
    """Exit code (None when the deadline passed), stdout and stderr of one process."""
    process = _start(path, environ, deadline)
    try:
        stdout, stderr = process.communicate(stdin, timeout=deadline.left)
        return process.returncode, stdout, stderr
    except subprocess.TimeoutExpired:
        return None, *_end(process)
    except BaseException:
        _end(process)
        raise


def _start(path: str, environ: Mapping[str, str], deadline: Deadline) -> "subprocess.Popen[bytes]":
    """Start a plugin in a session of its own, so that a terminal's Ctrl-C is ours to handle.

    Raises Failure.
    """
    pipe = subprocess.PIPE
    for tries_left in reversed(range(BUSY_TRIES)):
        try:
            return subprocess.Popen(
                [path], stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environ), start_new_session=True
            )
        except OSError as error:
            if error.errno != errno.ETXTBSY or not tries_left or deadline.left < BUSY_PAUSE:
                raise Failure(f"cannot execute plugin {path}: {error.strerror}") from None
            time.sleep(BUSY_PAUSE)
    raise AssertionError("the last try returns or raises")


def _end(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Stop a plugin and all of its process group; what it had printed so far."""
    stdout = stderr = b""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            stdout, stderr = process.communicate(timeout=GRACE)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):  # what could not be flushed
                pipe.close()
    return stdout, stderr
