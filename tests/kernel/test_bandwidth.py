"""bandwidth on the real kernel, read back by pyroute2 and tc, and by the Go plugin."""

import json
from typing import Any

import pytest

from tests.harness.host import Host
from tests.kernel.limited import BOTH, EGRESS, GO, IFB, INGRESS, OWNER, Pair, bucket, needs_go

CHECK_FAILED = 101


@pytest.fixture
def pair(host: Host) -> Pair:
    return Pair(host)


def test_both_directions(pair: Pair) -> None:
    """W-1: an ifb with the host's MTU and one tbf, the filter that leads there, a tbf and a hook on the veth.

    The result is prevResult with the ifb behind.
    """
    result = pair.made("ADD", BOTH)
    assert pair.bucket(pair.link) == bucket(1_000_000, 100_000)
    assert pair.bucket(IFB) == bucket(2_000_000, 500_000)
    ifb = pair.host.link(IFB)
    assert (ifb["mtu"], "UP" in ifb["flags"], ifb["ifalias"]) == (1400, True, OWNER)
    assert ifb["linkinfo"]["info_kind"] == "ifb"
    (redirect,) = pair.filters()
    assert (redirect["kind"], redirect["protocol"], redirect["pref"]) == ("u32", "all", 1)
    options = redirect["options"]
    assert options["match"] == {"value": "0", "mask": "0", "offmask": "", "off": 0}
    (action,) = options["actions"]
    assert (action["kind"], action["mirred_action"], action["direction"]) == ("mirred", "redirect", "egress")
    assert (action["to_dev"], action["control_action"]) == (IFB, {"type": "stolen"})
    at = [(kind, where) for kind, _, where in pair.qdiscs(pair.link)]
    assert [each for each in at if each[1] != "1:1"] == [("tbf", "root"), ("ingress", "ffff:fff1")]
    told = [*pair.previous["interfaces"], {"name": IFB, "mac": ifb["address"]}]
    assert (result["interfaces"], result["ips"]) == (told, pair.previous["ips"])


@pytest.mark.parametrize(("keys", "limited"), [(INGRESS, (True, False)), (EGRESS, (False, True))])
def test_one_direction(pair: Pair, keys: dict[str, int], limited: tuple[bool, bool]) -> None:
    """W-2 W-3: what is not asked for is not made."""
    result = pair.made("ADD", keys)
    assert any(kind == "tbf" for kind, _, _ in pair.qdiscs(pair.link)) == limited[0]
    assert any(kind == "ingress" for kind, _, _ in pair.qdiscs(pair.link)) == limited[1]
    assert (IFB in pair.host.links(), len(result["interfaces"])) == (limited[1], 2 + limited[1])
    pair.checked(keys, result)
    pair.made("DEL", keys)
    assert (pair.qdiscs(pair.link), pair.host.links()) == ([], [pair.link])


def test_what_the_runtime_sends(pair: Pair) -> None:
    """W-5 W-6: runtimeConfig counts where the configuration itself has none of the keys."""
    sent = {"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 2**31 - 1}}}
    pair.made("ADD", sent)
    assert pair.bucket(pair.link)["rate"] == 1_000_000
    pair.made("DEL", sent)
    pair.made("ADD", {**sent, **EGRESS})
    assert [kind for kind, _, _ in pair.qdiscs(pair.link)] == ["ingress"]
    assert pair.bucket(IFB)["rate"] == 2_000_000


@pytest.mark.parametrize("bandwidth", [None, {}, dict.fromkeys(BOTH, 0)])
def test_nothing_to_limit(pair: Pair, bandwidth: Any) -> None:
    """The answer is prevResult; CHECK is content, and DEL has nothing to do."""
    before = pair.state()
    keys = {"runtimeConfig": {"bandwidth": bandwidth}}
    result = pair.made("ADD", keys)
    assert result["interfaces"] == pair.previous["interfaces"]
    pair.checked(keys, result)
    pair.made("DEL", keys)
    assert pair.state() == before


@pytest.mark.parametrize("gone", [False, True])
def test_del_takes_all_of_it_away(pair: Pair, gone: bool) -> None:
    """W-7: the veth stays.

    Without namespace or prevResult it is found by what leads to the ifb.
    """
    before = pair.state()
    pair.made("ADD", EGRESS if gone else BOTH)
    for _ in range(2):
        pair.made("DEL", {"prevResult": None} if gone else BOTH, *["c1"] * gone)
        assert pair.state() == before


def test_what_another_added_to_our_hook_stays(pair: Pair) -> None:
    """Only our filter goes from an ingress hook that somebody else uses, too."""
    pair.made("ADD", EGRESS)
    pair.host.run(
        f"tc filter add dev {pair.link} parent ffff: protocol ip prio 7 u32 match u32 0 0 "
        f"action mirred egress mirror dev lo"
    )
    pair.made("DEL", EGRESS)
    (left,) = pair.filters()
    assert (left["pref"], pair.qdiscs(pair.link)) == (7, [("ingress", "ffff:", "ffff:fff1")])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "tc qdisc change dev LINK root handle 1: tbf rate 4mbit burst 100kb limit 1mb",
            "rate is 500000, not 1000000",
        ),
        (
            "tc qdisc change dev IFB root handle 1: tbf rate 16mbit burst 500000 limit 9999999",
            "limit is 9999999",
        ),
        ("tc qdisc change dev IFB root handle 1: tbf rate 16mbit burst 250kb limit 550000", "buffer is "),
        ("tc qdisc del dev LINK root", "LINK is not limited any more"),
        ("tc qdisc del dev IFB parent 1:1", "IFB has not the queue below its limit any more"),
        ("tc qdisc del dev LINK ingress", "LINK has no ingress hook any more"),
        (
            "tc filter del dev LINK parent ffff: prio 1",
            "what LINK takes in is not redirected to IFB any more",
        ),
        ("ip link del IFB", "IFB is gone"),
        ("ip link set IFB down", "IFB: not up"),
    ],
)
def test_check_tells_each_difference(pair: Pair, change: str, told: str) -> None:
    def named(text: str) -> str:
        return text.replace("LINK", pair.link).replace("IFB", IFB)

    result = pair.made("ADD", BOTH)
    pair.checked(BOTH, result)
    pair.host.run(named(change))
    error = pair.refused("CHECK", {**BOTH, "prevResult": result})
    assert error["code"] == CHECK_FAILED
    assert named(told) in error["msg"]


def test_gc_finds_an_ifb_by_its_alias_and_what_leads_to_it(pair: Pair) -> None:
    """The container lives on, and what it sends must not end in a hole."""
    before = pair.state()
    pair.made("ADD", EGRESS)
    gc = {"name": "net", "cniVersion": "1.1.0", "type": "bandwidth", "cni.dev/valid-attachments": []}
    other = {**gc, "name": "ne"}
    assert pair.host.call("GC", other).exit_code == 0
    assert IFB in pair.host.links()
    assert pair.host.call("GC", gc).exit_code == 0
    assert pair.state() == before


# -- the reference as oracle ---------------------------------------------------------------------------


@needs_go
@pytest.mark.parametrize(
    "keys",
    [
        BOTH,
        {"ingressRate": 8, "ingressBurst": 8, "egressRate": 16, "egressBurst": 8},
        {
            "ingressRate": 123_456_789,
            "ingressBurst": 7_654_321,
            "egressRate": 10**9,
            "egressBurst": 2**32 - 1,
        },
        {
            "ingressRate": 5 * 10**10,
            "ingressBurst": 8 * 10**9,
            "egressRate": 4 * 10**11,
            "egressBurst": 8 * 10**9,
        },
    ],
)
def test_the_same_parameters_as_the_reference(host: Host, keys: dict[str, int]) -> None:
    """What pyroute2 reads is equal; each suite's CHECK is content with the other's work."""
    ours, theirs = Pair(host), Pair(host, "c2")
    result = ours.made("ADD", keys)
    go_result = theirs.made("ADD", keys, folder=GO)
    go_ifb = go_result["interfaces"][-1]["name"]
    assert ours.bucket(ours.link) == theirs.bucket(theirs.link)
    assert ours.bucket(IFB) == theirs.bucket(go_ifb)
    assert [ours.root(ours.link), ours.root(IFB)] == [theirs.root(theirs.link), theirs.root(go_ifb)]
    assert [sorted(each) for each in go_result["interfaces"]] == [
        sorted(each) for each in result["interfaces"]
    ]
    ours.checked(keys, result, folder=GO)
    theirs.checked(keys, go_result)


@needs_go
def test_either_suites_del_deletes_the_others_ifb(pair: Pair) -> None:
    """W-7: the names are equal. Of theirs we leave the token bucket, as they do; it has no mark."""
    pair.made("ADD", BOTH)
    pair.made("DEL", BOTH, folder=GO)
    assert pair.host.links() == [pair.link]
    pair.made("DEL", BOTH)  # what the reference has left
    assert pair.qdiscs(pair.link) == []
    pair.made("ADD", BOTH, folder=GO)
    pair.made("DEL", BOTH)
    assert pair.host.links() == [pair.link]
    assert pair.qdiscs(pair.link) == [("tbf", "1:", "root")]


def test_a_burst_that_the_kernels_field_cannot_hold(pair: Pair) -> None:
    """kubelet's burst at a low rate: as much as fits, where the reference's number wraps, at worst to 0."""
    keys = {"ingressRate": 10_000_000, "ingressBurst": 2**32 - 1}
    result = pair.made("ADD", keys)
    assert pair.bucket(pair.link)["buffer"] > 2**32 - 64
    pair.checked(keys, result)


def test_a_burst_smaller_than_a_packet_is_told(pair: Pair) -> None:
    answer = pair.call("ADD", {"ingressRate": 8_000_000, "ingressBurst": 8000})
    assert answer.exit_code == 0
    assert "ingressBurst: 1000 bytes; no packet that is larger will pass" in answer.stderr
    json.dumps(answer.output)
