"""The netlink transport: a socket on which several requests travel in one send.

Law: a request that the kernel refuses is an OSError with the kernel's own explanation; nothing is retried in
silence but an interrupted dump. RFC 3549; linux/netlink.h.
"""

from __future__ import annotations

from errno import EINTR, EINVAL, ENOENT, EOPNOTSUPP, EPROTO, EPROTONOSUPPORT

from core.deadline import WAITING
from core.netlink.message import ACK, DUMP, LITTLE, REQUEST, Message, attributes, pack, text, unpack_from
from core.system import strerror

try:
    from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
    from _socket import if_indextoname as if_indextoname
except ImportError:  # another Python: the public module has the same names
    from socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket  # type: ignore[assignment]
    from socket import if_indextoname as if_indextoname

ROUTE, NETFILTER = 0, 12  # NETLINK_*, protocols
ERROR, DONE = 2, 3  # NLMSG_*, types of messages
NLM_F_DUMP_INTR, NLM_F_ACK_TLVS = 0x10, 0x200
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12
SOL_SOCKET, SO_SNDBUF, SO_SNDBUFFORCE = 1, 7, 32
NLMSGERR_ATTR_MSG = 1
MAX_ERRNO = 4095
NLMSGHDR, NLMSGHDR_BYTES, ERROR_BYTES = "=IHHII", 16, 4
NOTHING_THERE = (ENOENT, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP)  # of nftables, or there is no nftables
RECEIVE_BYTES = 1 << 16
SEND_BUFFER_BYTES = 1 << 17  # what a socket takes without being asked to grow
INTERRUPTED_TRIES = 10


class Socket:
    """A netlink socket in the network namespace in which it was made."""

    def __init__(self, protocol: int) -> None:
        """Raises OSError."""
        self.socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
        self.sequence = 0
        options = NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK
        for option in options[:2] if protocol == NETFILTER else options:
            self.socket.setsockopt(SOL_NETLINK, option, 1)

    def close(self) -> None:
        self.socket.close()

    def ask(self, message: Message) -> list[tuple[int, bytes]]:
        """Send one question and return the (type, payload) of each reply. Raises OSError."""
        replies, failure = self.ask_all((message,))[0]
        if failure:
            raise failure
        return replies

    def ask_all(self, messages: tuple[Message, ...]) -> list[tuple[list[tuple[int, bytes]], OSError | None]]:
        """As exchange, for questions: one dump, or any number of others.

        Their one reply is the end, so no acknowledgement is asked for.
        """
        return self.exchange(messages, REQUEST)

    def ask_each(
        self, messages: tuple[Message, ...], absent: tuple[int, ...]
    ) -> list[list[tuple[int, bytes]]]:
        """The replies to each of several questions, none where it fails with an errno of *absent*.

        Raises the first other OSError.
        """
        outcome = self.ask_all(messages)
        for _, failure in outcome:
            if failure and failure.errno not in absent:
                raise failure
        return [replies for replies, _ in outcome]

    def do(self, *messages: Message) -> list[list[tuple[int, bytes]]]:
        """Send requests together; each is carried out.

        Returns the replies to each; raises the first one's OSError.
        """
        outcome = self.exchange(messages)
        for _, failure in outcome:
            if failure:
                raise failure
        return [replies for replies, _ in outcome]

    def exchange(
        self, messages: tuple[Message, ...], acknowledged: int = REQUEST | ACK
    ) -> list[tuple[list[tuple[int, bytes]], OSError | None]]:
        """Send requests together and collect, for each, its replies and its error.

        Raises OSError if the socket fails.
        """
        one_reply = acknowledged == REQUEST and messages[0].flags != DUMP
        for _ in range(INTERRUPTED_TRIES):
            first = self.send(messages, acknowledged)
            outcome: list[tuple[list[tuple[int, bytes]], OSError | None]] = [([], None) for _ in messages]
            waiting, interrupted = set(range(first, first + len(messages))), 0
            while waiting:
                for kind, flags, sequence, payload in self.receive():
                    if sequence not in waiting:
                        continue  # of an earlier request, whose list is nobody's any more
                    interrupted |= flags & NLM_F_DUMP_INTR
                    if kind in (ERROR, DONE):
                        outcome[sequence - first] = (
                            outcome[sequence - first][0],
                            failure(payload, flags, kind),
                        )
                        waiting.discard(sequence)
                    else:
                        outcome[sequence - first][0].append((kind, payload))
                        if one_reply:
                            waiting.discard(sequence)
            if not interrupted:
                return outcome
        raise InterruptedError(EINTR, "the kernel's table kept changing while it was listed")

    def send(self, messages: tuple[Message, ...], acknowledged: int = REQUEST | ACK) -> int:
        """Send requests in one datagram; returns the sequence number of the first. Raises OSError."""
        first = self.sequence + 1
        parts = []
        for message in messages:
            self.sequence += 1
            flags = message.flags | acknowledged
            size = len(message.payload) + NLMSGHDR_BYTES
            parts.append(pack(NLMSGHDR, size, message.type, flags, self.sequence, 0) + message.payload)
        data = b"".join(parts)
        if len(data) > SEND_BUFFER_BYTES:
            self._grow(2 * len(data))
        self.socket.send(data)
        return first

    def _grow(self, size: int) -> None:
        try:
            self.socket.setsockopt(SOL_SOCKET, SO_SNDBUFFORCE, size)
        except (
            PermissionError
        ):  # root of a user namespace only: it may do as it is, or send() says that it does not
            self.socket.setsockopt(SOL_SOCKET, SO_SNDBUF, size)

    def receive(self) -> list[tuple[int, int, int, bytes]]:
        """The (type, flags, sequence, payload) of the messages in the next datagram.

        Raises OSError; its attribute unanswered tells that the kernel may have carried out what it was asked
        for.
        """
        try:
            with WAITING:
                data = self.socket.recv(RECEIVE_BYTES)
        except OSError as error:
            error.unanswered = True  # type: ignore[attr-defined]
            raise
        messages, offset, last = [], 0, len(data) - NLMSGHDR_BYTES
        while offset <= last:
            size, kind, flags, sequence, _ = unpack_from(NLMSGHDR, data, offset)
            if size < NLMSGHDR_BYTES:
                break
            behind = offset + size
            messages.append((kind, flags, sequence, data[offset + NLMSGHDR_BYTES : behind]))
            offset = behind + 3 & -4
        return messages


def failure(payload: bytes, flags: int, kind: int = ERROR) -> OSError | None:
    """The error in an acknowledgement or at the end of a dump, None when there is none."""
    if len(payload) < ERROR_BYTES:
        return None
    number = -int.from_bytes(payload[:ERROR_BYTES], "little" if LITTLE else "big", signed=True)
    if not number:
        return None
    if not 0 < number <= MAX_ERRNO:
        number = EPROTO
    behind = ERROR_BYTES if kind == DONE else ERROR_BYTES + NLMSGHDR_BYTES  # of the request, as it was sent
    said = text(attributes(payload, behind).get(NLMSGERR_ATTR_MSG, b"")) if flags & NLM_F_ACK_TLVS else ""
    return OSError(number, f"{strerror(number)} ({said})" if said else strerror(number))
