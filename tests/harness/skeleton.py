"""What always stands in our nft tables, by kind."""

from core.nft.names import TABLES, Chain
from core.nft.rules import Map


def maps(family: str) -> list[Map]:
    return [member for member in TABLES[family].members if isinstance(member, Map)]


def chains(family: str) -> list[Chain]:
    return [member for member in TABLES[family].members if isinstance(member, Chain)]
