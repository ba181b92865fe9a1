"""The conversation with the kernel's nft, on a socket that answers anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import parse
from core.netlink import socket
from core.netlink.message import ACK, CREATE, DUMP, Message, attribute, pack
from core.nft import ports, values
from core.nft.client import Netfilter
from core.nft.names import INET
from core.nft.values import NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWSETELEM
from core.publication import Mapping

PORT = ports.port_element(Mapping("tcp", b"", 8080, parse("10.1.0.2"), 80), "net/c1/eth0")


class Wire:
    """A socket that keeps what is sent and answers with datagrams that a test made of it."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.sent, self.queue = answer, b"", []  # type: ignore[var-annotated]

    def send(self, data: bytes) -> None:
        self.sent += data
        self.queue = [*self.queue, *self.answer(data)]

    def recv(self, size: int) -> bytes:
        if not self.queue:
            raise BlockingIOError(11, "nothing more comes")
        datagram: bytes = self.queue.pop(0)
        return datagram

    def setsockopt(self, *_: object) -> None:
        return

    def close(self) -> None:
        return


def on(wire: Wire) -> Netfilter:
    """A Netfilter on that socket; none of the kernel's is opened."""
    netfilter = Netfilter.__new__(Netfilter)
    netfilter.standing, netfilter.marks = {}, {}
    netfilter.socket = socket.Socket.__new__(socket.Socket)
    netfilter.socket.socket, netfilter.socket.sequence = wire, 0  # type: ignore[assignment]
    return netfilter


def datagram(*messages: tuple[int, int, int, bytes]) -> bytes:
    """Messages given as (type, flags, sequence, payload)."""
    return b"".join(
        pack("=IHHII", len(body) + 16, kind, flags, sequence, 0) + body + bytes(-len(body) % 4)
        for kind, flags, sequence, body in messages
    )


def acknowledgement(sequence: int, number: int = 0, said: str = "") -> tuple[int, int, int, bytes]:
    tail = attribute(1, said.encode() + b"\0") if said else b""
    return (2, 0x200 | 0x100 if said else 0x100, sequence, pack("=i", -number) + bytes(16) + tail)


def sequences(data: bytes) -> list[tuple[int, int, int]]:
    """(type, flags, sequence) of what was sent."""
    found, offset = [], 0
    while offset < len(data):
        size, kind, flags, sequence = (
            int.from_bytes(data[offset + at : offset + at + width], "little")
            for at, width in ((0, 4), (4, 2), (6, 2), (8, 4))
        )
        found.append((kind, flags, sequence))
        offset += size + (-size % 4)
    return found


def test_a_batch_is_one_datagram_and_asks_for_one_answer() -> None:
    """Only its last message asks for an acknowledgement; begin and end enclose it."""
    wire = Wire(lambda _: [datagram(acknowledgement(3))])
    on(wire).commit([Message(NFT_MSG_NEWCHAIN, CREATE, b""), Message(NFT_MSG_NEWRULE, CREATE, b"")])
    assert sequences(wire.sent) == [
        (0x10, 1, 1),
        (NFT_MSG_NEWCHAIN, 1 | CREATE, 2),
        (NFT_MSG_NEWRULE, 1 | CREATE | ACK, 3),
        (0x11, 1, 4),
    ]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([datagram(acknowledgement(2, 17), acknowledgement(3))], FileExistsError),
        # the first is told
        ([datagram(acknowledgement(2, 17)), datagram(acknowledgement(3, 2))], FileExistsError),
        ([datagram(acknowledgement(3, 2))], FileNotFoundError),
        ([datagram(acknowledgement(1, 1))], PermissionError),  # refused as a whole
        # of another batch, then ours
        ([datagram(acknowledgement(0, 5)), datagram(acknowledgement(3, 16))], OSError),
    ],
)
def test_a_refused_batch_raises_the_first_error(answers: list[bytes], error: type[OSError]) -> None:
    with pytest.raises(error):
        on(Wire(lambda _: answers)).commit(
            [Message(NFT_MSG_NEWCHAIN, CREATE, b""), Message(NFT_MSG_NEWRULE, CREATE, b"")]
        )


def test_the_kernels_own_words_stand_in_the_error() -> None:
    with pytest.raises(OSError, match=r"Invalid argument \(no such map\)"):
        on(Wire(lambda _: [datagram(acknowledgement(2, 22, "no such map"))])).commit(
            [Message(NFT_MSG_NEWRULE, CREATE, b"")]
        )


def test_a_dump_that_was_interrupted_is_asked_again() -> None:
    """Up to ten times, then "try again"."""
    answers = [datagram((NFT_MSG_NEWSETELEM, 0x10 | 2, 1, b"old")), datagram((3, 2, 1, bytes(4)))]
    again = [datagram((NFT_MSG_NEWSETELEM, 2, 2, b"new")), datagram((3, 2, 2, bytes(4)))]
    netfilter = on(Wire(lambda data: answers if sequences(data)[0][2] == 1 else again))
    assert netfilter.socket.ask(Message(values.NFT_MSG_GETSETELEM, DUMP, b"")) == [
        (NFT_MSG_NEWSETELEM, b"new")
    ]
    always = on(Wire(lambda data: [datagram((3, 0x10 | 2, sequences(data)[0][2], bytes(4)))]))
    with pytest.raises(InterruptedError):
        always.socket.ask(Message(values.NFT_MSG_GETSETELEM, DUMP, b""))


def test_every_request_gets_its_own_answers_in_whatever_order_they_come() -> None:
    answers = [
        datagram((24, 2, 2, b"b"), acknowledgement(2), (16, 0, 9, b"not asked for")),
        datagram((16, 0, 1, b"a"), acknowledgement(1, 19)),
    ]
    ((first, refused), (second, fine)) = on(Wire(lambda _: answers)).socket.exchange(
        (Message(18, 0, b""), Message(26, 0, b""))
    )
    assert (first, second, fine) == ([(16, b"a")], [(24, b"b")], None)
    assert refused is not None
    assert refused.errno == 19


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_whatever_the_socket_says_nothing_but_os_error_is_raised(datagrams: list[bytes]) -> None:
    """And it ends: here when nothing more comes."""
    for work in (
        lambda: on(Wire(lambda _: datagrams)).socket.ask(Message(18, 0, b"")),
        lambda: on(Wire(lambda _: datagrams)).commit([Message(NFT_MSG_NEWRULE, 0, b"")]),
        lambda: on(Wire(lambda _: datagrams)).find(PORT),
    ):
        with pytest.raises(OSError, match=r".*"):
            work()


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 0xFFFF), st.integers(0, 4), st.binary(max_size=60)),
        max_size=6,
    )
)
def test_well_framed_rubbish_raises_nothing_but_os_error(messages: list[tuple[int, int, int, bytes]]) -> None:
    for work in (
        lambda: on(Wire(lambda _: [datagram(*messages)])).socket.ask(Message(18, 0, b"")),
        lambda: on(Wire(lambda _: [datagram(*messages)])).commit([Message(NFT_MSG_NEWRULE, 0, b"")]),
        lambda: on(Wire(lambda _: [datagram(*messages)])).list(INET, "m"),
        lambda: on(Wire(lambda _: [datagram(*messages)])).maps(INET, ("m",)),
    ):
        try:
            work()
        except OSError:
            continue


def test_the_news_of_an_interrupted_list_that_nobody_waits_for_repeats_no_request() -> None:
    """A message of an earlier list, left in the socket, says NLM_F_DUMP_INTR.

    Our request is sent once all the same.
    """
    sent: list[list[tuple[int, int, int]]] = []

    def answer(data: bytes) -> list[bytes]:
        sent.append(sequences(data))
        return [datagram((16, 0x10, 1, b"")), datagram(acknowledgement(sent[-1][-1][2]))]

    wire = Wire(answer)
    netfilter = on(wire)
    netfilter.socket.sequence = 7
    netfilter.socket.do(Message(16, 0, b""))
    assert len(sent) == 1
