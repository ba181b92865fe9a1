"""The rules that we write, expression by expression, as pyroute2 reads them."""

import pytest

from core.address import parse, parse_cidr
from core.netlink.message import pack
from core.nft import backend, changes, names, ports
from core.nft.conditions import compile_words
from core.nft.names import INET
from tests.unit.nft.reading import made, rules

V4, V6 = ["meta nfproto 1", "cmp 1 eq 02"], ["meta nfproto 1", "cmp 1 eq 0a"]
TRANSLATED = ["ct 1 status", "bitwise 1 1 4 bitwise_bool 20000000 00000000", "cmp 1 neq 00000000"]


def test_the_rules_of_the_inet_table() -> None:
    """P-26 P-46 U-4: register by register; all ports of a protocol cost one lookup."""
    found = rules(made(INET))
    # pyroute2 misreads fib, the first expression.
    assert found.pop("prerouting")[0][1:] == ["cmp 1 eq 02000000", "immediate verdict jump hostports"]
    destination4, destination6 = "payload 1 network_header 16 4", "payload 1 network_header 24 16"
    own, local = found.pop("output")
    assert own == [*V6, destination6, f"cmp 1 eq {'00' * 15}01", "immediate verdict return"]
    assert local[1:] == ["cmp 1 eq 02000000", "immediate verdict jump hostports"]
    assert found == {
        "hostports": [
            [
                *(*V4, destination4, "meta l4proto reg32_01", "payload reg32_02 transport_header 2 2"),
                *("lookup hostip_hostports4 1 1", "nat dnat 2 1 1 reg32_01 reg32_01 map_ips+proto_specified"),
            ],
            [
                *("meta l4proto 1", "payload reg32_01 transport_header 2 2", "lookup hostports4 1 1"),
                "nat dnat 2 1 1 reg32_01 reg32_01 map_ips+proto_specified",
            ],
            [
                *(*V6, destination6, "meta l4proto 2", "payload reg32_05 transport_header 2 2"),
                *("lookup hostip_hostports6 1 1", "nat dnat 10 1 1 2 2 map_ips+proto_specified"),
            ],
            [
                "meta l4proto 1",
                "payload reg32_01 transport_header 2 2",
                "lookup hostports6 1 1",
                "nat dnat 10 1 1 2 2 map_ips+proto_specified",
            ],
            ["immediate verdict jump further"],
        ],
        "loopback": [
            [
                *("meta iifname 1", f"cmp 1 neq {b'lo'.hex()}{'00' * 14}"),
                *(*V4, "payload 1 network_header 16 1", "cmp 1 eq 7f", "immediate verdict nf_drop"),
            ]
        ],
        "postrouting": [
            [*TRANSLATED, *V4, destination4, "lookup hairpin4 1 verdict"],
            [*TRANSLATED, *V6, destination6, "lookup hairpin6 1 verdict"],
            [*V4, "payload 1 network_header 12 4", "lookup masquerade4 1 verdict"],
            [*V6, "payload 1 network_header 8 16", "lookup masquerade6 1 verdict"],
        ],
    }


def test_the_rules_of_chains() -> None:
    """B-36 B-45 P-13 P-14"""
    some = [
        backend.outside(parse_cidr("10.1.0.2/23")),
        ports.hairpin(parse_cidr("10.1.0.2/32")),
        ports.hairpin_any(),
    ]
    some += [backend.outside(parse_cidr("fd01::1/64")), ports.hairpin(parse_cidr("fd01::1/64"))]
    masked = "bitwise 1 1 4 bitwise_bool f0000000 00000000"
    multicast4 = [
        *V4,
        "payload 1 network_header 16 4",
        masked,
        "cmp 1 eq e0000000",
        "immediate verdict return",
    ]
    half = f"bitwise 2 2 16 bitwise_bool {'ff' * 8}{'00' * 8} {'00' * 16}"
    assert {name: body for chain in some for name, body in rules(changes.new_chain(chain)).items()} == {
        "outside4-23": [
            [
                *(*V4, "payload 1 network_header 12 4", "payload reg32_01 network_header 16 4"),
                *(
                    "bitwise reg32_01 reg32_01 4 bitwise_bool fffffe00 00000000",
                    "lookup inside4 1",
                    "immediate verdict return",
                ),
            ],
            multicast4,
            ["masq"],
        ],
        "hairpin4-32": [
            [
                *V4,
                "payload 1 network_header 16 4",
                "payload reg32_01 network_header 12 4",
                "lookup near4 1",
                "masq",
            ],
            [*V4, "payload 1 network_header 12 4", "cmp 1 eq 7f000001", "masq"],
        ],
        "hairpin-any": [["masq"]],
        "outside6-64": [
            [
                *V6,
                "payload 1 network_header 8 16",
                "payload 2 network_header 24 16",
                half,
                "lookup inside6 1",
                "immediate verdict return",
            ],
            [*V6, "payload 1 network_header 24 1", "cmp 1 eq ff", "immediate verdict return"],
            ["masq"],
        ],
        "hairpin6-64": [
            [
                *V6,
                "payload 1 network_header 24 16",
                "payload 2 network_header 8 16",
                half,
                "lookup near6 1",
                "masq",
            ]
        ],
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ip saddr 10.0.0.5/8", [*V4, "payload 1 network_header 12 1", "cmp 1 eq 0a"]),
        ("ip daddr != 10.0.0.1", [*V4, "payload 1 network_header 16 4", "cmp 1 neq 0a000001"]),
        (
            "ip daddr != 10.0.0.1-10.0.0.9",
            [*V4, "payload 1 network_header 16 4", "range 1 neq 0a000001 0a000009"],
        ),
        ("ip6 saddr fd01::1", [*V6, "payload 1 network_header 8 16", f"cmp 1 eq {parse('fd01::1').hex()}"]),
        ("iifname eth0", ["meta iifname 1", f"cmp 1 eq {b'eth0'.hex()}{'00' * 12}"]),
        ("meta iifname != veth*", ["meta iifname 1", f"cmp 1 neq {b'veth'.hex()}"]),
        ("meta mark 0x10", ["meta mark 1", f"cmp 1 eq {pack('=I', 16).hex()}"]),
        (
            "tcp dport 80",
            ["meta l4proto 1", "cmp 1 eq 06", "payload 1 transport_header 2 2", "cmp 1 eq 0050"],
        ),
        (
            "udp sport 1-9",
            ["meta l4proto 1", "cmp 1 eq 11", "payload 1 transport_header 0 2", "range 1 eq 0001 0009"],
        ),
        (
            "sctp dport != 5",
            ["meta l4proto 1", "cmp 1 eq 84", "payload 1 transport_header 2 2", "cmp 1 neq 0005"],
        ),
        ("th dport 53", ["payload 1 transport_header 2 2", "cmp 1 eq 0035"]),
    ],
)
def test_conditions(words: str, expected: list[str]) -> None:
    """P-7: what the words compile to."""
    chain = names.Chain(INET, "x", (compile_words([words]),))
    assert rules(changes.new_chain(chain)) == {"x": [expected]}
