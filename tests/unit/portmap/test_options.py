"""Options of portmap: keys and mappings that are refused, and those that are left out."""

from typing import Any

import pytest

from core.cni.config import Section
from core.errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CNIError
from core.plan import filter as intents
from plugins.portmap.options import Options, Wanted, options
from tests.unit.portmap.planned import wanted


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
