"""Calling the IPAM plugin: our own in process, anybody else's as the specification says.

Spec: section 4 "Plugin Delegation".
"""

from __future__ import annotations

import os

from core import result
from core.document import parse, render
from core.errors import DELEGATE_FAILED, INVALID_CONFIG, TRY_AGAIN_LATER, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.protocol import Request
    from core.result import Result

TIMEOUT_S = 60.0
BUSY_TRIES, BUSY_PAUSE_S = 6, 1.0  # "Text file busy" while the binary is being replaced
ENOEXEC_HINT = "is it executable, and for this machine?"


def find(plugin_type: str, search_path: str) -> str:
    """The first regular file named *plugin_type* in the directories of *search_path*.

    Raises CNIError(INVALID_CONFIG) for a name that cannot be one, DELEGATE_FAILED when it is nowhere.
    """
    if not plugin_type or "/" in plugin_type:
        raise CNIError(INVALID_CONFIG, f"ipam.type: want the name of a plugin, found {plugin_type!r}")
    for directory in search_path.split(":"):
        path = os.path.join(directory, plugin_type)
        if directory and os.path.isfile(path):
            return path
    raise CNIError(DELEGATE_FAILED, f"failed to find plugin {plugin_type!r} in path [{search_path}]", "install it there, or add its directory to CNI_PATH")


def call(request: Request, command: str) -> Result | None:
    """Run the IPAM plugin's *command* with our environment and standard input.

    Returns its Result for ADD, None otherwise. Raises CNIError: the plugin's own, or DELEGATE_FAILED.
    """
    plugin_type = request.config.section("ipam").text("type")
    path = find(plugin_type, request.environ.get("CNI_PATH", ""))
    environ = {**request.environ, "CNI_COMMAND": command}
    module = request.siblings.get(plugin_type)
    if module and _is_ours(path, plugin_type):
        code, stdout, stderr = *_in_process(module, environ, request), b""
    else:
        code, stdout, stderr = _execute(path, environ, request.stdin)
    if stderr:
        os.write(2, stderr)
    if code:
        raise _failure(plugin_type, code, stdout, stderr)
    if command != "ADD":
        return None
    try:
        return result.parse(parse(stdout, f"result of {plugin_type}"), request.version, f"result of {plugin_type}")
    except CNIError as error:
        raise CNIError(DELEGATE_FAILED, error.msg, f"it printed {_quoted(stdout)}") from None


def _is_ours(path: str, plugin_type: str) -> bool:
    """Whether the plugin found is the executable that stands beside our own."""
    import sys  # late: only its argv is wanted, and it is always loaded

    own = os.path.join(os.path.dirname(os.path.realpath(getattr(sys, "_cniwire_executable", sys.argv[0]))), plugin_type)
    try:
        return os.path.samefile(path, own)
    except OSError:
        return False


def _in_process(module: str, environ: Mapping[str, str], request: Request) -> tuple[int, bytes]:
    from importlib import import_module  # late: only where IPAM is wanted

    from core.protocol import respond  # late: protocol knows nothing of delegation, and is loaded already

    return respond(import_module(module), environ, lambda: request.stdin)


def _failure(plugin_type: str, code: int, stdout: bytes, stderr: bytes) -> CNIError:
    """The delegate's own error when it printed one, else what can be told of its end."""
    if not stdout.strip():
        reason = stderr.decode("utf-8", "replace").strip() or (f"killed by signal {-code}" if code < 0 else f"exit status {code}")
        return CNIError(DELEGATE_FAILED, f"plugin {plugin_type} failed without a message: {reason}")
    try:
        document = parse(stdout, "error")
        if isinstance(document, dict) and isinstance(document.get("msg"), str) and isinstance(document.get("code"), int):
            details = document.get("details")
            return CNIError(document["code"], document["msg"], details if isinstance(details, str) else "")
    except CNIError:
        pass
    return CNIError(DELEGATE_FAILED, f"plugin {plugin_type} failed and printed no CNI error: {_quoted(stdout)}")


def _quoted(output: bytes) -> str:
    return render(output[:200].decode("utf-8", "replace"))


def _execute(path: str, environ: Mapping[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run one plugin to its end: (exit status or -signal, stdout, stderr).

    Memory files instead of pipes: no reader has to keep pace, so nothing can block but the plugin itself.
    """
    files = [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(files[0], stdin)
        os.lseek(files[0], 0, os.SEEK_SET)
        child = _spawn(path, _without_bundle(environ), files)
        status = _wait(path, child)
        return (status, *[os.pread(file, os.fstat(file).st_size, 0) for file in files[1:]])  # type: ignore[return-value]
    finally:
        for file in files:
            os.close(file)


def _spawn(path: str, environ: Mapping[str, str], files: list[int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, file, target) for target, file in enumerate(files)]
    for attempt in range(BUSY_TRIES):
        try:
            return os.posix_spawn(path, [path], environ, file_actions=actions)
        except OSError as error:
            if error.errno != 26 or attempt == BUSY_TRIES - 1:  # ETXTBSY
                raise CNIError(DELEGATE_FAILED, f"cannot execute plugin {path}: {error.strerror}", ENOEXEC_HINT) from None
        import time  # late: only when the binary is busy

        time.sleep(BUSY_PAUSE_S)
    raise AssertionError("unreachable")


def _wait(path: str, child: int) -> int:
    from select import select  # late: only where a foreign plugin is executed

    handle = os.pidfd_open(child)
    try:
        if not select([handle], [], [], TIMEOUT_S)[0]:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise CNIError(TRY_AGAIN_LATER, f"plugin {path} did not end within {TIMEOUT_S:.0f} s and was killed")
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _without_bundle(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that our own bundle's start-up has not touched."""
    clean = {key: value for key, value in environ.items() if not key.startswith("_PYI_") and key != "LD_LIBRARY_PATH_ORIG"}
    if "LD_LIBRARY_PATH_ORIG" in environ:
        return {**clean, "LD_LIBRARY_PATH": environ["LD_LIBRARY_PATH_ORIG"]}
    if any([key.startswith("_PYI_") for key in environ]):
        clean.pop("LD_LIBRARY_PATH", None)
    return clean
