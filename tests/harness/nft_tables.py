"""What always stands in our nft tables, by kind."""

from core.nft.names import TABLES, Chain, Map
from core.nft.rules import members


def maps(family: str) -> list[Map]:
    return [member for member in members(TABLES[family]) if isinstance(member, Map)]


def chains(family: str) -> list[Chain]:
    return [member for member in members(TABLES[family]) if isinstance(member, Chain)]
