"""The CNI protocol as one function: environment and standard input in, exit code and standard output out.

Law: respond never raises and never prints; what it returns is one JSON document or nothing.
Spec: section 2 "CNI protocol", section 5 "Error".
Pure but for the clock of the verb, and the look at our own namespace's identity.
"""

from __future__ import annotations

from core import deadline, errors, system
from core.attachment import Attachment
from core.cni import config as configuration
from core.cni import version
from core.cni.config import Section
from core.cni.json import parse_object, render
from core.cni.result import render as render_result
from core.errors import CNIError
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from core.cni.result import Result

    class Plugin(Protocol):
        """What a plugin module offers."""

        @property
        def NAME(self) -> str: ...  # noqa: N802
        @property
        def VERSIONS(self) -> tuple[str, ...]: ...  # noqa: N802
        @property
        def COMMANDS(self) -> Mapping[str, Callable[[Request], Result | None]]: ...  # noqa: N802


CONTAINERID, NETNS, IFNAME, PATH = "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"
REQUIRED: dict[str, tuple[str, ...]] = {
    "ADD": (CONTAINERID, NETNS, IFNAME, PATH),
    "CHECK": (CONTAINERID, NETNS, IFNAME, PATH),
    "DEL": (CONTAINERID, IFNAME, PATH),
    "GC": (PATH,),
    "STATUS": (PATH,),
    "VERSION": (),
}
ALPHANUMERIC = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
IDENTIFIER = ALPHANUMERIC | frozenset("_.-")
IFNAME_BYTES = 15
LAST_RESORT = b'{"cniVersion": "1.1.0", "code": 999, "msg": "the error cannot be told"}'


class Request(Record):
    """One call, checked: what a handler gets.

    plugin: the module that answers.
    version: the configuration's.
    args: CNI_ARGS.
    stdin: the bytes as they came, for delegates.
    siblings: our own executables, name -> module, for IPAM in process.
    kernel: opens a kernel, None for the real one.
    delegator: the call that this one serves in process.
    held: descriptors that are kept open until this call is over.
    there: looks whether the attachment exists by now; None where the plugin cannot look.
    """

    plugin: Plugin
    command: str
    config: Section
    version: str
    attachment: Attachment
    args: str
    stdin: bytes
    environ: Mapping[str, str]
    siblings: Mapping[str, str]
    kernel: Callable[[str], Any] | None
    delegator: Request | None
    held: list[int]
    there: Callable[[], bool] | None = None


def respond(
    plugin: Plugin,
    environ: Mapping[str, str],
    read_stdin: Callable[[], bytes],
    siblings: Mapping[str, str] | None = None,
    kernel: Callable[[str], Any] | None = None,
    delegator: Request | None = None,
) -> tuple[int, bytes]:
    """Answer one call of *plugin*.

    read_stdin is called once the environment is found to be in order, and never for VERSION.
    Returns (exit code, what belongs on standard output).
    """
    wanted = version.NEWEST
    held: list[int] = []
    try:
        command = environ.get("CNI_COMMAND", "")
        _check_environment(command, environ)
        if command == "VERSION":
            document = render({"cniVersion": version.NEWEST, "supportedVersions": plugin.VERSIONS})
            return 0, f"{document}\n".encode()
        stdin = _read(read_stdin)
        config = Section(parse_object(stdin, "network configuration"))
        wanted = config.get("cniVersion") or "0.1.0"  # perhaps no version, but an error has to name it
        _check_config(plugin, command, config)
        if command in ("ADD", "DEL"):
            environ = _foreign(command, environ)
        values = [environ.get(name, "") for name in (CONTAINERID, IFNAME, NETNS)]
        attachment, args = Attachment(config.text("name"), *values), environ.get("CNI_ARGS", "")
        means = (siblings or {}, kernel, delegator, held)
        request = Request(plugin, command, config, wanted, attachment, args, stdin, environ, *means)
        return 0, _carried_out(request)
    except BaseException as error:
        return 1, _failure(wanted, error, environ)
    finally:
        system.let_go(held)


def _carried_out(request: Request) -> bytes:
    """Run the handler of a checked call; the result of ADD as it is printed."""
    commands = request.plugin.COMMANDS
    result = commands[request.command](request) if request.command in commands else None
    if request.command != "ADD" or result is None:
        return b""
    return render(render_result(result, request.version), indent=4).encode()


def _failure(wanted: str, error: BaseException, environ: Mapping[str, str]) -> bytes:
    """The error document. With CNIWIRE_DEBUG the traceback of an unforeseen exception goes to stderr."""
    try:
        if not isinstance(error, CNIError):
            if environ.get("CNIWIRE_DEBUG"):
                _trace(error)
            error = _translated(error)
        spoken = wanted if wanted in version.ALL else version.NEWEST
        document = {"cniVersion": spoken, "code": error.code, "msg": error.msg}
        if error.details:
            document["details"] = error.details
        return render(document, indent=4).encode()
    except BaseException:  # memory is short, or an exception has no text
        return LAST_RESORT


def _translated(error: BaseException) -> CNIError:
    """The error for an exception that apply has not translated: one of the kernel, or an unforeseen one."""
    if isinstance(error, OSError):
        return CNIError(errors.of_kernel(error.errno), f"the kernel refused: {error}")
    return CNIError(errors.INTERNAL, f"{type(error).__name__}: {error}")


def _trace(error: BaseException) -> None:
    import traceback  # cold: 12 ms, and only when debugging is asked for

    text = "".join(traceback.format_exception(error))
    text = "".join([each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text])
    try:
        system.write(2, text.encode(errors="replace"))
    except OSError:  # nobody listens
        pass


def _read(read_stdin: Callable[[], bytes]) -> bytes:
    try:
        return read_stdin()
    except OSError as error:
        msg = f"cannot read the network configuration from standard input: {error.strerror or error}"
        raise CNIError(errors.IO_FAILURE, msg) from None


def _budget(command: str, config: Section) -> int:
    """timeoutSeconds, 0 when it is absent or, for DEL and GC, invalid. Raises CNIError."""
    try:
        return config.integer(deadline.KEY, 1, deadline.LONGEST_S)
    except CNIError:
        if command in ("DEL", "GC"):
            return 0
        raise


def _check_environment(command: str, environ: Mapping[str, str]) -> None:
    """The variables in the specification's order: a malformed one is told at once, missing ones together."""
    missing = [] if command else ["CNI_COMMAND"]
    for name in REQUIRED.get(command, ()):
        value = environ.get(name, "")
        if not value:
            missing.append(name)
        elif name == CONTAINERID and not is_identifier(value):
            raise CNIError(errors.INVALID_ENVIRONMENT, "invalid characters in CNI_CONTAINERID", value)
        elif name == IFNAME:
            complaint = ifname_complaint(value)
            if complaint:
                raise CNIError(errors.INVALID_ENVIRONMENT, f"invalid CNI_IFNAME {value!r}: {complaint}")
    if missing:
        raise CNIError(errors.INVALID_ENVIRONMENT, f"required env variables [{','.join(missing)}] missing")


def is_identifier(value: str) -> bool:
    """Whether *value* can be a container ID or network name: alphanumeric, then also `_`, `.` and `-`."""
    return value[:1] in ALPHANUMERIC and IDENTIFIER.issuperset(value)


def ifname_complaint(value: str) -> str:
    """Why *value* cannot name an interface, "" when it can."""
    try:
        if len(value.encode()) > IFNAME_BYTES:
            return f"longer than {IFNAME_BYTES} bytes"
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if value in (".", ".."):
        return "it is a directory"
    if any(character in "/:\0" or character.isspace() for character in value):
        return "it contains /, : or white space"
    return ""


def _check_config(plugin: Plugin, command: str, config: Section) -> None:
    """The name, the command, the version, in this order; and the budget that the configuration asks for."""
    name = configuration.network_name(config)
    if not name:
        raise CNIError(errors.INVALID_CONFIG, "missing network name", "the key name must be set")
    if not is_identifier(name):
        raise CNIError(errors.INVALID_CONFIG, "invalid characters in network name", name)
    if command not in REQUIRED:
        raise CNIError(errors.INVALID_ENVIRONMENT, f"unknown CNI_COMMAND: {command}")
    wanted = configuration.version(config)
    deadline.limit(_budget(command, config))
    version.gate(command, wanted, plugin.VERSIONS)


def _foreign(command: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, whose CNI_NETNS must not be our own namespace. Raises CNIError(INVALID_NETNS).

    A path that cannot be opened is left to the plugin, which knows whether it needs the namespace.
    The reference looks after the work is done; we look before, so that nothing has to be undone.
    For DEL such a CNI_NETNS is dropped: the container's process has died, and the number in /proc/PID/ns/net
    belongs to another process by now.
    """
    if environ.get("CNI_NETNS_OVERRIDE", "").lower() in ("1", "true") or not environ.get(NETNS):
        return environ
    try:
        theirs, ours = system.stat(environ[NETNS]), system.stat("/proc/self/ns/net")
    except (OSError, ValueError):
        return environ
    if (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino):
        if command == "DEL":
            return {**environ, NETNS: ""}
        complaint = f"CNI_NETNS {environ[NETNS]} is the plugin's own network namespace"
        raise CNIError(errors.INVALID_NETNS, complaint, "it has to be the container's")
    return environ
