"""Our nft messages as pyroute2 reads them, rules a list of lines."""

from typing import Any

from pyroute2.netlink.nfnetlink.nftsocket import (
    nft_chain_msg,
    nft_rule_msg,
    nft_set_elem_list_msg,
    nft_set_msg,
    nft_table_msg,
)

from core.netlink.message import Message
from core.nft import changes
from core.nft.names import TABLES
from core.nft.values import (
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELRULE,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
)
from tests.harness.nft_tables import chains, maps
from tests.harness.oracle import read

READERS = {
    NFT_MSG_NEWTABLE: nft_table_msg,
    NFT_MSG_NEWCHAIN: nft_chain_msg,
    NFT_MSG_NEWRULE: nft_rule_msg,
    NFT_MSG_NEWSET: nft_set_msg,
}
READERS |= {
    NFT_MSG_DELRULE: nft_rule_msg,
    NFT_MSG_NEWSETELEM: nft_set_elem_list_msg,
    NFT_MSG_DELSETELEM: nft_set_elem_list_msg,
    NFT_MSG_DELCHAIN: nft_chain_msg,
}


def decoded(message: Message) -> dict[str, Any]:
    return read(message, READERS[message.type])


def steps(rule: dict[str, Any]) -> list[str]:
    """The expressions of a rule, a line each: name and values in pyroute2's words.

    Prefixes that constants of a kind share, such as NFT_, are left out.
    """
    return [
        step(each["NFTA_EXPR_NAME"], each.get("NFTA_EXPR_DATA", {})) for each in rule["NFTA_RULE_EXPRESSIONS"]
    ]


def step(name: str, data: dict[str, Any]) -> str:
    said = [word(value) for value in data.values()]
    return " ".join([name, *[each for each in said if each]])  # a value without any flag has none


def word(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(word(each) for each in value.values())
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset):  # flags, whose order is not told
        value = "+".join(sorted(map(word, value)))
    text = str(value)
    for prefix in (
        "NF_NAT_RANGE_",
        "NFT_META_",
        "NFT_REG_",
        "NFT_PAYLOAD_",
        "NFT_CMP_",
        "NFT_CT_",
        "NFT_NAT_",
        "NFT_RANGE_",
        "NFT_",
    ):
        text = text.removeprefix(prefix)
    return text.lower()


def rules(messages: list[Message]) -> dict[str, list[list[str]]]:
    """Chain -> the expressions of its rules."""
    found: dict[str, list[list[str]]] = {}
    for message in messages:
        if message.type == NFT_MSG_NEWRULE:
            rule = decoded(message)
            found.setdefault(rule["NFTA_RULE_CHAIN"], []).append(steps(rule))
    return found


def made(family: str) -> list[Message]:
    """What creates everything that is always there."""
    rules_ = [message for chain in chains(family) for message in changes.new_chain(chain)]
    return [changes.new_table(TABLES[family]), *map(changes.new_map, maps(family)), *rules_]
