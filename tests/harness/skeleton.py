"""What always stands in our nft tables, by kind."""

from core.rules import Map
from core.ruleset import TABLES, Chain


def maps(family: str) -> list[Map]:
    return [member for member in TABLES[family].members if isinstance(member, Map)]


def chains(family: str) -> list[Chain]:
    return [member for member in TABLES[family].members if isinstance(member, Chain)]
