"""Our nft objects on the wire: one atomic batch a verb, elements read back by key or by owner.

Law: this module writes to tables named cniwire only. linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

from errno import ENOBUFS

from core.deadline import check as check_deadline
from core.netlink import socket
from core.netlink.message import (
    ACK,
    CREATE,
    DUMP,
    EXCL,
    REQUEST,
    Message,
    attribute,
    attributes,
    nest,
    pack,
    string,
    text,
)
from core.netlink.socket import NETFILTER
from core.nft import values
from core.nft.names import TABLE, Element
from core.nft.values import NFGENMSG_BYTES, comment, comment_text, head, value, verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

ELEMENTS_PER_MESSAGE = 200  # the list's length is a 16-bit number


def _map_place(table: str, name: str) -> bytes:
    named = string(values.NFTA_SET_ELEM_LIST_TABLE, TABLE) + string(values.NFTA_SET_ELEM_LIST_SET, name)
    return head(table) + named


def _elements(kind: int, items: Iterable[Element], flags: int = 0) -> list[Message]:
    """NFT_MSG_NEWSETELEM or _DELSETELEM messages, one a map and at most ELEMENTS_PER_MESSAGE in each."""
    grouped: dict[tuple[str, str], list[bytes]] = {}
    for item in items:
        check_deadline()
        body = value(values.NFTA_SET_ELEM_KEY, item.key)
        if kind == values.NFT_MSG_NEWSETELEM:
            body += _mapped(item) + comment(values.NFTA_SET_ELEM_USERDATA, item.owner)
        grouped.setdefault((item.table, item.map), []).append(nest(values.NFTA_LIST_ELEM, body))
    return [
        Message(
            kind,
            flags,
            _map_place(table, name) + nest(values.NFTA_SET_ELEM_LIST_ELEMENTS, *members[start:end]),
        )
        for (table, name), members in grouped.items()
        for start, end in [
            (at, at + ELEMENTS_PER_MESSAGE) for at in range(0, len(members), ELEMENTS_PER_MESSAGE)
        ]
    ]


def _mapped(item: Element) -> bytes:
    """What an element's key leads to; the member of a set leads nowhere."""
    if item.chain:
        return verdict(values.NFTA_SET_ELEM_DATA, values.NFT_JUMP, item.chain)
    return value(values.NFTA_SET_ELEM_DATA, item.data) if item.data else b""


def create_elements(items: Iterable[Element]) -> list[Message]:
    """Create elements; EEXIST when a key is taken."""
    return _elements(values.NFT_MSG_NEWSETELEM, items, CREATE | EXCL)


def delete_elements(items: Iterable[Element]) -> list[Message]:
    return _elements(values.NFT_MSG_DELSETELEM, items)


class Netfilter:
    """A netfilter netlink socket. Its close waits for the kernel to free what was deleted: close it last."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.socket = socket.Socket(NETFILTER)
        self._tables: set[tuple[int, str]] | None = None
        self.marks: dict[
            str, dict[str, list[str]]
        ] = {}  # table -> chain -> its rules' comments, as the last look found them
        self.standing: dict[str, Any] = {}  # table -> core.nft.standing.Standing, until something is changed

    def close(self) -> None:
        self.socket.close()

    def commit(self, messages: list[Message], look: bool = False, generation: bytes = b"") -> None:
        """Carry out all messages or none of them. Raises OSError, the first that the kernel reports.

        look: list the rules of our tables on the way, into *marks*. The question goes out before the
        transaction, and nobody waits for it alone.
        generation: what generation() said; if anything has changed since, nothing is done (ERESTART).
        """
        self.standing.clear()
        question = -1
        if look:
            rules = Message(values.NFT_MSG_GETRULE, DUMP, head() + string(values.NFTA_RULE_TABLE, TABLE))
            question = self.socket.send((rules,), REQUEST)
        subsystem = pack(">BBH", values.NFPROTO_UNSPEC, 0, values.NFNL_SUBSYS_NFTABLES)
        expected = attribute(values.NFNL_BATCH_GENID, generation) if generation else b""
        begin = Message(values.NFNL_MSG_BATCH_BEGIN, 0, subsystem + expected)
        end = Message(values.NFNL_MSG_BATCH_END, 0, subsystem)
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
        """The first error of the transaction with these numbers, and the answers to *question* (-1: none)."""
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

        Of a large transaction that the kernel refuses, each message is answered, and the socket may not have
        room for all answers; it has for the first refusal, which is raised. The kernel answers before send()
        returns, so there is nothing to wait for: where no refusal is found, an answer is lost, and the
        transaction may have been carried out.
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
                answers = [
                    each for each in self.socket.receive() if each[0] == socket.ERROR and each[2] >= first
                ]
                refusal = next(
                    filter(None, [socket.failure(payload, flags) for _, flags, _, payload in answers]), None
                )
        except BlockingIOError:
            pass
        self._renew()
        raise refusal or lost

    def _renew(self) -> None:
        self.socket.close()
        self.socket = socket.Socket(NETFILTER)

    def generation(self) -> bytes:
        """What changes with every transaction of anybody. Raises OSError."""
        reply = self.socket.ask(Message(values.NFT_MSG_GETGEN, 0, head()))[0][1]
        return attributes(reply, NFGENMSG_BYTES).get(values.NFTA_GEN_ID, b"")

    def has_table(self, table: str, name: str = TABLE) -> bool:
        """Whether there was such a table at the first look: what is not in it need not be deleted.

        Raises OSError.
        """
        if self._tables is None:
            try:
                replies = self.socket.ask(Message(values.NFT_MSG_GETTABLE, DUMP, head()))
            except OSError as error:
                if error.errno not in socket.NOTHING_THERE:
                    raise
                replies = []
            named = [(payload[0], attributes(payload, NFGENMSG_BYTES)) for _, payload in replies if payload]
            self._tables = {(number, text(found.get(values.NFTA_TABLE_NAME, b""))) for number, found in named}
        return (values.NFPROTO[table], name) in self._tables

    def maps(self, table: str, prefixes: tuple[str, ...]) -> list[str]:
        """Names of our maps in a table that begin with one of *prefixes*. Raises OSError."""
        try:
            replies = self.socket.ask(
                Message(values.NFT_MSG_GETSET, DUMP, head(table) + string(values.NFTA_SET_TABLE, TABLE))
            )
        except OSError as error:
            if error.errno in socket.NOTHING_THERE:
                return []
            raise
        found = [attributes(payload, NFGENMSG_BYTES) for _, payload in replies]
        names = [text(each.get(values.NFTA_SET_NAME, b"")) for each in found]
        return [name for name in names if name.startswith(prefixes)]

    def find(self, item: Element) -> Element | None:
        """The element with the key of *item*, whoever owns it. Raises OSError."""
        key = nest(values.NFTA_LIST_ELEM, value(values.NFTA_SET_ELEM_KEY, item.key))
        payload = _map_place(item.table, item.map) + nest(values.NFTA_SET_ELEM_LIST_ELEMENTS, key)
        try:
            replies = self.socket.ask(Message(values.NFT_MSG_GETSETELEM, 0, payload))
        except FileNotFoundError:
            return None
        from core.nft.decode import decoded  # late: ADD reads no elements

        return next((found for _, reply in replies for found in decoded(item.table, item.map, reply)), None)

    def list(self, table: str, name: str, containing: bytes = b"") -> list[Element]:
        """The elements of a map; only datagrams in which *containing* occurs are decoded. Raises OSError."""
        try:
            replies = self.socket.ask(Message(values.NFT_MSG_GETSETELEM, DUMP, _map_place(table, name)))
        except FileNotFoundError:
            return []
        from core.nft.decode import decoded  # late: as in find

        return [
            found
            for _, reply in replies
            if containing in reply
            for found in decoded(table, name, reply, containing)
        ]


def _marks(listed: list[bytes]) -> dict[str, dict[str, list[str]]]:
    """The comments of rules, by table and chain, in order."""
    tables = {number: table for table, number in values.NFPROTO.items()}
    found: dict[str, dict[str, list[str]]] = {}
    for payload in listed:
        rule = attributes(payload, NFGENMSG_BYTES)
        chains = found.setdefault(tables.get(payload[0], ""), {})
        mark = comment_text(rule.get(values.NFTA_RULE_USERDATA, b""))
        chains.setdefault(text(rule.get(values.NFTA_RULE_CHAIN, b"")), []).append(mark)
    return found
