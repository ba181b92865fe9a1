"""Elements of our maps, as the kernel tells them. What each is for, core.nft.meaning tells.

Pure but for the clock of the verb.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.netlink.message import attribute_list, attributes, text
from core.nft import values
from core.nft.names import Element
from core.nft.values import NFGENMSG_BYTES, comment_text


def decoded(table: str, name: str, payload: bytes, containing: bytes = b"") -> list[Element]:
    """The elements of the map *name* in one NFT_MSG_NEWSETELEM payload.

    containing: only those whose bytes contain it.
    """
    check_deadline()
    members = attributes(payload, NFGENMSG_BYTES).get(values.NFTA_SET_ELEM_LIST_ELEMENTS, b"")
    found = [attributes(data) for _, data in attribute_list(members) if containing in data]
    return [_element(table, name, each) for each in found]


def _element(table: str, name: str, found: dict[int, bytes]) -> Element:
    key = attributes(found.get(values.NFTA_SET_ELEM_KEY, b"")).get(values.NFTA_DATA_VALUE, b"")
    mapped = attributes(found.get(values.NFTA_SET_ELEM_DATA, b""))
    chain = attributes(mapped.get(values.NFTA_DATA_VERDICT, b"")).get(values.NFTA_VERDICT_CHAIN, b"")
    owner = comment_text(found.get(values.NFTA_SET_ELEM_USERDATA, b""))
    return Element(table, name, key, mapped.get(values.NFTA_DATA_VALUE, b""), text(chain), owner, "")
