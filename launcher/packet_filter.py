"""What the kernel's packet filter holds, read with the plugins' own codec, as `nft` may not be installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.netlink.message import DUMP, Message, attribute, attribute_list, attributes, text
from core.netlink.socket import NETFILTER, Socket
from core.nft import values as nft
from core.nft.values import NFGENMSG_BYTES, comment_text

FAMILY_NAMES = {number: name for name, number in nft.NFPROTO.items()}


def elements(reader: Socket, table: str = "") -> Iterator[tuple[str, str, str, bytes, str]]:
    """Family, table, map or set, key and comment of each element. Raises OSError.

    table: its name, to read the elements of one table; "" for all.
    """
    for family, found in dump(reader, nft.NFT_MSG_GETSET):
        own, name = found[nft.NFTA_SET_TABLE], found[nft.NFTA_SET_NAME]
        if table not in ("", text(own)):
            continue
        chosen = attribute(nft.NFTA_SET_ELEM_LIST_TABLE, own) + attribute(nft.NFTA_SET_ELEM_LIST_SET, name)
        for _, part in dump(reader, nft.NFT_MSG_GETSETELEM, family, chosen):
            for _, element in attribute_list(part.get(nft.NFTA_SET_ELEM_LIST_ELEMENTS, b"")):
                values = attributes(element)
                comment = comment_text(values.get(nft.NFTA_SET_ELEM_USERDATA, b""))
                yield family, text(own), text(name), values.get(nft.NFTA_SET_ELEM_KEY, b""), comment


def comments(table: str) -> Iterator[str]:
    """The comments of the elements in a *table*, in every family. Raises OSError."""
    with netfilter() as reader:
        yield from (comment for *_, comment in elements(reader, table) if comment)


def dump(
    reader: Socket, kind: int, family: str = "", body: bytes = b""
) -> list[tuple[str, dict[int, bytes]]]:
    """Family and attributes of every object that the kernel lists for one request. Raises OSError.

    kind: a type of message, such as nft.NFT_MSG_GETRULE. family: "" for all.
    """
    replies = [payload for _, payload in reader.ask(Message(kind, DUMP, nft.head(family) + body))]
    return [(FAMILY_NAMES.get(payload[0], "?"), attributes(payload, NFGENMSG_BYTES)) for payload in replies]


@contextmanager
def netfilter() -> Iterator[Socket]:
    """A netfilter socket, closed in the end. Raises OSError."""
    reader = Socket(NETFILTER)
    try:
        yield reader
    finally:
        reader.close()
