"""What the iptables backend makes of what a plugin asks for, as whole rules."""

from typing import Any

import pytest

from core.address import parse_cidr
from core.attachment import Attachment, hashed
from core.iptables.backend import Backend
from core.iptables.records import Chain, ChainRule, SharedChain, SharedRule
from core.plan.records import Plan
from plugins.portmap.plan import plan
from tests.unit.portmap.planned import ATTACHMENT, LOCALNET, V4, V6, previous, wanted

MASQ, PORTS = "CNI-623e1c388032b20529218ecc", "CNI-DN-623e1c388032b20529218"
WHOSE = r'-m comment --comment "name: \"net\" id: \"c1\""'
DNAT_OF = r'-m comment --comment "dnat name: \"net\" id: \"c1\""'
STRING = ("-m", "string", "--string", "a b")
LOCAL = "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"
LOOPBACK = '! -i lo -d 127.0.0.0/8 -m comment --comment "CNI portfwd only lo has loopback addresses" -j DROP'


def published(*mappings: dict[str, Any], addresses: tuple[str, ...] = (V4,), **keys: Any) -> Plan:
    asked = wanted(*mappings, **{"backend": "iptables", **keys})
    return plan(asked, ATTACHMENT, previous(*addresses))


def rules(made: Plan) -> list[str]:
    return [rule for each in made.owned if isinstance(each, Chain) for rule in each.rules]


def entries(made: Plan) -> list[str]:
    return [each.rule for each in made.owned if isinstance(each, ChainRule)]


def shared(bit: str = "0x2000") -> tuple[Any, ...]:
    waits = '-m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ'
    sets = '-m comment --comment "CNI portfwd masquerade mark" -j MARK'
    return (
        SharedChain("ip", "nat", "CNI-HOSTPORT-DNAT"),
        SharedChain("ip", "nat", "CNI-HOSTPORT-SETMARK"),
        SharedChain("ip", "nat", "CNI-HOSTPORT-MASQ"),
        SharedRule("ip", "nat", "CNI-HOSTPORT-SETMARK", f"{sets} --set-xmark {bit}/{bit}"),
        SharedRule("ip", "nat", "CNI-HOSTPORT-MASQ", f"-m mark --mark {bit}/{bit} -j MASQUERADE"),
        SharedRule("ip", "nat", "POSTROUTING", waits, first=True),
        SharedRule("ip", "nat", "PREROUTING", LOCAL),
        SharedRule("ip", "nat", "OUTPUT", LOCAL),
    )


def test_masquerade() -> None:
    """B-37: nothing is shared; networks of one family before what leaves them all."""
    addresses = [parse_cidr(each) for each in ("10.1.0.2/24", "fd01::2/64", "10.2.0.2/16")]
    assert Backend().of(ATTACHMENT).masquerade(addresses, "") == (
        (),
        (
            Chain(
                "ip",
                "nat",
                MASQ,
                (
                    f"-d 10.1.0.0/24 {WHOSE} -j ACCEPT",
                    f"-d 10.2.0.0/16 {WHOSE} -j ACCEPT",
                    f"! -d 224.0.0.0/4 {WHOSE} -j MASQUERADE",
                ),
            ),
            ChainRule("ip", "nat", "POSTROUTING", f"-s 10.1.0.2/32 {WHOSE} -j {MASQ}"),
            ChainRule("ip", "nat", "POSTROUTING", f"-s 10.2.0.2/32 {WHOSE} -j {MASQ}"),
            Chain(
                "ip6",
                "nat",
                MASQ,
                (f"-d fd01::/64 {WHOSE} -j ACCEPT", f"! -d ff00::/8 {WHOSE} -j MASQUERADE"),
            ),
            ChainRule("ip6", "nat", "POSTROUTING", f"-s fd01::2/128 {WHOSE} -j {MASQ}"),
        ),
    )


def test_a_published_port() -> None:
    """P-12 P-13 P-17 P-18"""
    made = published({"hostPort": 8080, "containerPort": 80}, markMasqBit=5)
    raw = SharedRule("ip", "raw", "PREROUTING", LOOPBACK, first=True)
    assert made == Plan(
        (raw, *shared("0x20"), LOCALNET),
        (
            Chain(
                "ip",
                "nat",
                PORTS,
                (
                    "-p tcp --dport 8080 -s 10.1.0.0/24 -j CNI-HOSTPORT-SETMARK",
                    "-p tcp --dport 8080 -s 127.0.0.1/32 -j CNI-HOSTPORT-SETMARK",
                    "-p tcp --dport 8080 -j DNAT --to-destination 10.1.0.7:80",
                ),
            ),
            ChainRule(
                "ip",
                "nat",
                "CNI-HOSTPORT-DNAT",
                f"{DNAT_OF} -m multiport -p tcp --dports 8080 -j {PORTS}",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("keys", "addresses", "expected"),
    [
        ({"snat": False}, (V4,), []),  # P-15 P-27
        ({"masqAll": True}, (V4,), ["-s 0.0.0.0/0 -j CNI-HOSTPORT-SETMARK"]),  # P-30
        ({"masqAll": True}, (V6,), ["-s ::/0 -j CNI-HOSTPORT-SETMARK"]),  # P-31
        ({}, (V6,), ["-s fd01::/64 -j CNI-HOSTPORT-SETMARK"]),  # P-14 P-33
        (
            {"externalSetMarkChain": "KUBE-MARK-MASQ"},  # P-16
            (V4,),
            ["-s 10.1.0.0/24 -j KUBE-MARK-MASQ", "-s 127.0.0.1/32 -j KUBE-MARK-MASQ"],
        ),
    ],
    ids=str,
)
def test_who_is_marked(keys: dict[str, Any], addresses: tuple[str, ...], expected: list[str]) -> None:
    """P-15 P-16 P-30 P-31 P-32 P-33"""
    made = published({"hostPort": 1, "containerPort": 2}, addresses=addresses, **keys)
    marks = [rule for rule in rules(made) if "DNAT" not in rule]
    assert [rule.removeprefix("-p tcp --dport 1 ") for rule in marks] == expected
    named = {each.name for each in made.shared if isinstance(each, SharedChain)}
    assert ("CNI-HOSTPORT-SETMARK" in named) == any("SETMARK" in rule for rule in expected)


def test_host_addresses() -> None:
    """P-13 P-14: every port stands in the entries, those of the other family's addresses too."""
    mappings = [
        {"hostPort": 1, "containerPort": 2, "hostIP": "192.0.2.1"},
        {"hostPort": 3, "containerPort": 4, "hostIP": "0.0.0.0"},
        {"hostPort": 5, "containerPort": 6, "hostIP": "2001:db8::1"},
        {"hostPort": 7, "containerPort": 8, "hostIP": "::"},
        {"hostPort": 9, "containerPort": 10, "protocol": "udp"},
    ]
    made = published(*mappings, addresses=(V4, V6), snat=False)
    assert rules(made) == [
        "-p tcp --dport 1 -d 192.0.2.1/32 -j DNAT --to-destination 10.1.0.7:2",
        "-p tcp --dport 3 -j DNAT --to-destination 10.1.0.7:4",
        "-p udp --dport 9 -j DNAT --to-destination 10.1.0.7:10",
        "-p tcp --dport 5 -d 2001:db8::1/128 -j DNAT --to-destination [fd01::7]:6",
        "-p tcp --dport 7 -j DNAT --to-destination [fd01::7]:8",
        "-p udp --dport 9 -j DNAT --to-destination [fd01::7]:10",
    ]
    both = [
        f"{DNAT_OF} -m multiport -p tcp --dports 1,3,5,7 -j {PORTS}",
        f"{DNAT_OF} -m multiport -p udp --dports 9 -j {PORTS}",
    ]
    assert entries(made) == both * 2


def test_more_ports_than_fit_one_rule() -> None:
    """P-19: fifteen to a rule."""
    made = published({"hostPort": 1, "containerPort": 1, "range": 17}, snat=False)
    listed = [each.partition("--dports ")[2].partition(" ")[0].split(",") for each in entries(made)]
    assert listed == [[str(port) for port in range(1, 16)], ["16", "17"]]


def test_conditions() -> None:
    """P-12: behind what the rule is about; a rule for each of several networks, as the tool does itself."""
    made = published(
        {"hostPort": 1, "containerPort": 1},
        snat=False,
        conditionsV4=["!", "-d", "192.0.2.1", "-s 10.0.0.0/8,192.0.2.0/24", *STRING],
        conditionsV6=["-i", "eth0"],
    )
    match = f"{DNAT_OF} -m multiport -p tcp --dports 1 ! -d 192.0.2.1"
    assert entries(made) == [
        f'{match} -s {net} -m string --string "a b" -j {PORTS}' for net in ("10.0.0.0/8", "192.0.2.0/24")
    ]


def test_a_comment_that_is_too_long_is_cut() -> None:
    """P-20"""
    whose = Attachment("n" * 200, "c" * 64, "eth0")
    _, owned = Backend().of(whose).masquerade([parse_cidr("10.1.0.2/24")], "")
    comment = owned[1].rule.partition('--comment "')[2].rpartition('" -j')[0].replace("\\", "")
    assert comment == f'name: "{"n" * 200}" id: "{"c" * 64}"'[:253] + "..."


def test_chains_of_two_interfaces_on_one_network_differ() -> None:
    """U-13: the first has the reference's name."""
    first, second = Attachment("net", "c1", "eth0"), Attachment("net", "c1", "net1")
    assert first.chain("CNI-") == hashed(28, "CNI-", "netc1") == MASQ
    assert second.chain("CNI-") not in (MASQ, Attachment("net", "c1net1", "eth0").chain("CNI-"))
