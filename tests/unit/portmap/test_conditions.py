"""Conditions of portmap: the chains and maps that mappings with one get."""

import hashlib

from core.nft.names import INET, TABLES, Chain, Map
from core.nft.rules import rules_of
from core.plan.records import Plan
from tests.unit.portmap.planned import TCP, V4, planned, port, to, wanted


def test_conditions() -> None:
    """P-1 P-7: attachments with the same condition share its chain and maps; IPv6 has no condition here."""
    made = planned(
        wanted(
            {"hostPort": 8080, "containerPort": 80},
            conditionsV4=["ip", "saddr", "!=", "10.0.0.5/8"],
            snat=False,
        )
    )
    chain = made.shared[1]
    assert isinstance(chain, Chain)
    condition = "ip saddr != 10.0.0.0/8"
    suffix = "-" + hashlib.sha512(f"4 {condition}".encode()).hexdigest()[:8]
    address, service = "ipv4_addr", ("inet_proto", "inet_service")
    assert chain == Chain(
        INET,
        f"hostports{suffix}",
        rules_of(chain),
        maps=(
            Map(INET, f"hostports4{suffix}", service, (address, "inet_service")),
            Map(INET, f"hostip_hostports4{suffix}", (address, *service), (address, "inet_service")),
        ),
        entries=chain.entries,
    )
    assert [rule.text for rule in rules_of(chain)] == [
        f"{condition} dnat ip to ip daddr . meta l4proto . th dport map @hostip_hostports4{suffix}",
        f"{condition} dnat ip to meta l4proto . th dport map @hostports4{suffix}",
    ]
    assert [(where, rule.text) for where, rule in chain.entries] == [("further", f"jump hostports{suffix}")]
    assert made == Plan(
        shared=(TABLES[INET], chain),
        owned=(
            to(f"hostports4{suffix}", TCP + port(8080), "10.1.0.7", 80, "tcp . 8080"),
            to("hostports6", TCP + port(8080), "fd01::7", 80, "tcp . 8080"),
        ),
    )


def test_equal_conditions_share_a_chain_however_they_are_written() -> None:
    spellings = (["mark 16"], ["meta mark == 0x10"], ["meta", "mark", "0x00000010"])
    made = [planned(wanted({"hostPort": 1, "containerPort": 1}, conditionsV4=words)) for words in spellings]
    assert made[0] == made[1] == made[2]


def test_a_set_of_addresses_is_a_rule_for_each() -> None:
    made = planned(
        wanted({"hostPort": 1, "containerPort": 2}, conditionsV4=["ip saddr { 10.0.0.0/8, 192.0.2.1 }"]), V4
    )
    chain = made.shared[1]
    assert isinstance(chain, Chain)
    starts = [rule.text.partition(" dnat")[0] for rule in rules_of(chain)]
    assert starts == ["ip saddr 10.0.0.0/8"] * 2 + ["ip saddr 192.0.2.1"] * 2
