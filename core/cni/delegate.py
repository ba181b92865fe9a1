"""Calling the IPAM plugin: our own in process, anybody else's as the specification says.

Spec: section 4 "Plugin Delegation".
"""

from __future__ import annotations

import sys

from core import system
from core.cni import result
from core.cni.config import Section
from core.cni.json import parse, render
from core.deadline import grace
from core.errors import (
    ADDRESS_UNAVAILABLE,
    ADDRESSES_EXHAUSTED,
    DELEGATE_FAILED,
    INVALID_CONFIG,
    TRY_AGAIN_LATER,
    CNIError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.cni.protocol import Request
    from core.cni.result import Result

# The bundle's folder of modules; its executables are in the folder above. "" in a checkout.
CONTENTS = getattr(sys, "_MEIPASS", "")
EXECUTABLES = system.parent(CONTENTS) if CONTENTS else __file__.rpartition("/core/")[0] + "/bin"
# Where all is in one file, whose copies may lie anywhere: whether a file is one of them.
IS_COPY: Callable[[str], bool] | None = getattr(sys, "_cniwire_is_copy", None)
MOST_CODE = 2**32 - 1
UNTOUCHED = (ADDRESS_UNAVAILABLE, ADDRESSES_EXHAUSTED)  # errors before our own plugin has reserved anything


def find(plugin_type: str, search_path: str) -> str:
    """The first regular file named *plugin_type* in the directories of *search_path*.

    Raises CNIError(INVALID_CONFIG) for a name that cannot be one, DELEGATE_FAILED when it is nowhere.
    """
    if not plugin_type or "/" in plugin_type:
        raise CNIError(INVALID_CONFIG, f"ipam.type: want the name of a plugin, found {render(plugin_type)}")
    path = system.first_file(search_path.split(":"), plugin_type)
    if path:
        return path
    missing = f"ipam.type: failed to find plugin {render(plugin_type)} in path [{search_path}]"
    raise CNIError(DELEGATE_FAILED, missing, "install it there, or add its directory to CNI_PATH")


def ipam_type(request: Request) -> str:
    """ipam.type. Raises CNIError(INVALID_CONFIG) when it names the plugin that asks.

    That may have been installed under another name, so both are compared. It would call itself without end.
    """
    found = request.config.section("ipam").text("type")
    if found and found in (request.plugin.NAME, request.config.text("type")):
        hint = "want an IPAM plugin, such as host-local"
        raise CNIError(INVALID_CONFIG, f"ipam.type: {found} is this plugin itself", hint)
    return found


def call(request: Request, command: str) -> Result | None:
    """Run the IPAM plugin's *command* with our environment and standard input.

    Returns its Result for ADD, None otherwise. Raises CNIError: the plugin's own, or DELEGATE_FAILED.
    After a failed ADD its DEL is called, as the specification wants. So the caller must have refused a second
    ADD of an attachment: DEL would free what the first ADD has reserved.

    DEL is not called where our own plugin refused an address, since it had reserved nothing by then.
    Where two ADDs of one attachment ran at once, DEL of the second would free the address of the first;
    and in a full range it would take the lock for nothing, while others need it to free an address.
    """
    plugin_type = ipam_type(request)
    path = find(plugin_type, request.environ.get("CNI_PATH", ""))
    try:
        stdout = _run(request, command, plugin_type, path)
        return _result(request, plugin_type, stdout) if command == "ADD" else None
    except BaseException as error:
        untouched = plugin_type in request.siblings and getattr(error, "code", 0) in UNTOUCHED
        if command == "ADD" and not untouched:
            release(request)
        raise


def release(request: Request) -> None:
    """Call the IPAM plugin's DEL after a failed ADD, whose error is reported; one of DEL is not."""
    plugin_type = ipam_type(request)
    grace()
    try:
        _run(request, "DEL", plugin_type, find(plugin_type, request.environ.get("CNI_PATH", "")))
    except CNIError:
        pass


def _run(request: Request, command: str, plugin_type: str, path: str) -> bytes:
    """What the plugin printed, its failure raised."""
    environ = {**request.environ, "CNI_COMMAND": command}
    module = request.siblings.get(plugin_type)
    if module and _is_ours(path, plugin_type):
        code, stdout, stderr = *_in_process(module, environ, request), b""
    else:
        code, stdout, stderr = _executed(path, environ, request)
    if code:
        raise _failure(plugin_type, code, stdout, stderr)
    return stdout


def _is_ours(path: str, plugin_type: str) -> bool:
    """Whether the plugin found is the executable that stands beside our own, or a copy of the one file."""
    try:
        if IS_COPY:
            return IS_COPY(path)
        return system.same_file(path, system.join(EXECUTABLES, plugin_type))
    except OSError:
        return False


def _in_process(module: str, environ: Mapping[str, str], request: Request) -> tuple[int, bytes]:
    from core.cni.protocol import respond  # late: protocol knows nothing of delegation, and is loaded already

    __import__(module)  # the importlib package would cost another two modules
    return respond(sys.modules[module], environ, lambda: request.stdin, delegator=request)


def _executed(path: str, environ: Mapping[str, str], request: Request) -> tuple[int, bytes, bytes]:
    from core.cni.process import execute  # late: only for somebody else's plugin

    try:
        return execute(path, environ, request.stdin)
    except TimeoutError as late:
        raise CNIError(TRY_AGAIN_LATER, f"plugin {path} {late}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "is it executable, and for this machine?"
        raise CNIError(DELEGATE_FAILED, f"cannot execute plugin {path}: {reason}", hint) from None


def _result(request: Request, plugin_type: str, stdout: bytes) -> Result:
    """The Result in *stdout*; an error object there is that error, whatever the exit code said."""
    what = f"result of {plugin_type}"
    try:
        document = parse(stdout, what)
        error = _error(document)
        if error is None:
            return result.parse(document, request.version, what)
    except CNIError as unreadable:
        raise CNIError(DELEGATE_FAILED, unreadable.msg, f"it printed {_quoted(stdout)}") from None
    raise error


def _failure(plugin_type: str, code: int, stdout: bytes, stderr: bytes) -> CNIError:
    """The delegate's own error when it printed one, else what can be told of its end."""
    end = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    if not stdout.strip():
        reason = stderr[-2000:].decode("utf-8", "replace").strip() or end
        return CNIError(DELEGATE_FAILED, f"plugin {plugin_type} failed without a message: {reason}")
    try:
        error = _error(parse(stdout, "error"))
    except CNIError:
        error = None
    msg = f"plugin {plugin_type} failed ({end}) and printed no CNI error: {_quoted(stdout)}"
    return error or CNIError(DELEGATE_FAILED, msg)


def _error(document: object) -> CNIError | None:
    """The error that *document* is, None when it is none; a code out of range becomes DELEGATE_FAILED."""
    if not isinstance(document, dict):
        return None
    values = Section(document)
    code, msg, details = values.get("code"), values.get("msg"), values.get("details")
    if not isinstance(code, int) or not isinstance(msg, str):
        return None
    usable = code is not True and 0 < code <= MOST_CODE
    return CNIError(code if usable else DELEGATE_FAILED, msg, details if isinstance(details, str) else "")


def _quoted(output: bytes) -> str:
    return render(output[:200].decode("utf-8", "replace"))
