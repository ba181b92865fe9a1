"""The commands of one iptables-restore, and who has a port already."""

from typing import Any

import pytest

from core.address import parse
from core.errors import PORT_TAKEN, CNIError
from core.iptables import taken
from core.iptables.commands import created, deleted
from core.iptables.records import Chain, ChainRule, SharedChain, SharedRule
from core.publication import Mapping

SHARED = (
    SharedChain("ip", "nat", "ALL"),
    SharedRule("ip", "nat", "PREROUTING", "-j ALL"),
    SharedRule("ip", "nat", "POSTROUTING", "-j MARKED", first=True),
)
OWN = (Chain("ip", "nat", "OWN", ("-j ONE", "-j TWO")), ChainRule("ip", "nat", "ALL", "-s 10.0.0.1 -j OWN"))


def test_where_nothing_is_all_is_made() -> None:
    """P-21: chains before what jumps to them."""
    assert created({}, [*SHARED, *OWN]) == [
        "-N ALL",
        "-N OWN",
        "-A PREROUTING -j ALL",
        "-I POSTROUTING 1 -j MARKED",
        "-A OWN -j ONE",
        "-A OWN -j TWO",
        "-A ALL -s 10.0.0.1 -j OWN",
    ]


def test_where_all_is_only_its_own_is_written_anew() -> None:
    """P-22 P-44: old rules of the attachment go, whatever they said."""
    now = {
        "PREROUTING": ["-j ALL"],
        "POSTROUTING": ["-j OTHER", "-j MARKED"],
        "ALL": ["-s 10.0.0.9/32 -j OWN", "-j OTHER"],
        "OWN": ["-j OLD"],
    }
    assert created(now, [*SHARED, *OWN]) == [
        "-D ALL -s 10.0.0.9/32 -j OWN",
        "-F OWN",
        "-A OWN -j ONE",
        "-A OWN -j TWO",
        "-A ALL -s 10.0.0.1 -j OWN",
    ]


def test_a_rule_without_a_chain_of_its_own_is_made_once() -> None:
    accept = ChainRule("ip", "filter", "CNI-FORWARD", "-s 10.0.0.1 -j ACCEPT")
    assert created({"CNI-FORWARD": []}, [accept]) == ["-A CNI-FORWARD -s 10.0.0.1 -j ACCEPT"]
    now = {"CNI-FORWARD": ["-s 10.0.0.1/32 -j ACCEPT"]}
    assert created(now, [accept]) == []
    assert deleted(now, [accept]) == ["-D CNI-FORWARD -s 10.0.0.1/32 -j ACCEPT"]
    assert deleted({}, [accept]) == []


def test_a_chain_goes_with_all_that_leads_to_it() -> None:
    """P-23 P-24: in whatever chain that stands, and once."""
    now = {"ALL": ["-s 10.0.0.1/32 -j OWN", "-j OTHER"], "FOREIGN": ["-j OWN"], "OWN": ["-j ONE"]}
    assert deleted(now, list(OWN)) == [
        "-D ALL -s 10.0.0.1/32 -j OWN",
        "-D FOREIGN -j OWN",
        "-F OWN",
        "-X OWN",
    ]
    assert deleted({"ALL": []}, list(OWN)) == []


def entry(chain: str, container: str, condition: str = "") -> str:
    comment = rf'-m comment --comment "dnat name: \"net\" id: \"{container}\""'
    return f"-p tcp {condition} {comment} -m multiport --dports 80 -j {chain}"


@pytest.mark.parametrize(
    ("host", "condition", "ours", "clash"),
    [
        ("", "", "", True),
        ("-d 192.0.2.1/32", "", "", True),
        ("", "", "192.0.2.1", True),
        ("-d 192.0.2.1/32", "", "192.0.2.1", True),
        ("-d 192.0.2.1/32", "", "192.0.2.2", False),
        ("", "-s 10.0.0.0/8", "", False),
    ],
)
def test_a_port_that_another_container_has(host: str, condition: str, ours: str, clash: bool) -> None:
    """P-47: it is named; another address or another condition is another port."""
    now = {
        "CNI-HOSTPORT-DNAT": [entry("CNI-DN-1", "c1", condition)],
        "CNI-DN-1": [f"{host} -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.2:80"],
    }
    mapping = Mapping("tcp", parse(ours) if ours else b"", 80, parse("10.1.0.3"), 80)
    asked: tuple[Any, ...] = ([mapping], [entry("CNI-DN-2", "c2")])
    if not clash:
        taken.refuse(now, "CNI-DN-2", "c2", *asked)
        return
    with pytest.raises(CNIError, match=r'80/tcp is already taken by dnat name: "net" id: "c1"') as refused:
        taken.refuse(now, "CNI-DN-2", "c2", *asked)
    assert refused.value.code == PORT_TAKEN
    taken.refuse(now, "CNI-DN-2", "c1", *asked)
    taken.refuse(now, "CNI-DN-1", "c2", *asked)
