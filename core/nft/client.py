"""Our nft objects on the wire: one atomic batch a verb, elements read back by key or by owner.

Law: this module writes to tables named cniwire only. linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.netlink import socket
from core.netlink.message import ACK, CREATE, DUMP, EXCL, REQUEST, Message, attribute, attribute_list, attributes, nest, pack, string, text
from core.netlink.socket import NETFILTER
from core.nft.names import TABLE, Element
from core.nft.values import (
    BATCH_BEGIN,
    BATCH_END,
    DELSETELEM,
    FAMILIES,
    GETGEN,
    GETRULE,
    GETSET,
    GETSETELEM,
    GETTABLE,
    JUMP,
    NEWSETELEM,
    comment,
    comment_text,
    head,
    value,
    verdict,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

GENERATION = 1  # attribute of BATCH_BEGIN
ELEMENTS_PER_MESSAGE = 200  # the list's length is a 16-bit number
ENOBUFS = 105


def element_key(item: Element) -> bytes:
    return value(1, item.key)


def elements(kind: int, items: Iterable[Element], flags: int = 0) -> list[Message]:
    """NEWSETELEM or DELSETELEM messages, one a map and at most ELEMENTS_PER_MESSAGE in each."""
    grouped: dict[tuple[str, str], list[bytes]] = {}
    for item in items:
        check_deadline()
        body = value(1, item.key)
        if kind == NEWSETELEM:
            body += _mapped(item) + comment(6, item.owner)
        grouped.setdefault((item.family, item.map), []).append(nest(1, body))
    return [
        Message(kind, flags, head(family) + string(1, TABLE) + string(2, name) + nest(3, *members[start : start + ELEMENTS_PER_MESSAGE]))
        for (family, name), members in grouped.items()
        for start in range(0, len(members), ELEMENTS_PER_MESSAGE)
    ]


def _mapped(item: Element) -> bytes:
    """What an element's key leads to; the member of a set leads nowhere."""
    if item.chain:
        return verdict(2, JUMP, item.chain)
    return value(2, item.data) if item.data else b""


def create_elements(items: Iterable[Element]) -> list[Message]:
    """Create elements; EEXIST when a key is taken."""
    return elements(NEWSETELEM, items, CREATE | EXCL)


def delete_elements(items: Iterable[Element]) -> list[Message]:
    return elements(DELSETELEM, items)


class Firewall:
    """A netfilter netlink socket. Its close waits for the kernel to free what was deleted: close it last."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.socket = socket.Socket(NETFILTER)
        self._tables: set[tuple[int, str]] | None = None
        self.marks: dict[str, dict[str, list[str]]] = {}  # family -> chain -> its rules' comments, as the last look found them
        self.standing: dict[str, Any] = {}  # family -> core.nft.standing.Standing, until something is changed

    def close(self) -> None:
        self.socket.close()

    def commit(self, messages: list[Message], look: bool = False, generation: bytes = b"") -> None:
        """Carry out all messages or none of them. Raises OSError, the first that the kernel reports.

        look: list the rules of our tables on the way, into *marks*. The question goes out before the transaction, and nobody waits for it alone.
        generation: what generation() said; if anything has changed since, nothing is done (ERESTART).
        """
        self.standing.clear()
        question = self.socket.send((Message(GETRULE, DUMP, pack(">BBH", 0, 0, 0) + string(1, TABLE)),), REQUEST) if look else -1
        begin = Message(BATCH_BEGIN, 0, pack(">BBH", 0, 0, 10) + (attribute(GENERATION, generation) if generation else b""))
        end = Message(BATCH_END, 0, pack(">BBH", 0, 0, 10))
        last = messages[-1]
        last = Message(last.type, last.flags | ACK, last.payload)
        try:
            first = self.socket.send((begin, *messages[:-1], last, end), REQUEST)
            error, listed = self._outcome(first, first + len(messages), question)
        except BaseException:
            if look:  # no other list can be asked for while one is half read
                self._renew()
            raise
        if look:
            self.marks = _marks(listed)
        if error:
            raise error

    def _outcome(self, first: int, last: int, question: int) -> tuple[OSError | None, list[bytes]]:
        """The first error of a transaction whose messages have these numbers, and the answers to *question* (-1: none was asked)."""
        error, listed, open_ = None, list[bytes](), {last, question} - {-1}
        while open_:
            for kind, flags, sequence, payload in self._received(first):
                if sequence == question:
                    if kind in (socket.ERROR, socket.DONE):
                        open_.discard(question)
                    else:
                        listed.append(payload)
                elif kind == socket.ERROR and first <= sequence:
                    error = error or socket.failure(payload, flags)
                    if error and sequence == first or sequence == last:
                        open_.discard(last)
        return error, listed

    def _received(self, first: int) -> list[tuple[int, int, int, bytes]]:
        """The next messages. Raises OSError.

        Each message of a large transaction that the kernel refuses is answered, and not all of that may have room; the first
        refusal has, and is raised. All of it was said before send() returned, so there is nothing to wait for: where no refusal
        was, an answer is lost, and the transaction may have been carried out.
        """
        try:
            return self.socket.receive()
        except OSError as error:
            if error.errno != ENOBUFS:
                raise
            lost, refusal = error, None
        self.socket.socket.setblocking(False)
        try:
            while refusal is None:
                answers = [each for each in self.socket.receive() if each[0] == socket.ERROR and each[2] >= first]
                refusal = next(filter(None, [socket.failure(payload, flags) for _, flags, _, payload in answers]), None)
        except BlockingIOError:
            pass
        self._renew()
        raise refusal or lost

    def _renew(self) -> None:
        self.socket.close()
        self.socket = socket.Socket(NETFILTER)

    def generation(self) -> bytes:
        """What changes with every transaction of anybody. Raises OSError."""
        return attributes(self.socket.ask(Message(GETGEN, 0, pack(">BBH", 0, 0, 0)))[0][1], 4).get(1, b"")

    def has_table(self, family: str, name: str = TABLE) -> bool:
        """Whether there was such a table at the first look: what is not in it need not be deleted. Raises OSError."""
        if self._tables is None:
            try:
                replies = self.socket.ask(Message(GETTABLE, DUMP, pack(">BBH", 0, 0, 0)))
            except OSError as error:
                if error.errno not in socket.NOTHING_THERE:
                    raise
                replies = []
            self._tables = {(payload[0], text(attributes(payload, 4).get(1, b""))) for _, payload in replies if payload}
        return (FAMILIES[family], name) in self._tables

    def maps(self, family: str, prefixes: tuple[str, ...]) -> list[str]:
        """Names of our maps that start with one of *prefixes*; those of the table's skeleton need no asking."""
        try:
            replies = self.socket.ask(Message(GETSET, DUMP, head(family) + string(1, TABLE)))
        except OSError as error:
            if error.errno in socket.NOTHING_THERE:
                return []
            raise
        names = [text(attributes(payload, 4).get(2, b"")) for _, payload in replies]
        return [name for name in names if name.startswith(prefixes)]

    def find(self, item: Element) -> Element | None:
        """The element with the key of *item*, whoever owns it. Raises OSError."""
        payload = head(item.family) + string(1, TABLE) + string(2, item.map) + nest(3, nest(1, element_key(item)))
        try:
            replies = self.socket.ask(Message(GETSETELEM, 0, payload))
        except FileNotFoundError:
            return None
        return next((found for _, reply in replies for found in _decoded(item.family, item.map, reply)), None)

    def list(self, family: str, name: str, containing: bytes = b"") -> list[Element]:
        """The elements of a map; only datagrams in which *containing* occurs are decoded. Raises OSError."""
        try:
            replies = self.socket.ask(Message(GETSETELEM, DUMP, head(family) + string(1, TABLE) + string(2, name)))
        except FileNotFoundError:
            return []
        return [found for _, reply in replies if containing in reply for found in _decoded(family, name, reply, containing)]


def _marks(listed: list[bytes]) -> dict[str, dict[str, list[str]]]:
    """The comments of rules, by family and chain, in order."""
    names = {number: family for family, number in FAMILIES.items()}
    found: dict[str, dict[str, list[str]]] = {}
    for payload in listed:
        rule = attributes(payload, 4)
        found.setdefault(names.get(payload[0], ""), {}).setdefault(text(rule.get(2, b"")), []).append(comment_text(rule.get(7, b"")))
    return found


def _decoded(family: str, name: str, payload: bytes, containing: bytes = b"") -> list[Element]:
    """The elements in one NEWSETELEM payload whose bytes contain *containing*."""
    check_deadline()
    members = attributes(payload, 4).get(3, b"")
    return [_element(family, name, attributes(data)) for _, data in attribute_list(members) if containing in data]


def _element(family: str, name: str, found: dict[int, bytes]) -> Element:
    key = attributes(found.get(1, b"")).get(1, b"")
    data = attributes(found.get(2, b""))
    jump = text(attributes(data.get(2, b"")).get(2, b""))
    return Element(family, name, key, data.get(1, b""), jump, comment_text(found.get(6, b"")), "")
