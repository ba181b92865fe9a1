"""What a portmap configuration asks for, as whole plans."""

import hashlib
from typing import Any

import pytest

from core.address import parse, parse_cidr
from core.attachment import Attachment
from core.cni import result
from core.cni.config import Section
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.nft import ports
from core.nft.names import INET, TABLES, Chain, Element, Map
from core.nft.rules import rules_of
from core.plan import filter as intents
from core.plan.localnet import LocalnetRouting
from core.plan.records import Plan
from core.publication import Hairpin, Mapping
from plugins.portmap.options import Options, Wanted, options
from plugins.portmap.plan import container_addresses, host_links, plan

ATTACHMENT = Attachment("net", "c1", "eth0", "/netns/c1")
OWNER = "net/c1/eth0"
TCP, UDP, SCTP = b"\6\0\0\0", b"\x11\0\0\0", b"\x84\0\0\0"
V4, V6 = "10.1.0.7/24", "fd01::7/64"
NET4, NET6 = parse_cidr("10.1.0.0/24"), parse_cidr("fd01::/64")
HAIRPIN4, HAIRPIN6 = ports.hairpin(NET4), ports.hairpin(NET6)
LOCALNET = LocalnetRouting(parse("10.1.0.7"), ("br0", ATTACHMENT.host_ifname))


def wanted(*mappings: dict[str, Any], **keys: Any) -> Options:
    return options(Section({"type": "portmap", "runtimeConfig": {"portMappings": list(mappings)}, **keys}))


def previous(*addresses: str, interfaces: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The result of our bridge: three interfaces, the addresses those of the third."""
    usual = [{"name": "br0"}, {"name": ATTACHMENT.host_ifname}, {"name": "eth0", "sandbox": "/netns/c1"}]
    ips = [{"interface": 2, "address": each} for each in addresses]
    return result.parse({"interfaces": interfaces or usual, "ips": ips}, "1.1.0")


def planned(wished: Options, *addresses: str) -> Plan:
    return plan(wished, ATTACHMENT, previous(*addresses or (V4, V6)))


def port(number: int) -> bytes:
    return number.to_bytes(2, "big") + b"\0\0"


def to(name: str, key: bytes, container: str, container_port: int, text: str) -> Element:
    """One element of a port map. text: its key as nft prints it."""
    data = parse(container) + port(container_port)
    *host, protocol, number = text.split(" . ")
    address = parse(host[0]) if host else b""
    about = Mapping(protocol, address, int(number), parse(container), container_port, name.partition("-")[2])
    return Element(INET, name, key, data, "", OWNER, f"{text} : {container} . {container_port}", about)


def hairpin(container: str, chain: str) -> Element:
    name = "hairpin6" if ":" in container else "hairpin4"
    about = Hairpin(parse(container), {"hairpin4-24": NET4, "hairpin6-64": NET6}.get(chain))
    return Element(INET, name, parse(container), b"", chain, OWNER, f"{container} : jump {chain}", about)


def near(container: str, net: str) -> Element:
    name = "near6" if ":" in container else "near4"
    about = Hairpin(parse(container), NET6 if ":" in container else NET4)
    return Element(INET, name, parse(container) + parse(net), b"", "", OWNER, f"{container} . {net}", about)


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


def test_conditions() -> None:
    """P-1 P-7: a chain and maps for the condition, which all attachments with the same one share; IPv6 has none here."""
    made = planned(
        wanted(
            {"hostPort": 8080, "containerPort": 80},
            conditionsV4=["ip", "saddr", "!=", "10.0.0.5/8"],
            snat=False,
        )
    )
    chain = made.shared[1]
    assert isinstance(chain, Chain)
    suffix = "-" + hashlib.sha512(b"4 ip saddr != 10.0.0.0/8").hexdigest()[:8]
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
        f"ip saddr != 10.0.0.0/8 dnat ip to ip daddr . meta l4proto . th dport map @hostip_hostports4{suffix}",
        f"ip saddr != 10.0.0.0/8 dnat ip to meta l4proto . th dport map @hostports4{suffix}",
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
    assert host_links(ATTACHMENT, previous(V4, interfaces=interfaces)) == ["cbr0", "lxc1"]


@pytest.mark.parametrize(
    ("ips", "expected"),
    [
        (
            [{"address": V4, "interface": 0}, {"address": "10.1.0.8/24", "interface": 2}],
            ["10.1.0.8/24"],
        ),  # P-1
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


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"backend": "iptables"}, UNSUPPORTED_FIELD, ["backend", "iptables"]),  # P-5
        ({"backend": "horse"}, INVALID_CONFIG, ["backend", "horse"]),
        ({"backend": "nftables", "conditionsV4": ["-m", "set"]}, UNSUPPORTED_FIELD, ["conditionsV4", "-m"]),
        (
            {"conditionsV6": ["!", "-s"], "markMasqBit": 5},
            UNSUPPORTED_FIELD,
            ["conditionsV6", "markMasqBit", "5"],
        ),
        ({"markMasqBit": 5}, UNSUPPORTED_FIELD, ["markMasqBit", "5"]),
        (
            {"markMasqBit": 5, "externalSetMarkChain": "KUBE"},
            INVALID_CONFIG,
            ["markMasqBit", "externalSetMarkChain"],
        ),  # P-11
        ({"markMasqBit": -1}, INVALID_CONFIG, ["markMasqBit", "-1"]),  # P-11
        ({"markMasqBit": 32}, INVALID_CONFIG, ["markMasqBit", "32"]),  # P-11
        ({"conditionsV4": ["ip saddr horse"]}, INVALID_CONFIG, ["conditionsV4", "horse"]),
        ({"conditionsV4": ["ip6 saddr ::1"]}, INVALID_CONFIG, ["conditionsV4", "ip6"]),
        ({"conditionsV6": ["ip saddr 1.2.3.4"]}, INVALID_CONFIG, ["conditionsV6", "ip"]),
        ({"conditionsV4": [""]}, INVALID_CONFIG, ["conditionsV4"]),
        ({"snat": "no"}, INVALID_CONFIG, ["snat", "no"]),
    ],
    ids=str,
)
def test_keys_that_are_refused(keys: dict[str, Any], code: int, words: list[str]) -> None:
    """P-8 P-9 P-11: each offending key is named."""
    with pytest.raises(CNIError) as refused:
        wanted({"hostPort": 1, "containerPort": 1}, **keys)
    assert refused.value.code == code
    assert [word for word in words if word not in refused.value.msg] == []


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"hostPort": 0, "containerPort": 80}, ["portMappings[0].hostPort", "0"]),  # P-3
        ({"hostPort": -1, "containerPort": 80}, ["portMappings[0].hostPort", "-1"]),
        ({"hostPort": 1, "containerPort": 0}, ["portMappings[0].containerPort", "0"]),  # P-4
        ({"hostPort": 1, "containerPort": 65536}, ["portMappings[0].containerPort", "65536"]),  # P-4
        ({"hostPort": 1}, ["portMappings[0].containerPort"]),
        ({"containerPort": 1}, ["portMappings[0].hostPort"]),
        ({"hostPort": 65530, "containerPort": 80, "range": 7}, ["portMappings[0].range", "6", "7"]),
        ({"hostPort": 80, "containerPort": 65535, "range": 2}, ["portMappings[0].range", "2"]),
        ({"hostPort": 80, "containerPort": 80, "range": -1}, ["portMappings[0].range", "-1"]),
        ({"hostPort": 80, "containerPort": 80, "protocol": "icmp"}, ["portMappings[0].protocol", "icmp"]),
        ({"hostPort": 80, "containerPort": 80, "hostIP": "1.2.3"}, ["portMappings[0].hostIP", "1.2.3"]),
        ({"hostPort": 80.0, "containerPort": 80}, ["portMappings[0].hostPort"]),
    ],
    ids=str,
)
def test_mappings_that_are_refused(mapping: dict[str, Any], words: list[str]) -> None:
    """P-3 P-4: the error names place and value."""
    with pytest.raises(CNIError) as refused:
        wanted(mapping)
    assert refused.value.code == INVALID_CONFIG
    assert [word for word in words if word not in refused.value.msg] == []


@pytest.mark.parametrize(
    "keys",
    [
        {"backend": "iptables"},
        {"markMasqBit": 13},
        {"externalSetMarkChain": "KUBE-MARK-MASQ"},
        {"conditionsV4": ["-m", "set", "--match-set", "x", "src"]},
        {"conditionsV4": ["-d", "192.0.2.1/32"]},
    ],
    ids=str,
)
def test_keys_that_would_change_nothing_are_not_looked_at(keys: dict[str, Any]) -> None:
    assert wanted(**keys) == Options((), True, False, {}, intents.NFT)


@pytest.mark.parametrize(
    "keys", [{"externalSetMarkChain": "KUBE-MARK-MASQ"}, {"backend": "nftables", "markMasqBit": 13}], ids=str
)
def test_keys_of_iptables_that_nft_has_no_use_for(keys: dict[str, Any]) -> None:
    assert wanted({"hostPort": 1, "containerPort": 2}, **keys) == wanted({"hostPort": 1, "containerPort": 2})


def test_iptables_networks_are_conditions() -> None:
    mapping = {"hostPort": 1, "containerPort": 2}
    assert wanted(mapping, conditionsV4=["!", "-d", "10.0.0.0/8"]) == wanted(
        mapping, conditionsV4=["ip", "daddr", "!=", "10.0.0.0/8"]
    )


def test_loopback6_is_left_out_and_said() -> None:
    made = wanted(
        {"hostPort": 1, "containerPort": 2, "hostIP": "::1"}, {"hostPort": 1, "containerPort": 2, "range": 0}
    )
    assert (made.mappings, made.without_loopback6) == ((Wanted("tcp", 1, 2, None),), True)


def test_a_set_of_addresses_is_a_rule_for_each() -> None:
    made = planned(
        wanted({"hostPort": 1, "containerPort": 2}, conditionsV4=["ip saddr { 10.0.0.0/8, 192.0.2.1 }"]), V4
    )
    chain = made.shared[1]
    assert isinstance(chain, Chain)
    starts = [rule.text.partition(" dnat")[0] for rule in rules_of(chain)]
    assert starts == ["ip saddr 10.0.0.0/8"] * 2 + ["ip saddr 192.0.2.1"] * 2


def test_options_as_parsed() -> None:
    """P-1 P-2: snat is on unless switched off; keys in any case; without runtimeConfig there is nothing to map."""
    assert options(Section({})) == Options((), True, False, {}, intents.NFT)
    assert options(
        Section({"runtimeconfig": {"portmappings": [{"HOSTPORT": 1, "containerport": 2}]}, "Snat": False})
    ) == Options((Wanted("tcp", 1, 2, None),), False, False, {}, intents.NFT)
