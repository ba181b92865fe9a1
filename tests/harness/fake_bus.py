"""A bus that says whatever a test wants, on a Unix socket; its words are jeepney's, and not our codec's."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jeepney import HeaderFields, Message, MessageFlag, new_error, new_method_call, new_method_return
from jeepney.low_level import Endianness, Header, MessageType
from jeepney.wrappers import DBusAddress

OK = b"OK 0123456789abcdef0123456789abcdef\r\n"
SENDER = "org.freedesktop.DBus"
HELLO, FIRST = 1, 2  # serial numbers of the greeting and of the first call behind it


def _to(serial: int) -> Message:
    """The call that an answer is to."""
    made: Message = new_method_call(DBusAddress("/", SENDER), "Ping")
    made.header.serial = serial
    made.header.fields[HeaderFields.sender] = ":1.7"
    return made


def answer(serial: int, signature: str = "", *values: Any, big: bool = False) -> bytes:
    """The answer to the call with that number."""
    made = new_method_return(_to(serial), signature or None, values)
    if big:
        made.header.endianness = Endianness.big
    return bytes(made.serialise(serial=serial + 100))


def failure(serial: int, name: str, text: str = "") -> bytes:
    """An error as the answer to the call with that number."""
    made = new_error(_to(serial), name, "s" if text else None, (text,) if text else ())
    return bytes(made.serialise(serial=serial + 100))


def signal() -> bytes:
    """What a bus tells without being asked, here with a dictionary in it."""
    fields: dict[HeaderFields, Any] = {
        HeaderFields.path: "/org/freedesktop/DBus",
        HeaderFields.interface: SENDER,
        HeaderFields.member: "NameAcquired",
        HeaderFields.sender: SENDER,
        HeaderFields.signature: "a{sv}",
    }
    header = Header(Endianness.little, MessageType.signal, MessageFlag(0), 1, 0, 3, fields)
    return bytes(Message(header, ({"a": ("s", "b")},)).serialise())


def greeting() -> bytes:
    """What a bus says before it answers the first call."""
    return OK + answer(HELLO, "s", ":1.7") + signal()


@contextmanager
def speaking(
    path: Path, *words: bytes, hangs: bool = False, most: int = 1, heard: list[bytes] | None = None
) -> Iterator[str]:
    """A bus whose address this gives: to *most* connections in turn it says all of *words*, and hangs up.

    hangs: it keeps the connections open instead. heard: gets what comes in first on each connection.
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    kept: list[socket.socket] = []

    def serve() -> None:
        for _ in range(most):
            try:
                connection, _ = listener.accept()
                kept.append(connection)
                received = connection.recv(1 << 16)
                if heard is not None:
                    heard.append(received)
                connection.sendall(b"".join(words))
                if not hangs:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                return

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield f"unix:path={path}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join()
        for connection in kept:
            connection.close()
