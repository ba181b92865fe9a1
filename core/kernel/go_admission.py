"""Rules in the shapes of the Go reference suite's firewall, whoever made them: recognised and deleted.

Its chain CNI-FORWARD has two rules for each address, without a comment that would tell whose they are. Our
own backend iptables makes the same ones, and our nft sets tell whose.
"""

from __future__ import annotations

from core import address
from core.errors import CNIError, of_kernel
from core.kernel import filter as packet_filter
from core.netlink.message import Message, attribute, attribute_list, string
from core.netlink.socket import NOTHING_THERE
from core.nft import foreign, values
from core.nft.expression import address_field, compare
from core.nft.names import INET, Elements
from core.nft.standing import name_of
from core.plan.opening import CNI_FORWARD, FILTER, IPTABLES, Admissions
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State
    from core.nft.standing import Found

RULES = 2  # for an address
RACES = 5  # how often others may delete a part of what we are about to
ANSWERED, SENT = ["match", "immediate"], ["immediate"]  # behind the address


def delete_admission(kernel: Any, addresses: list[bytes]) -> list[CNIError]:
    """Delete the rules for *addresses*, whoever made them; returns the failures."""
    failures = []
    for family, mine in _by_family(addresses):
        try:
            _delete(kernel, family, mine)
        except OSError as error:
            told = f"cannot remove rules in the shapes of the Go firewall: {error.strerror}"
            failures.append(CNIError(of_kernel(error.errno), told))
    return failures


def has_admission(kernel: Any, addresses: list[bytes]) -> bool:
    """Whether both rules stand for each of *addresses*. Raises OSError."""
    return bool(addresses) and all([_has(kernel, family, mine) for family, mine in _by_family(addresses)])


def _has(kernel: Any, family: str, addresses: list[bytes]) -> bool:
    if min([len(_rules(kernel, family, [each])) for each in addresses]) >= RULES:
        return True
    if family not in kernel.legacy_families(FILTER):
        return False
    from core.kernel import legacy  # late: hardly a host has its tables

    return legacy.has_admission(addresses)


def _by_family(addresses: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """nft's word for each family of *addresses*, with those of it."""
    words = [(address.family(each).word, each) for each in dict.fromkeys(addresses)]
    return [(word, [each for other, each in words if other == word]) for word in dict.fromkeys(dict(words))]


def _delete(kernel: Any, family: str, addresses: list[bytes]) -> None:
    """Raises OSError; what others delete at the same time is gone as well."""
    for last in [False] * RACES + [True]:
        doomed = _rules(kernel, family, addresses)
        try:
            if doomed:
                kernel.netfilter.commit([_deletion(family, rule) for rule in doomed])
            break
        except OSError as error:
            if last or error.errno not in NOTHING_THERE:
                raise
    if family in kernel.legacy_families(FILTER):
        from core.kernel import legacy  # late: hardly a host has its tables

        legacy.delete_admission(addresses)


def _delete_all(kernel: State, want: Admissions) -> list[Any]:
    """The rules, and then the elements, which tell whose they are. Raises OSError."""
    if _may_be_there(kernel):
        admitted = packet_filter.elements_of(kernel, want.claims)
        for family, mine in _by_family([each.about.address for each in admitted if each.about]):
            _delete(kernel, family, mine)
    gone: list[Any] = packet_filter.DELETE[Elements](kernel, want.claims)
    return gone


def owned(kernel: State, kind: Admissions, network: str) -> list[tuple[str, Admissions]]:
    """(owner, all that it has admitted) of every owner of a network. Raises OSError."""
    owners = dict.fromkeys([owner for owner, _ in packet_filter.owned(kernel, kind.claims, network)])
    return [(owner, replace(kind, owner=owner)) for owner in owners]


def _may_be_there(kernel: Any) -> bool:
    """Whether there are elements of ours, and a table of iptables that may have rules for them."""
    has_table = kernel.netfilter.has_table
    return has_table(INET) and bool(
        any([has_table(family, FILTER) for family in IPTABLES]) or kernel.legacy_families(FILTER)
    )


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


DELETE: dict[type, Any] = {Admissions: _delete_all}
