"""A node goes back to the Go reference suite: what is wired gets its shapes, and then nothing of ours stays.

Law: what works goes on working. The rules of iptables are there before our elements go, and what all share
goes with the last element.
"""

from __future__ import annotations

from errno import ERESTART

from core.attachment import FIRST_IFNAME, Attachment
from core.errors import NOT_AVAILABLE, CNIError
from core.intent import ADMIT, ISOLATE, MASQUERADE, NO_SPOOF, PUBLISH, ZONE
from core.iptables import handover
from core.iptables.backend import LOOPBACK_COMMENT
from core.kernel import filter as packet_filter
from core.kernel import xtables
from core.kernel.go_rules import comment
from core.kernel.openings import COMMENT
from core.netlink.message import DUMP, Message, attribute, attributes, string
from core.nft import values
from core.nft.names import BRIDGE, INET, TABLE, Elements
from core.nft.values import NFGENMSG_BYTES, head
from core.plan import apply
from core.plan.records import Plan
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INTENTS = (MASQUERADE, PUBLISH, ADMIT, ISOLATE, ZONE, NO_SPOOF)
TRIES = 50  # how often others may change rules while we look
WORDS = {number: word for word, number in values.NFPROTO.items()}
PLACE = (values.NFTA_RULE_TABLE, values.NFTA_RULE_CHAIN, values.NFTA_RULE_HANDLE)


def standing(kernel: Any) -> dict[str, Any]:
    """Owner -> intent -> its elements in our tables. Raises OSError."""
    found: dict[str, Any] = {}
    for intent in INTENTS:
        for each in packet_filter.elements_of(kernel, Elements(intent, "")):
            found.setdefault(each.holder, {one: [] for one in INTENTS})[intent].append(each)
    return found


def move(kernel: Any, attachments: list[Attachment], there: dict[str, Any]) -> list[str]:
    """Give a container's attachments to one network the reference's rules instead of our elements.

    Where somebody drops what is forwarded, and has a rule of ours that lets through what we admit, that stays
    until the container goes: the reference does not admit published ports, and asks no nft table.

    there: what standing() said. Returns the comments of elements, owner and witness, for which there are
    rules now. Raises CNIError, and all is as it was.
    """
    owners = [each.owner for each in attachments if each.owner in there]
    found = {intent: [each for owner in owners for each in there[owner][intent]] for intent in INTENTS}
    moved = handover.movable(found)
    obstacle = xtables.probe(kernel) if moved else ""
    if obstacle:
        raise CNIError(NOT_AVAILABLE, f"iptables cannot be used: {obstacle}")
    goes = [intent for intent in moved if intent != ADMIT or not _commented(kernel, COMMENT)]
    doomed = [each for intent in goes for each in found[intent]]
    made = Plan(*handover.records(found, replace(attachments[0], ifname=FIRST_IFNAME, port="")))
    if moved:
        apply.add(kernel, made, lambda: kernel.delete(*doomed) if doomed else [])
    return sorted({each.owner for intent in moved for each in found[intent]})


def clear(kernel: Any) -> list[str]:
    """Delete our tables and our rules in those of others, unless somebody has an element there.

    Returns whose elements there are. Raises OSError.
    """
    left: list[str] = []
    for attempt in range(TRIES):
        generation = kernel.netfilter.generation()
        left = sorted(standing(kernel))
        doomed = [] if left else [*_commented(kernel, COMMENT, LOOPBACK_COMMENT), *_tables(kernel)]
        try:
            if doomed:
                kernel.netfilter.commit(doomed, generation=generation)
            break
        except OSError as error:
            if error.errno != ERESTART or attempt == TRIES - 1:
                raise
    if not left and "ip" in kernel.legacy_families("raw"):
        from core.kernel import legacy  # late: hardly a host has its tables

        legacy.delete_commented("ip", "raw", LOOPBACK_COMMENT)
    return left


def _tables(kernel: Any) -> list[Message]:
    replies = kernel.netfilter.socket.ask(Message(values.NFT_MSG_GETTABLE, DUMP, head()))
    there = [(payload[0], attributes(payload, NFGENMSG_BYTES)) for _, payload in replies]
    name = string(values.NFTA_TABLE_NAME, TABLE)
    wanted = attributes(name)[values.NFTA_TABLE_NAME]
    ours = [WORDS.get(number) for number, each in there if each.get(values.NFTA_TABLE_NAME) == wanted]
    return [Message(values.NFT_MSG_DELTABLE, 0, head(each) + name) for each in (INET, BRIDGE) if each in ours]


def _commented(kernel: Any, *comments: str) -> list[Message]:
    """What deletes the rules of ours that stand in tables of others; their comments tell."""
    made = []
    for _, payload in kernel.netfilter.socket.ask(Message(values.NFT_MSG_GETRULE, DUMP, head())):
        rule = attributes(payload, NFGENMSG_BYTES)
        if payload[0] in WORDS and comment(rule) in comments:
            where = b"".join([attribute(kind, rule[kind]) for kind in PLACE])
            made.append(Message(values.NFT_MSG_DELRULE, 0, head(WORDS[payload[0]]) + where))
    return made
