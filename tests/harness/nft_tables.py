"""What always stands in our nft tables, by kind."""

from typing import Any

from core.nft.names import TABLES, Chain, Map
from core.nft.rules import members


def maps(family: str) -> list[Map]:
    return _of(family, Map)


def chains(family: str) -> list[Chain]:
    return _of(family, Chain)


def _of(family: str, kind: type) -> list[Any]:
    return [member for member in members(TABLES[family]) if isinstance(member, kind)]
