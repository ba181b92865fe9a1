"""The few lines around respond: file descriptors, the exit code, and what a bare call prints.

Law: an answer that could not be delivered is a failure, exit code 1. If it was that of an ADD, what ADD made
is undone, since no runtime knows that it exists.
"""

from __future__ import annotations

from errno import EIO

from core import deadline, system
from core.cni.protocol import respond
from core.cni.version import SUITE
from core.errors import CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.cni.protocol import Plugin

REFERENCE = "1.9.1"  # the release of the Go suite whose behaviour we match; hosts ask for features by it


def read_stdin() -> bytes:
    """Everything on file descriptor 0. Raises OSError."""
    chunks: list[bytes] = []
    while True:
        try:
            with deadline.WAITING:
                chunk = system.read(0, 1 << 20)
        except BlockingIOError:
            _await(0, writing=False)
            continue
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of *data*. Raises OSError."""
    while data:
        try:
            with deadline.WAITING:
                written = system.write(descriptor, data)
        except BlockingIOError:
            _await(descriptor, writing=True)
            continue
        if not written:
            raise OSError(EIO, "nothing can be written")
        data = data[written:]


def _await(descriptor: int, writing: bool) -> None:
    from select import select  # late: only where a runtime hands us a descriptor that does not block

    with deadline.WAITING:
        select([] if writing else [descriptor], [descriptor] if writing else [], [])


def occupy_closed_descriptors() -> None:
    """Open /dev/null as each of the descriptors 0 to 2 that is closed.

    Otherwise a file that we open later would get that number, and be read or written as a standard stream.
    What is put there fails as a closed descriptor would: stdin cannot be read, the others cannot be written.
    """
    for descriptor in (0, 1, 2):
        try:
            system.fstat(descriptor)
        except OSError:
            # open takes the lowest free number, which is this one.
            system.open("/dev/null", system.O_RDONLY if descriptor else system.O_WRONLY)


def about(plugin: Plugin) -> bytes:
    """What a call without CNI_COMMAND tells an administrator, and programs that read it.

    The version is that of the reference, with ours as its build metadata.
    """
    supported = f"CNI protocol versions supported: {', '.join(plugin.VERSIONS)}"
    return f"CNI {plugin.NAME} plugin v{REFERENCE}+cniwire.{SUITE}\n{supported}\n".encode()


def _answer(plugin: Plugin, environ: dict[str, str], siblings: Mapping[str, str]) -> int:
    """Carry out the call and deliver the answer; returns the exit code.

    Raises OSError or CNIError when the answer could not be delivered.
    """
    heard: list[bytes] = []

    def listen() -> bytes:
        heard.append(read_stdin())
        return heard[0]

    code, output = respond(plugin, environ, listen, siblings)
    deadline.grace()  # from here on a signal does not keep the answer from being delivered
    try:
        write_all(1, output)
    except (OSError, CNIError):
        if code == 0 and environ["CNI_COMMAND"] == "ADD":
            deadline.grace()
            respond(plugin, {**environ, "CNI_COMMAND": "DEL"}, lambda: heard[0], siblings)
        raise
    return code


def main(plugin: Plugin, siblings: Mapping[str, str]) -> None:
    """Answer the call in our environment and end the process, without the interpreter's clean-up."""
    try:
        occupy_closed_descriptors()
        environ = system.environment()
        if environ.get("CNI_COMMAND"):
            deadline.begin(deadline.chosen(environ.get(deadline.VARIABLE, "")))
            code = _answer(plugin, environ, siblings)
        else:
            code = 0
            write_all(2, about(plugin))
    except (OSError, KeyboardInterrupt, CNIError):
        code = 1
    system._exit(code)
