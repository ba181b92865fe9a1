"""Options of portmap: keys and mappings that are refused, and those that are left out."""

from typing import Any

import pytest

from core.cni.config import Section
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.iptables.backend import Backend
from core.plan import filter as intents
from plugins.portmap.options import Options, Wanted, options
from tests.unit.portmap.planned import wanted


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"backend": "horse"}, INVALID_CONFIG, ["backend", "horse"]),
        ({"backend": "nftables", "conditionsV4": ["-m", "set"]}, UNSUPPORTED_FIELD, ["conditionsV4", "-m"]),
        (
            {"backend": "nftables", "conditionsV6": ["!", "-s"], "externalSetMarkChain": "KUBE"},
            UNSUPPORTED_FIELD,
            ["nftables", "conditionsV6", "externalSetMarkChain", "KUBE"],
        ),  # P-9
        (
            {"backend": "iptables", "conditionsV4": ["mark 1"]},
            UNSUPPORTED_FIELD,
            ["iptables", "conditionsV4"],
        ),
        (
            {"conditionsV4": ["-s", "192.0.2.1"], "conditionsV6": ["mark 1"], "markMasqBit": 5},
            UNSUPPORTED_FIELD,
            ["conditionsV4", "conditionsV6", "markMasqBit"],
        ),
        ({"externalSetMarkChain": "A" * 29}, INVALID_CONFIG, ["externalSetMarkChain", "28"]),
        ({"externalSetMarkChain": "A -j B"}, INVALID_CONFIG, ["externalSetMarkChain", "A -j B"]),
        ({"conditionsV4": ["-s 192.0.2.1\n-F"]}, INVALID_CONFIG, ["conditionsV4", "-F"]),
        # P-11
        (
            {"markMasqBit": 5, "externalSetMarkChain": "KUBE"},
            INVALID_CONFIG,
            ["markMasqBit", "externalSetMarkChain"],
        ),
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
    ("keys", "expected"),
    [
        ({}, intents.NFT),  # P-5
        ({"backend": "nftables"}, intents.NFT),  # P-6
        ({"conditionsV4": ["ip saddr 192.0.2.1"]}, intents.NFT),  # P-7
        ({"backend": "nftables", "markMasqBit": 13}, intents.NFT),
        ({"backend": "iptables"}, Backend()),
        ({"markMasqBit": 5}, Backend(mark_bit=5)),  # P-18
        ({"markMasqBit": 0}, Backend(mark_bit=0)),
        ({"externalSetMarkChain": "KUBE-MARK-MASQ"}, Backend(mark_chain="KUBE-MARK-MASQ")),
        ({"conditionsV4": ["-m", "set", "--match-set", "x", "src"]}, Backend()),
        ({"conditionsV6": ["!", "-s", "fd01::/64"]}, Backend()),
    ],
    ids=str,
)
def test_the_backend_that_the_keys_need(keys: dict[str, Any], expected: Any) -> None:
    """P-5 P-6 P-7: what only iptables can do selects it, where no backend is named."""
    assert wanted({"hostPort": 1, "containerPort": 2}, **keys).backend == expected
    assert wanted(**keys) == Options((), True, False, {}, expected)


def test_a_contradiction_that_would_change_nothing_is_not_looked_at() -> None:
    keys = {"backend": "nftables", "conditionsV4": ["-d", "192.0.2.1/32"]}
    assert wanted(**keys) == Options((), True, False, {}, intents.NFT)


def test_loopback6_is_left_out_and_said() -> None:
    made = wanted(
        {"hostPort": 1, "containerPort": 2, "hostIP": "::1"}, {"hostPort": 1, "containerPort": 2, "range": 0}
    )
    assert (made.mappings, made.without_loopback6) == ((Wanted("tcp", 1, 2, None),), True)


def test_options_as_parsed() -> None:
    """P-1 P-2: snat is on by default; keys in any case; without runtimeConfig there is nothing to map."""
    assert options(Section({})) == Options((), True, False, {}, intents.NFT)
    assert options(
        Section({"runtimeconfig": {"portmappings": [{"HOSTPORT": 1, "containerport": 2}]}, "Snat": False})
    ) == Options((Wanted("tcp", 1, 2, None),), False, False, {}, intents.NFT)
