"""firewall's options and plan: plain values in, plain values out."""

from typing import Any

import pytest

from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.errors import INVALID_CONFIG, CNIError
from core.intent import ISOLATED, SAME_BRIDGE, Ingress
from core.nft import admission
from core.plan import filter as intents
from core.plan.opening import Barrier, Opening, note, opening
from core.plan.records import Plan
from plugins.firewall.options import Options, options
from plugins.firewall.plan import Facts, bridge, container_addresses, families, plan

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
V4, V6 = bytes([10, 1, 0, 2]), bytes.fromhex("fd01") + bytes(13) + b"\2"
OWNER = "net/c1/eth0"
INTERFACES = [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/netns/c1"}]


def previous(*ips: str, interfaces: list[dict[str, str]] = INTERFACES) -> dict[str, Any]:
    document = {"interfaces": interfaces, "ips": [{"address": each} for each in ips]}
    return result.parse(document, "1.1.0")


def asked(**keys: Any) -> Options:
    return options(Section(keys))


def test_what_stands_for_nothing_asked() -> None:
    assert asked() == Options(False, "open", "CNI-ADMIN", "", "trusted", undecided=True)
    assert asked(backend="", ingressPolicy="", iptablesAdminChainName=None) == asked()
    assert asked(BACKEND="nftables", ingresspolicy="same-bridge") == Options(policy="same-bridge")
    assert asked(backend="firewalld", firewalldZone="dmz") == Options(zone="dmz")


def test_every_address_counts_once_whichever_interface_it_is_of() -> None:
    assert container_addresses(previous("10.1.0.2/24", "fd01::2/64", "10.1.0.2/32")) == [V4, V6]
    assert families([V4]) == ("inet", "ip")
    assert families([V4, V6, V4]) == ("inet", "ip", "ip6")
    assert families([]) == ()


def test_an_open_plan_opens_who_drops() -> None:
    barriers = (
        Barrier("ip", "filter", "FORWARD"),
        Barrier("inet", "firewalld", "f", 7),
        Barrier("inet", "a", "b", 7),
    )
    made = plan(asked(backend="nftables"), ATTACHMENT, previous("10.1.0.2/24"), Facts(barriers))
    openings = (
        Opening("ip", "filter", "FORWARD", "CNI-FORWARD", "CNI-ADMIN"),
        Opening("inet", "a", "b"),
    )
    assert made == Plan(openings) + intents.admit(intents.NFT, [V4], Ingress("open"), OWNER)


def test_the_port_counts_for_isolated_alone_and_the_witness_for_all() -> None:
    facts = Facts(port="veth1", witness="veth9")
    for policy, port in ((SAME_BRIDGE, ""), (ISOLATED, "veth1")):
        wanted = asked(backend="nftables", ingressPolicy=policy)
        made = plan(wanted, ATTACHMENT, previous("fd01::2/64"), facts)
        assert made == Plan(*admission.admit([V6], Ingress(policy, "br0", port), f"{OWNER} veth9"))


@pytest.mark.parametrize("interfaces", [[], INTERFACES[2:], [{"name": "eth0"}], [{"name": "x" * 16}]])
def test_a_policy_needs_a_bridge(interfaces: list[dict[str, str]]) -> None:
    assert bridge("open", ATTACHMENT, previous(interfaces=interfaces)) == ""
    with pytest.raises(CNIError) as refused:
        bridge("isolated", ATTACHMENT, previous(interfaces=interfaces))
    assert refused.value.code == INVALID_CONFIG


@pytest.mark.parametrize(
    ("barrier", "where"),
    [
        (Barrier("ip", "filter", "FORWARD", docker=True), Opening("ip", "filter", "FORWARD", "DOCKER-USER")),
        (Barrier("ip6", "filter", "FORWARD"), Opening("ip6", "filter", "FORWARD", "CNI-FORWARD", "X")),
        (Barrier("ip", "mangle", "FORWARD"), Opening("ip", "mangle", "FORWARD")),
        (Barrier("inet", "filter", "FORWARD"), Opening("inet", "filter", "FORWARD")),
        (Barrier("ip", "filter", "forward", 5), Opening("ip", "filter", "forward")),
        (Barrier("inet", "firewalld", "filter_FORWARD", 5), None),
        (Barrier("inet", "mine", "forward", owned=True), None),
    ],
)
def test_where_the_rule_stands(barrier: Barrier, where: Opening | None) -> None:
    assert opening(barrier, "X") == where


def test_what_is_told_of_who_is_not_written_to() -> None:
    told = (
        "table inet firewalld, chain f drops what is forwarded (by its rule with handle 5), and is written by"
    )
    assert note(Barrier("inet", "firewalld", "f", 5)).startswith(told)
    assert "by its policy" in note(Barrier("inet", "mine", "f", owned=True))
