"""Healing of what is shared in the packet filter: missing tables, maps and chains, and altered chains.

Loaded by a node's first ADD, and where an ADD finds marks wrong. Pure.
"""

from __future__ import annotations

from core.nft.names import Chain, Map
from core.nft.rules import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def heal(kernel: Any, skeleton: list[Any], attempt: Callable[..., Any]) -> None:
    """Make what is missing of shared tables and chains, and write what differs, in one transaction.

    Raises CNIError.

    A map of other types can be replaced only when no rule looks it up, so it takes all chains along. attempt:
    core.plan.apply's.
    """
    wanted = [member for record in skeleton for member in members(record)]
    found = [(member, attempt("find", member, kernel.find, member)) for member in wanted]
    is_looked_up = any([now and now != member and member.rank == Map.rank for member, now in found])
    broken = [
        member for member, now in found if now != member or (is_looked_up and member.rank == Chain.rank)
    ]
    if broken:
        attempt("create", broken[0], kernel.create, *broken)
