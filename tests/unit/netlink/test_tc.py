"""Queue disciplines and filters: our messages read by pyroute2, and torn replies read by us."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from core.netlink import tc
from core.netlink.message import CREATE, EXCL, Message
from tests.harness.oracle import read

INDEX, OTHER = 7, 9
BUCKET = tc.Bucket(1_000_000, 125_000, 1_562_500)
ROOT = {"index": INDEX, "handle": 0x10000, "parent": 0xFFFFFFFF}


def told(message: Message) -> dict[str, Any]:
    return read(message, tcmsg)


def test_a_token_bucket() -> None:
    """W-1: rate, limit and buffer, and nothing else.

    A rate of more than 32 bits has an attribute that pyroute2 does not know.
    """
    made = tc.new_bucket(INDEX, BUCKET)
    assert (made.type, made.flags) == (36, CREATE | EXCL)
    parms = {"rate": 1_000_000, "limit": 125_000, "buffer": 1_562_500}
    assert told(made) == {**ROOT, "TCA_KIND": "tbf", "TCA_OPTIONS": {"TCA_TBF_PARMS": parms}}
    assert tc.read_bucket(tc.read_qdisc(made.payload)) == BUCKET
    wide = tc.Bucket(2**40, 2**32 - 1, 2**32 - 1)
    assert told(tc.new_bucket(INDEX, wide))["TCA_OPTIONS"]["TCA_TBF_PARMS"]["rate"] == 2**32 - 1
    assert tc.read_bucket(tc.read_qdisc(tc.new_bucket(INDEX, wide).payload)) == wide


def test_the_queues_below_it() -> None:
    below = {"index": INDEX, "handle": 0x4321_0000, "parent": 0x10001}
    assert told(tc.new_flow_queue(INDEX, 0x4321_0000)) == {**below, "TCA_KIND": "fq_codel"}
    plain = tc.new_plain_queue(INDEX, 0x4321_0000, 131_072)
    found = told(plain)
    assert {key: found[key] for key in (*below, "TCA_KIND")} == {**below, "TCA_KIND": "bfifo"}
    assert tc.read_qdisc(plain.payload).options == (131_072).to_bytes(4, "little")


def test_the_hook_and_its_filter() -> None:
    """W-1: u32, all protocols, priority 1, whatever the packet; redirected to go out by the other link."""
    hook = told(tc.new_ingress(INDEX))
    at = {"index": INDEX, "handle": 0xFFFF0000, "parent": 0xFFFFFFF1, "TCA_KIND": "ingress"}
    assert {key: hook[key] for key in at} == at
    made = tc.new_redirect(INDEX, OTHER)
    assert (made.type, made.flags) == (44, CREATE | EXCL)
    found = told(made)
    place = {"index": INDEX, "handle": 0x8000_0800, "parent": 0xFFFF0000, "info": 0x1_0300, "TCA_KIND": "u32"}
    assert {key: found[key] for key in place} == place
    options = found["TCA_OPTIONS"]
    key = dict.fromkeys(("key_mask", "key_val", "key_off", "key_offmask"), 0)
    assert options["TCA_U32_SEL"] == {"flags": 1, "nkeys": 1, "keys": [key]}
    action = options["TCA_U32_ACT"]["TCA_ACT_PRIO_1"]
    assert action["TCA_ACT_KIND"] == "mirred"
    parms = {"action": 4, "eaction": 1, "ifindex": OTHER}
    assert action["TCA_ACT_OPTIONS"]["TCA_MIRRED_PARMS"] == parms
    assert tc.read_filter(made.payload) == tc.Filter(
        INDEX, 0x8000_0800, 0xFFFF0000, 0x1_0300, "u32", (OTHER,)
    )


def test_what_is_asked_for_and_deleted() -> None:
    assert told(tc.get_qdisc(INDEX, tc.TC_H_ROOT)) == {"index": INDEX, "parent": 0xFFFFFFFF}
    assert told(tc.list_filters(INDEX)) == {"index": INDEX, "parent": 0xFFFF0000}
    gone = tc.del_qdisc(INDEX, tc.ROOT_HANDLE, tc.TC_H_ROOT)
    assert (gone.type, told(gone)) == (37, ROOT)
    found = tc.read_filter(tc.new_redirect(INDEX, OTHER).payload)
    gone = tc.del_filter(found)
    named = {"index": INDEX, "handle": found.handle, "parent": found.parent, "info": found.info}
    assert (gone.type, told(gone)) == (45, {**named, "TCA_KIND": "u32"})


def decoded(payload: bytes) -> None:
    tc.read_filter(payload)
    tc.read_bucket(tc.read_qdisc(payload))


TRUE = (
    tc.new_bucket(INDEX, tc.Bucket(2**40, 5, 6)),
    tc.new_redirect(INDEX, OTHER),
    tc.new_plain_queue(INDEX, 1, 9),
)


@pytest.mark.parametrize("message", TRUE, ids=["bucket", "redirect", "queue"])
@given(st.data())
def test_whatever_bytes_come_a_decoder_ends(message: Message, data: st.DataObject) -> None:
    """Arbitrary bytes, and true messages torn off or with one byte changed: a value or ValueError."""
    spoiled = bytearray(message.payload)
    place = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[place] = data.draw(st.integers(0, 255))
    for payload in (data.draw(st.binary(max_size=200)), bytes(spoiled), bytes(spoiled[:place])):
        try:
            decoded(payload)
        except ValueError:
            continue
