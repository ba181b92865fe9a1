"""What a portmap configuration asks for, as whole plans."""

from typing import Any

import pytest

from core.address import parse
from core.cni import result
from core.cni.result import host_links
from core.errors import INVALID_CONFIG, CNIError
from core.nft import ports
from core.nft.names import INET, TABLES, Element
from core.nft.rules import rules_of
from core.plan.records import Plan
from plugins.portmap.plan import container_addresses, plan
from tests.unit.portmap.planned import (
    ATTACHMENT,
    HAIRPIN4,
    HAIRPIN6,
    LOCALNET,
    OWNER,
    SCTP,
    TCP,
    UDP,
    V4,
    V6,
    hairpin,
    near,
    planned,
    port,
    previous,
    to,
    wanted,
)


def test_one_port_of_a_dual_stack_container() -> None:
    """P-13 P-14 P-26 P-42: an element and a hairpin a family; route_localnet for IPv4 alone."""
    assert planned(wanted({"hostPort": 8080, "containerPort": 80})) == Plan(
        shared=(TABLES[INET], HAIRPIN4, LOCALNET, HAIRPIN6),
        owned=(
            to("hostports4", TCP + port(8080), "10.1.0.7", 80, "tcp . 8080"),
            hairpin("10.1.0.7", "hairpin4-24"),
            near("10.1.0.7", "10.1.0.0"),
            to("hostports6", TCP + port(8080), "fd01::7", 80, "tcp . 8080"),
            hairpin("fd01::7", "hairpin6-64"),
            near("fd01::7", "fd01::"),
        ),
    )


def test_the_hairpin_chain() -> None:
    """P-13 P-14: neighbours, and for IPv4 the host's own loopback, come back through the host."""
    assert [rule.text for rule in rules_of(HAIRPIN4)] == [
        "ip daddr . ip saddr & 255.255.255.0 @near4 masquerade",
        "ip saddr 127.0.0.1 masquerade",
    ]
    assert [rule.text for rule in rules_of(HAIRPIN6)] == [
        "ip6 daddr . ip6 saddr & ffff:ffff:ffff:ffff:: @near6 masquerade"
    ]


@pytest.mark.parametrize(
    ("protocol", "key", "text"),
    [("tcp", TCP, "tcp"), ("UDP", UDP, "udp"), ("sctp", SCTP, "sctp"), ("", TCP, "tcp"), (None, TCP, "tcp")],
)
def test_protocols(protocol: str | None, key: bytes, text: str) -> None:
    """P-50: in any case; none is tcp."""
    made = planned(wanted({"hostPort": 8080, "containerPort": 80, "protocol": protocol}, snat=False), V4)
    assert made == Plan(
        (TABLES[INET],), (to("hostports4", key + port(8080), "10.1.0.7", 80, f"{text} . 8080"),)
    )


@pytest.mark.parametrize(
    ("host_ip", "expected"),
    [
        ("127.0.0.1", [("hostip_hostports4", b"\x7f\0\0\1", "127.0.0.1 . ")]),
        ("::ffff:192.0.2.1", [("hostip_hostports4", bytes([192, 0, 2, 1]), "192.0.2.1 . ")]),
        ("2001:DB8::1", [("hostip_hostports6", parse("2001:db8::1"), "2001:db8::1 . ")]),
        ("0.0.0.0", [("hostports4", b"", "")]),
        ("::", [("hostports6", b"", "")]),
        ("", [("hostports4", b"", ""), ("hostports6", b"", "")]),
        (None, [("hostports4", b"", ""), ("hostports6", b"", "")]),
    ],
)
def test_host_addresses(host_ip: str | None, expected: list[tuple[str, bytes, str]]) -> None:
    """P-13 P-14 P-39: one address, or every one of its family; the other family's mapping is skipped."""
    made = planned(wanted({"hostPort": 1, "containerPort": 2, "hostIP": host_ip}, snat=False))
    containers = {"4": "10.1.0.7", "6": "fd01::7"}
    assert made.owned == tuple(
        to(name, key + TCP + port(1), containers[name[-1]], 2, f"{text}tcp . 1")
        for name, key, text in expected
    )


def test_ranges() -> None:
    """P-19: ports that follow one another on both sides, up to the last one there is."""
    made = planned(
        wanted(
            {"hostPort": 8000, "containerPort": 80, "range": 3},
            {"hostPort": 65535, "containerPort": 1, "range": 1},
            snat=False,
        ),
        V4,
    )
    assert made.owned == (
        to("hostports4", TCP + port(8000), "10.1.0.7", 80, "tcp . 8000"),
        to("hostports4", TCP + port(8001), "10.1.0.7", 81, "tcp . 8001"),
        to("hostports4", TCP + port(8002), "10.1.0.7", 82, "tcp . 8002"),
        to("hostports4", TCP + port(65535), "10.1.0.7", 1, "tcp . 65535"),
    )


def test_no_snat() -> None:
    """P-15 P-27 P-42: elements alone; neither hairpin nor route_localnet."""
    made = planned(wanted({"hostPort": 8080, "containerPort": 80}, snat=False))
    assert (made.shared, [record.map for record in made.owned if isinstance(record, Element)]) == (
        (TABLES[INET],),
        ["hostports4", "hostports6"],
    )


def test_masquerade_all() -> None:
    """P-30 P-31 P-32 P-33: every caller, of both families."""
    assert planned(wanted({"hostPort": 8080, "containerPort": 80}, masqAll=True)) == Plan(
        shared=(TABLES[INET], ports.hairpin_any(), LOCALNET),
        owned=(
            to("hostports4", TCP + port(8080), "10.1.0.7", 80, "tcp . 8080"),
            hairpin("10.1.0.7", "hairpin-any"),
            to("hostports6", TCP + port(8080), "fd01::7", 80, "tcp . 8080"),
            hairpin("fd01::7", "hairpin-any"),
        ),
    )


def test_nothing_to_publish_is_no_plan() -> None:
    """P-41: no mappings, or none for the families that the container has."""
    assert planned(wanted()) == Plan()
    assert planned(wanted({"hostPort": 1, "containerPort": 1, "hostIP": "2001:db8::1"}), V4) == Plan()
    assert plan(wanted({"hostPort": 1, "containerPort": 1}), ATTACHMENT, previous()) == Plan()


def test_the_same_mapping_twice_is_one() -> None:
    """With and without the address that stands for all."""
    once = planned(wanted({"hostPort": 1, "containerPort": 2}), V4)
    assert (
        planned(wanted({"hostPort": 1, "containerPort": 2}, {"hostPort": 1, "containerPort": 2}), V4) == once
    )
    assert (
        planned(
            wanted(
                {"hostPort": 1, "containerPort": 2}, {"hostPort": 1, "containerPort": 2, "hostIP": "0.0.0.0"}
            ),
            V4,
        )
        == once
    )


def test_a_host_port_cannot_lead_to_two_places() -> None:
    """P-47: the error names both."""
    with pytest.raises(CNIError) as refused:
        planned(wanted({"hostPort": 1, "containerPort": 2}, {"hostPort": 1, "containerPort": 3}), V4)
    assert (refused.value.code, refused.value.msg) == (
        INVALID_CONFIG,
        "runtimeConfig.portMappings: 1/tcp to 10.1.0.7:2 contradicts 1/tcp to 10.1.0.7:3",
    )


def test_a_witness_stands_behind_the_owner() -> None:
    """P-47: in every element."""
    made = plan(
        wanted({"hostPort": 8080, "containerPort": 80}), ATTACHMENT, previous(V4), "veth1 netns:1:2:/x"
    )
    assert {item.owner for item in made.owned if isinstance(item, Element)} == {f"{OWNER} veth1 netns:1:2:/x"}


def test_which_links_are_the_hosts() -> None:
    """Azure names the container's interface without its sandbox."""
    interfaces = [
        {"name": "cbr0"},
        {"name": "lxc1"},
        {"name": "eth0"},
        {"name": "veth0", "sandbox": "/x"},
        {"mac": "02:00:00:00:00:01"},
    ]
    assert host_links(previous(V4, interfaces=interfaces), "eth0") == ["cbr0", "lxc1"]


@pytest.mark.parametrize(
    ("ips", "expected"),
    [
        # P-1
        ([{"address": V4, "interface": 0}, {"address": "10.1.0.8/24", "interface": 2}], ["10.1.0.8/24"]),
        ([{"address": V4, "interface": 1}], []),
        ([{"address": V4, "interface": 3}], []),  # the container's, but another interface
        ([{"address": V4}], [V4]),  # P-10
        ([{"address": V4, "interface": 9}, {"address": V6, "interface": -1}], [V4, V6]),
        ([{"address": V4}, {"address": "10.1.0.8/24"}, {"address": V6}, {"address": "fd01::8/64"}], [V4, V6]),
    ],
)
def test_which_address_is_the_containers(ips: list[dict[str, Any]], expected: list[str]) -> None:
    """P-1 P-10: the first of each family whose interface is unset, out of range, or CNI_IFNAME inside."""
    interfaces = [
        {"name": "br0"},
        {"name": "eth0"},
        {"name": "eth0", "sandbox": "/x"},
        {"name": "eth1", "sandbox": "/x"},
    ]
    prev_result = result.parse({"interfaces": interfaces, "ips": ips}, "1.1.0")
    assert [str(cidr) for cidr in container_addresses(prev_result, "eth0").values()] == expected
