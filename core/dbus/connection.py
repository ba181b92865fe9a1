"""A connection to a message bus: method calls, one after the other, and the answer to each.

The first call waits for the bus once: credentials, greeting and call go out together, as nothing of what the
bus answers would change what is said next. Law: every wait is within the verb's budget (core.deadline), and
no call takes longer than ANSWER_S, whatever comes in meanwhile. D-Bus Specification, "Authentication
Protocol".
"""

from __future__ import annotations

from errno import EACCES, ECONNREFUSED, ECONNRESET, ENOENT, ENOTDIR, EPROTO, EREMOTEIO, ETIMEDOUT
from time import monotonic

from core import system
from core.dbus.message import ERROR, call, parse, size, socket_addresses
from core.deadline import WAITING, left
from core.deadline import check as check_deadline

try:
    from _socket import AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_STREAM, socket
except ImportError:  # another Python: the public module has the same names
    from socket import AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_STREAM, socket  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"  # the bus itself; its interface has its name
ANSWER_S = 25  # as long as other clients of D-Bus wait
BUS_ANSWER_S = 5  # the bus itself has nothing to do but to answer
LONGEST_LINE = 512  # bytes, of the authentication
RECEIVE_BYTES = 1 << 14
LONGEST_TEXT = 500  # characters of an error that are handed on
NO_BUS = (ENOENT, ENOTDIR, ECONNREFUSED)  # how the kernel says that there is none
ACCEPTED, REFUSED = b"OK ", b"REJECTED"
HELLO = 1  # the serial number of the greeting


class Refused(OSError):
    """The answer to a call is an error.

    name: of the error, `org.freedesktop.DBus.Error.ServiceUnknown`.
    text: what it says, "" for nothing.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(EREMOTEIO, f"{name}: {text}" if text else name)
        self.name, self.text = name, text


class Bus:
    """A connection to a message bus."""

    def __init__(self, addresses: str) -> None:
        """*addresses*: as D-Bus writes them, the first that can be had is taken; nothing is said to it yet.

        Raises OSError, of NO_BUS where there is none.
        """
        self.patience_s = BUS_ANSWER_S
        self.end = monotonic() + self.patience_s
        self.address = addresses
        self.socket = self._connected(addresses)
        self.buffer = b""
        self.serial = HELLO
        self.greeted = False

    def close(self) -> None:
        self.socket.close()

    def has_owner(self, name: str) -> bool:
        """Whether anybody owns a name on the bus. Raises OSError as call does."""
        return self._ask(BUS_ANSWER_S, bool, BUS, BUS_PATH, BUS, "NameHasOwner", name)

    def call(self, destination: str, path: str, interface: str, member: str, *arguments: str) -> str:
        """Call a method with strings, and return the string that it answers.

        Raises Refused where the answer is an error; another OSError where there is none or it is rubbish,
        whose attribute unanswered tells that the call may have been carried out. The connection is of no use
        then. Raises ValueError for an argument that D-Bus has no place for.
        """
        return self._ask(ANSWER_S, str, destination, path, interface, member, *arguments)

    def _ask(self, patience_s: int, kind: type[T], destination: str, *rest: str) -> T:
        self.serial += 1
        question = call(self.serial, destination, *rest)
        self.patience_s, self.end = patience_s, monotonic() + patience_s
        try:
            if self.greeted:
                self._send(question)
            else:
                self._greet(question)
            values = self._answer(self.serial)
            if len(values) != 1 or not isinstance(values[0], kind):
                raise ValueError(f"want one {kind.__name__}, found {values!r}")
        except ValueError as error:
            text = f"{self.address} answered rubbish: {str(error)[:LONGEST_TEXT]}"
            raise _unanswered(OSError(EPROTO, text)) from None
        except TimeoutError:
            check_deadline()
            text = f"{self.address} gave no answer within {self.patience_s} s"
            raise _unanswered(OSError(ETIMEDOUT, text)) from None
        except OSError as error:
            raise error if isinstance(error, Refused) else _unanswered(error) from None
        return values[0]

    def _greet(self, first: bytes) -> None:
        """Say who we are, and the first call with it; the bus has our user ID from the kernel, too."""
        user = str(system.geteuid()).encode().hex()
        greeting = call(HELLO, BUS, BUS_PATH, BUS, "Hello")
        self._send(f"\0AUTH EXTERNAL {user}\r\nBEGIN\r\n".encode() + greeting + first)
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > LONGEST_LINE:
                raise ValueError(f"want a line, found {self.buffer[:20]!r}...")
            self._receive()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        if line.startswith(REFUSED):
            raise PermissionError(EACCES, f"{self.address} does not accept user {system.geteuid()}")
        if not line.startswith(ACCEPTED):
            raise ValueError(f"want OK, found {line[:20]!r}")
        self.greeted = True

    def _answer(self, serial: int) -> tuple[Any, ...]:
        """The answer to a call; others, and signals, are passed over, but for a greeting that is refused."""
        while True:
            while len(self.buffer) < size(self.buffer):
                self._receive()
            whole = size(self.buffer)
            message, self.buffer = self.buffer[:whole], self.buffer[whole:]
            reply = parse(message)
            if reply.type == ERROR and reply.to in (HELLO, serial):
                said = reply.values[0] if reply.values and type(reply.values[0]) is str else ""
                raise Refused(reply.error, said[:LONGEST_TEXT])
            if reply.to == serial:
                return reply.values

    def _send(self, data: bytes) -> None:
        self._limit(self.socket)
        with WAITING:
            self.socket.sendall(data, MSG_NOSIGNAL)

    def _receive(self) -> None:
        self._limit(self.socket)
        with WAITING:
            data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError(ECONNRESET, f"{self.address} closed the connection")
        self.buffer += data

    def _limit(self, waiting: socket) -> None:
        """Let the next wait of a socket end with the call's time. Raises TimeoutError where that is over."""
        remaining = left(self.end - monotonic())
        if remaining <= 0:
            raise TimeoutError
        waiting.settimeout(remaining)

    def _connected(self, addresses: str) -> socket:
        """A socket to the first address that can be had. Raises the last one's OSError."""
        failure = OSError(ENOENT, f"want the address of a bus, unix:path=..., found {addresses!r}")
        for name in socket_addresses(addresses):
            self.address = f"the bus at {system.decoded(name.replace(bytes(1), b'@'))}"
            made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
            try:
                self._limit(made)
                with WAITING:
                    made.connect(name)
            except OSError as error:
                made.close()
                number = error.errno or ETIMEDOUT
                failure = OSError(number, f"{self.address}: {system.strerror(number)}")
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise failure


def _unanswered(error: OSError) -> OSError:
    error.unanswered = True  # type: ignore[attr-defined]
    return error
