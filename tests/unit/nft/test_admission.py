"""The sets and chains of admission, what their elements are for, and what others' rules decide."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import parse
from core.intent import ISOLATED, OPEN, SAME_BRIDGE, Admitted, Fenced, Ingress, Isolated
from core.netlink.message import attribute, string
from core.nft import admission, foreign
from core.nft.client import create_elements
from core.nft.decode import decoded
from core.nft.expression import Rule, decide, expression
from core.nft.meaning import understand
from core.nft.names import INET, MARK, TABLES, Chain
from core.nft.standing import Found
from core.nft.values import NF_ACCEPT, NF_DROP, NFT_JUMP, NFT_RETURN
from tests.harness.nft_tables import chains, maps

OWNER = "net/c1/eth0"
V4, V6 = parse("10.1.0.2"), parse("fd01::2")
STRANGERS = Chain(INET, admission.STRANGERS)


def every() -> list[Chain]:
    fences = [admission.fence(policy, "br0") for policy in (SAME_BRIDGE, ISOLATED)]
    return [*admission.admission(), STRANGERS, admission.fences(), *fences, admission.bridged()]


def test_whoever_changes_a_rule_changes_the_mark() -> None:
    """As with all other rules: what an older release has left is healed only if it carries another mark."""
    said = "".join(
        f"{chain.name} {chain.hook} {rule.text} {rule.expressions.hex()}\n"
        for chain in every()
        for rule in chain.body
    )
    assert (MARK, hashlib.sha256(said.encode()).hexdigest()[:16]) == ("v3", "4b652db886344b7e")


def test_what_a_rule_names_is_made_before_it() -> None:
    seen = set[str]()
    for chain in every():
        seen |= {f"@{item.name}" for item in chain.maps} | {chain.name}
        text = " ".join(rule.text for rule in chain.body)
        assert set(re.findall(r"@\S+", text)) | set(re.findall(r"jump (\S+)", text)) <= seen


def test_no_name_is_that_of_what_always_stands() -> None:
    usual = {each.name for table in TABLES for each in chains(table)}
    usual |= {each.name for table in TABLES for each in maps(table)}
    made = {chain.name for chain in every()} | {each.name for chain in every() for each in chain.maps}
    assert usual & made == set()


def test_an_open_container_shares_no_more_than_the_mark() -> None:
    shared, owned = admission.admit([V4, V6], Ingress(OPEN), OWNER)
    assert shared == (TABLES["inet"], *admission.admission())
    assert owned == tuple(admission.admitted_element(each, OWNER) for each in (V4, V6))


def test_an_isolated_one_has_a_fence_and_a_port_of_its_own() -> None:
    ingress = Ingress(ISOLATED, "br0", "veth1")
    shared, owned = admission.admit([V4], ingress, OWNER)
    fence = (STRANGERS, admission.fences(), admission.fence(ISOLATED, "br0"))
    bridged = (TABLES["bridge"], admission.bridged())
    assert shared == (TABLES["inet"], *admission.admission(), *fence, *bridged)
    fenced = admission.fenced_element(V4, ingress, OWNER)
    assert owned == (admission.admitted_element(V4, OWNER), fenced, admission.alone_element("veth1", OWNER))


def test_elements_are_understood_as_they_were_meant() -> None:
    made = admission.admit([V4, V6], Ingress(ISOLATED, "br0", "veth1"), OWNER)[1]
    read = [
        item
        for element in made
        for message in create_elements([element])
        for item in decoded(element.table, element.map, message.payload)
    ]
    understand(read)
    addresses = (Admitted(V4), Admitted(V6), Fenced(V4), Fenced(V6))
    assert [item.about for item in read] == [*addresses, Isolated("veth1")]


@given(st.text(min_size=1, max_size=15))
def test_the_name_of_a_fence_is_one_that_nft_reads(bridge: str) -> None:
    name = admission.fence_name(SAME_BRIDGE, bridge)
    assert re.fullmatch(r"[a-z][\w.-]*", name, re.ASCII)
    assert name == f"fence-same-bridge-{bridge}" or not re.fullmatch(r"[\w.-]+", bridge, re.ASCII)


def target(kind: str, name: str) -> bytes:
    return expression(kind, string(1, name), attribute(3, bytes(4)))


@pytest.mark.parametrize(
    ("expressions", "decision"),
    [
        (decide(NF_DROP), "drop"),
        (foreign.counter() + decide(NF_ACCEPT), "accept"),
        (target("match", "comment") + foreign.counter() + decide(NFT_RETURN), "return"),
        (expression("log") + expression("reject"), "drop"),
        (foreign.counter() + target("target", "REJECT"), "drop"),
        (foreign.counter() + target("target", "LOG"), ""),
        (decide(NFT_JUMP, "elsewhere"), ""),
        (admission.marked().expressions + decide(NF_DROP), ""),
        (target("match", "conntrack") + decide(NF_DROP), ""),
        (expression("limit") + decide(NF_DROP), ""),
        (b"", ""),
        (b"\xff" * 7, ""),
    ],
)
def test_what_a_rule_does_with_every_packet(expressions: bytes, decision: str) -> None:
    assert foreign.decision(Found(b"", "", expressions)) == decision


@given(st.binary(max_size=80))
def test_whatever_a_rule_consists_of_reading_ends(data: bytes) -> None:
    found = Found(b"", "", data)
    foreign.decision(found)
    foreign.is_marked(foreign.meaning(found), data, admission.BIT)


def test_the_mark_is_known_in_iptables_own_words() -> None:
    """xt_mark, revision 1: mark, mask, and whether it is the other way round."""
    bit = admission.BIT.to_bytes(4, "little")
    native = admission.marked().expressions
    for info, known in ((bit + bit + bytes(8), True), (bit + bit + b"\1", False), (bit, False), (b"", False)):
        rule = Rule("", expression("match", string(1, "mark"), attribute(3, info)))
        assert (
            foreign.is_marked(foreign.meaning(Found(b"", "", rule.expressions)), native, admission.BIT)
            == known
        )
