"""What the Go reference suite admits with iptables-nft: recognised and cleaned, never written.

Its chain CNI-FORWARD has two rules for each address, without a comment that would tell whose they are.
"""

from __future__ import annotations

from core import address
from core.errors import KERNEL_REFUSED, CNIError
from core.netlink.message import Message, attribute, attribute_list, string
from core.netlink.socket import NOTHING_THERE
from core.nft import foreign, values
from core.nft.expression import address_field, compare
from core.nft.standing import name_of
from core.plan.opening import CNI_FORWARD, FILTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.nft.standing import Found

ANSWERED, SENT = ["match", "immediate"], ["immediate"]  # behind the address


def delete_admission(kernel: Any, addresses: list[bytes]) -> list[CNIError]:
    """Delete the rules for *addresses*; returns the failures."""
    failures = []
    for family in address.FAMILIES:
        mine = [each for each in addresses if address.family(each) is family]
        try:
            doomed = _rules(kernel, family.word, mine) if mine else []
            if doomed:
                kernel.netfilter.commit([_deletion(family.word, rule) for rule in doomed])
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                told = f"cannot remove what the Go plugins made: {error.strerror}"
                failures.append(CNIError(KERNEL_REFUSED, told))
    return failures


def has_admission(kernel: Any, addresses: list[bytes]) -> bool:
    """Whether both rules stand for each of *addresses*. Raises OSError."""
    found = [len(_rules(kernel, address.family(each).word, [each])) for each in addresses]
    return bool(found) and min(found) >= 2


def _rules(kernel: Any, family: str, addresses: list[bytes]) -> list[Found]:
    rules = foreign.rules(kernel.netfilter, family, FILTER, CNI_FORWARD)
    starts = [_match(each, source) for each in addresses for source in (True, False)]
    return [rule for rule in rules if any([_is_for(rule, start) for start in starts])]


def _match(packed: bytes, source: bool) -> list[bytes]:
    """The members of an expression list that compare an address."""
    loaded = address_field(address.family(packed), source) + compare(packed)
    return [member for _, member in attribute_list(loaded)]


def _is_for(rule: Found, start: list[bytes]) -> bool:
    members = foreign.meaning(rule)
    names = [name_of(member) for member in members[len(start) :]]
    return members[: len(start)] == start and names in (ANSWERED, SENT)


def _deletion(family: str, rule: Found) -> Message:
    named = string(values.NFTA_RULE_TABLE, FILTER) + string(values.NFTA_RULE_CHAIN, CNI_FORWARD)
    handle = attribute(values.NFTA_RULE_HANDLE, rule.handle)
    return Message(values.NFT_MSG_DELRULE, 0, values.head(family) + named + handle)
