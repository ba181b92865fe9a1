"""Chains and rules of others on the forward hook: read, and one rule or two written into them.

Law: every rule that is written here says in its comment that it is ours, and nothing of others is deleted or
changed. Every function takes the Netfilter, whose socket asks. In the tables of iptables a rule has the shape
that iptables-nft reads: a counter before the verdict, and the comment as iptables 1.8 writes it for nft.
"""

from __future__ import annotations

from core.netlink.message import (
    APPEND,
    CREATE,
    DUMP,
    Message,
    attribute,
    attribute_list,
    attributes,
    nest,
    pack,
    string,
    text,
)
from core.netlink.socket import NOTHING_THERE
from core.nft import values
from core.nft.expression import Rule, expression
from core.nft.names import TABLE
from core.nft.standing import Found, data_of, name_of
from core.nft.values import NFGENMSG_BYTES, comment, comment_text, head
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.nft.client import Netfilter

NF_INET_FORWARD = 2
FAMILIES = ("inet", "ip", "ip6")
NFTA_TABLE_OWNER, NFTA_RULE_POSITION = 7, 6
NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS = 1, 2
NFTA_TARGET_NAME, NFTA_MATCH_INFO = 1, 3  # of iptables' own targets and matches
# Expressions that match nothing; a rule of these alone holds for every packet.
ALWAYS = ("counter", "immediate", "reject", "log", "target", "match")


class Base(Record):
    """A base chain: nft's word for its family, its table, its name, and whether its policy is drop."""

    family: str
    table: str
    name: str
    drops: bool


def _asked(netfilter: Netfilter, question: Message) -> list[tuple[bytes, dict[int, bytes]]]:
    """First byte and attributes of each answer; none where there is no such thing. Raises OSError."""
    try:
        replies = netfilter.socket.ask(question)
    except OSError as error:
        if error.errno not in NOTHING_THERE:
            raise
        return []
    return [(payload[:1], attributes(payload, NFGENMSG_BYTES)) for _, payload in replies]


def forward_chains(netfilter: Netfilter) -> list[Base]:
    """Every base chain on the forward hook that is not ours, of the families that see IP. Raises OSError."""
    words = {bytes([values.NFPROTO[family]]): family for family in FAMILIES}
    found = []
    for number, chain in _asked(netfilter, Message(values.NFT_MSG_GETCHAIN, DUMP, head())):
        hook = attributes(chain.get(values.NFTA_CHAIN_HOOK, b"")).get(values.NFTA_HOOK_HOOKNUM, b"")
        table = text(chain.get(values.NFTA_CHAIN_TABLE, b""))
        if number not in words or int.from_bytes(hook, "big") != NF_INET_FORWARD or table == TABLE:
            continue
        policy = int.from_bytes(chain.get(values.NFTA_CHAIN_POLICY, b""), "big")
        name = text(chain.get(values.NFTA_CHAIN_NAME, b""))
        found.append(Base(words[number], table, name, policy == values.NF_DROP))
    return found


def is_owned(netfilter: Netfilter, family: str, table: str) -> bool:
    """Whether a table belongs to a process, and nobody else may write to it. Raises OSError."""
    named = head(family) + string(values.NFTA_TABLE_NAME, table)
    return any(
        [
            NFTA_TABLE_OWNER in each
            for _, each in _asked(netfilter, Message(values.NFT_MSG_GETTABLE, 0, named))
        ]
    )


def has_chain(netfilter: Netfilter, family: str, table: str, chain: str) -> bool:
    """Raises OSError."""
    named = string(values.NFTA_CHAIN_TABLE, table) + string(values.NFTA_CHAIN_NAME, chain)
    return bool(_asked(netfilter, Message(values.NFT_MSG_GETCHAIN, 0, head(family) + named)))


def rules(netfilter: Netfilter, family: str, table: str, chain: str) -> list[Found]:
    """The rules of a chain, in order. Raises OSError."""
    named = string(values.NFTA_RULE_TABLE, table) + string(values.NFTA_RULE_CHAIN, chain)
    return [
        Found(
            each.get(values.NFTA_RULE_HANDLE, b""),
            comment_text(each.get(values.NFTA_RULE_USERDATA, b"")),
            each.get(values.NFTA_RULE_EXPRESSIONS, b""),
        )
        for _, each in _asked(netfilter, Message(values.NFT_MSG_GETRULE, DUMP, head(family) + named))
        if text(each.get(values.NFTA_RULE_CHAIN, b"")) == chain  # kernels before 5.7 list all
    ]


def end(found: list[Found]) -> Found | None:
    """The first rule that decides about every packet: what stands behind it is never asked."""
    return next((rule for rule in found if decision(rule)), None)


def decision(rule: Found) -> str:
    """What a rule does with every packet that comes to it: drop, accept, return; "" where it depends."""
    outcome = ""
    for _, member in attribute_list(rule.expressions):
        name, data = name_of(member), data_of(member)
        kind = text(data.get(NFTA_TARGET_NAME, b"")) if name in ("target", "match") else name
        if name not in ALWAYS or (name == "match" and not is_comment(member)):
            return ""
        if kind in ("reject", "REJECT"):
            outcome = "drop"
        elif name == "immediate":
            outcome = VERDICTS.get(_verdict(data), "")
    return outcome


VERDICTS = {values.NF_DROP: "drop", values.NF_ACCEPT: "accept", values.NFT_RETURN & 0xFFFFFFFF: "return"}


def _verdict(data: dict[int, bytes]) -> int:
    """The code of an immediate verdict, -1 for none."""
    known = attributes(data.get(values.NFTA_IMMEDIATE_DATA, b"")).get(values.NFTA_DATA_VERDICT, b"")
    code = attributes(known).get(values.NFTA_VERDICT_CODE)
    return -1 if code is None else int.from_bytes(code, "big")


def counter() -> bytes:
    """As iptables has it in each rule."""
    return expression(
        "counter", attribute(NFTA_COUNTER_BYTES, bytes(8)), attribute(NFTA_COUNTER_PACKETS, bytes(8))
    )


def meaning(rule: Found) -> list[bytes]:
    """The members of its expression list but for counters, whose numbers change, and iptables' comments."""
    members = [member for _, member in attribute_list(rule.expressions)]
    names = [(name_of(member), member) for member in members]
    return [each for name, each in names if name != "counter" and (name != "match" or not is_comment(each))]


def is_comment(member: bytes) -> bool:
    """Whether a match of iptables is its comment."""
    return text(data_of(member).get(NFTA_TARGET_NAME, b"")) == "comment"


def is_marked(members: list[bytes], native: bytes, bit: int) -> bool:
    """Whether all that is matched is *bit* of the mark: as *native* expressions, or by iptables' own match.

    The latter is what iptables before 1.8.8 makes of the former where it writes a saved rule.
    """
    if [member for _, member in attribute_list(native)] == members:
        return True
    if len(members) != 1 or name_of(members[0]) != "match":
        return False
    found = data_of(members[0])
    info = pack("=IIB", bit, bit, 0)
    return (
        text(found.get(NFTA_TARGET_NAME, b"")) == "mark"
        and found.get(NFTA_MATCH_INFO, b"")[: len(info)] == info
    )


def new_chain(family: str, table: str, chain: str) -> Message:
    """Create a chain, unless it is there."""
    named = string(values.NFTA_CHAIN_TABLE, table) + string(values.NFTA_CHAIN_NAME, chain)
    return Message(values.NFT_MSG_NEWCHAIN, CREATE, head(family) + named)


def new_rule(
    place: tuple[str, str, str], rule: Rule, words: str, before: bytes = b"", first: bool = False
) -> Message:
    """Add a rule to a chain: *first*, before the rule with a handle, or last.

    place: family, table and chain.
    words: its comment.
    """
    family, table, chain = place
    where = attribute(NFTA_RULE_POSITION, before) if before else b""
    named = string(values.NFTA_RULE_TABLE, table) + string(values.NFTA_RULE_CHAIN, chain) + where
    body = nest(values.NFTA_RULE_EXPRESSIONS, rule.expressions) + comment(values.NFTA_RULE_USERDATA, words)
    flags = CREATE if before or first else CREATE | APPEND
    return Message(values.NFT_MSG_NEWRULE, flags, head(family) + named + body)
