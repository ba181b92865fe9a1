"""bandwidth where it cannot do what is asked: what belongs to somebody else stays, and nothing is left."""

from typing import Any

import pytest

from tests.harness.host import Host
from tests.kernel.limited import BOTH, EGRESS, IFB, INGRESS, Pair

INVALID_CONFIG, INVALID_NETNS, KERNEL_REFUSED, CHECK_FAILED, INTERFACE_EXISTS = 7, 8, 100, 101, 102


@pytest.fixture
def pair(host: Host) -> Pair:
    return Pair(host)


@pytest.mark.parametrize(
    ("theirs", "named", "possible"),
    [
        ("clsact", "clsact ffff: of somebody else at its ingress", INGRESS),
        ("ingress", "ingress ffff: of somebody else at its ingress", INGRESS),
        ("root handle 8: htb", "htb 8: of somebody else at its root", EGRESS),
        ("root handle 1: pfifo", "pfifo 1: of somebody else at its root", EGRESS),
        (
            "root handle 1: tbf rate 1mbit burst 10kb limit 9kb",
            "tbf 1: of somebody else at its root",
            EGRESS,
        ),
    ],
)
def test_a_queue_discipline_of_somebody_else_is_named_and_left_alone(
    pair: Pair, theirs: str, named: str, possible: dict[str, int]
) -> None:
    """By the DEL that follows, too. The other direction can be limited, and DEL leaves theirs then, too.

    A filter ahead of those of an eBPF agent would lead packets past them, and one behind them might never be
    reached: who has the hook has to limit.
    """
    pair.host.run(f"tc qdisc add dev {pair.link} {theirs}")
    before = pair.state()
    error = pair.refused("ADD", BOTH)
    assert error["code"] == KERNEL_REFUSED
    assert f"{pair.link} has the queue discipline {named}" in error["msg"]
    pair.made("DEL", BOTH)
    assert pair.state() == before
    pair.checked(possible, pair.made("ADD", possible))
    gc = {"name": "net", "cniVersion": "1.1.0", "type": "bandwidth", "cni.dev/valid-attachments": None}
    assert pair.host.call("GC", gc).exit_code == 0
    pair.made("DEL", possible)
    assert pair.state() == before


def test_the_container_is_limited_already(pair: Pair) -> None:
    """A second ADD changes nothing."""
    pair.made("ADD", INGRESS)
    error = pair.refused("ADD", INGRESS)
    assert f"{pair.link} is limited for net/c1/eth0 already; call DEL first" in error["msg"]
    pair.made("DEL", INGRESS)
    pair.made("ADD", BOTH)
    error = pair.refused("ADD", BOTH)
    assert (error["code"], f"{IFB}, ifb, net/c1/eth0" in error["msg"]) == (INTERFACE_EXISTS, True)
    assert error["msg"].endswith("File exists, for net/c1/eth0")


def test_another_attachment_keeps_its_limits(pair: Pair) -> None:
    """The DEL of one that has none: another network, another ifname, another container with the same link.

    The name of the ifb is one for all ifnames; the alias tells whose it is.
    """
    pair.made("ADD", BOTH)
    before = pair.state()
    pair.made("DEL", {**BOTH, "name": "other"})
    pair.made("DEL", BOTH, ifname="eth1")
    pair.made("DEL", BOTH, CNI_CONTAINERID="c9")
    assert pair.state() == before


def test_which_link_it_is(pair: Pair) -> None:
    """W-8: found among several."""
    pair.host.run("ip link add other0 type veth peer name other1")
    several = [{"name": "other0"}, *pair.previous["interfaces"], {"name": "other1"}]
    pair.made("ADD", {**BOTH, "prevResult": {**pair.previous, "interfaces": several}})
    assert pair.bucket(pair.link)["rate"] == 1_000_000
    assert pair.qdiscs("other0") == []


@pytest.mark.parametrize(
    ("interfaces", "complaint"),
    [
        ([], "prevResult: want the host's end of eth0 in interfaces, found no interface of the host"),
        (None, "prevResult: want the host's end of eth0 in interfaces, found no interface of the host"),
        (
            [{"name": "vhost-c1", "sandbox": "/x"}],
            "prevResult: want the host's end of eth0 in interfaces, found no interface of the host",
        ),
        (
            [{"name": "br0"}, {"name": "vhost-c9"}],
            "prevResult: want vhost-c1, the host's end of eth0, in interfaces, found br0, vhost-c9",
        ),
    ],
)
def test_a_link_that_prev_result_does_not_list(pair: Pair, interfaces: Any, complaint: str) -> None:
    """W-8."""
    keys = {**BOTH, "prevResult": {**pair.previous, "interfaces": interfaces}}
    error = pair.refused("ADD", keys)
    assert (error["code"], error["msg"]) == (INVALID_CONFIG, complaint)
    error = pair.refused("CHECK", keys)
    assert (error["code"], complaint in error["msg"]) == (CHECK_FAILED, True)


@pytest.mark.parametrize(
    "change",
    [
        "ip link del eth0",
        "ip link del eth0; ip link add eth0 type bridge",
        "ip link del eth0; ip link add up0 type veth peer name up1; ip link add eth0 link up0 type macvlan",
        "ip link del eth0; ip link add eth0 type veth peer name here",
    ],
)
def test_an_interface_without_another_end_in_the_host(pair: Pair, change: str) -> None:
    """W-8: nothing there, no veth, or one whose other end is in the container, too."""
    pair.container.run(change)
    told = "CNI_IFNAME: eth0 has no other end in the host: only a veth pair can be limited"
    error = pair.refused("ADD", BOTH)
    assert (error["code"], error["msg"]) == (INVALID_CONFIG, told)
    assert pair.refused("CHECK", BOTH)["code"] == CHECK_FAILED
    pair.made("DEL", BOTH)


def test_a_namespace_that_is_gone(pair: Pair) -> None:
    error = pair.refused("ADD", BOTH, CNI_NETNS="/run/netns/gone")
    assert (error["code"], error["msg"]) == (
        INVALID_NETNS,
        "CNI_NETNS: no network namespace at /run/netns/gone",
    )
    pair.made("DEL", BOTH, CNI_NETNS="/run/netns/gone")
    pair.made("DEL", BOTH, CNI_NETNS="/etc/hostname")


def test_versions_without_interfaces(pair: Pair) -> None:
    """Not before 0.3.0, as the reference."""
    assert pair.refused("ADD", {**BOTH, "cniVersion": "0.2.0", "prevResult": None})["code"] == 1
    previous = {**pair.previous, "cniVersion": "0.3.1", "ips": [{"version": "4", "address": "10.1.0.2/24"}]}
    result = pair.made("ADD", {**BOTH, "cniVersion": "0.3.1", "prevResult": previous})
    assert result["interfaces"][-1]["name"] == IFB
