"""The five lines around respond: file descriptors, the exit code, and what a bare call prints."""

from __future__ import annotations

import os

from core.protocol import respond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.protocol import Plugin

VERSION = "0.1.0"


def read_stdin() -> bytes:
    """Everything on file descriptor 0. Raises OSError."""
    chunks = []
    while chunk := os.read(0, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of *data*. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


def main(plugin: Plugin, siblings: Mapping[str, str]) -> None:
    """Answer the call in our environment and end the process: os._exit spares the interpreter's clean-up."""
    if not os.environ.get("CNI_COMMAND"):
        write_all(2, f"CNI {plugin.NAME} plugin {VERSION} (cniwire)\nCNI protocol versions supported: {', '.join(plugin.VERSIONS)}\n".encode())
        os._exit(0)
    code, output = respond(plugin, os.environ, read_stdin, siblings)
    try:
        write_all(1, output)
    except OSError:
        code = 1
    os._exit(code)
