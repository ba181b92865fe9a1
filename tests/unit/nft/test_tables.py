"""Tables, base chains, maps and sets as we create them, read by pyroute2."""

import pytest

from core.netlink.message import CREATE, pack
from core.nft import changes
from core.nft.names import BRIDGE, INET, MARK
from core.nft.values import NFT_MSG_DELRULE, NFT_MSG_NEWRULE
from tests.harness.nft_tables import maps
from tests.unit.nft.reading import decoded, made, steps


def test_a_table_with_its_maps_and_chains() -> None:
    """P-26: created where they are missing, with a comment; base chains accept; rules are written anew."""
    messages = made(BRIDGE)
    assert {
        message.flags for message in messages if message.type not in (NFT_MSG_NEWRULE, NFT_MSG_DELRULE)
    } == {CREATE}
    table, macs, spoof, chain, flushed, rule = map(decoded, messages[:6])
    assert table == {
        "nfgen_family": 7,
        "NFTA_TABLE_NAME": "cniwire",
        "NFTA_TABLE_USERDATA": f"cniwire {MARK}: CNI plugins",
    }
    assert (macs["NFTA_SET_KEY_TYPE"], macs["NFTA_SET_KEY_LEN"]) == (41 << 6 | 9, 24)
    assert flushed == {"nfgen_family": 7, "NFTA_RULE_TABLE": "cniwire", "NFTA_RULE_CHAIN": "prerouting"}
    assert spoof == {
        "nfgen_family": 7,
        "NFTA_SET_TABLE": "cniwire",
        "NFTA_SET_NAME": "spoof",
        "NFTA_SET_FLAGS": frozenset(),
        "NFTA_SET_KEY_TYPE": 41,
        "NFTA_SET_KEY_LEN": 16,
        "NFTA_SET_ID": 1,
        "NFTA_SET_USERDATA": [["NFTNL_UDATA_SET_KEYBYTEORDER", pack("=I", 1)]],
    }
    assert chain == {
        "nfgen_family": 7,
        "NFTA_CHAIN_TABLE": "cniwire",
        "NFTA_CHAIN_NAME": "prerouting",
        "NFTA_CHAIN_TYPE": "filter",
        "NFTA_CHAIN_HOOK": {"NFTA_HOOK_HOOKNUM": 0, "NFTA_HOOK_PRIORITY": -300},
        "NFTA_CHAIN_POLICY": 1,
    }
    assert rule["NFTA_RULE_USERDATA"] == MARK
    pair = ["meta iifname 1", "payload 2 ll_header 6 6", "lookup spoof_macs 1 lookup_f_inv"]
    assert steps(rule) == ["meta iifname 1", "lookup spoof 1", *pair, "immediate verdict nf_drop"]


def test_the_types_of_sets() -> None:
    """They lead nowhere, so they have no data."""
    sets = {each["NFTA_SET_NAME"]: each for each in map(decoded, map(changes.new_map, maps(INET)))}
    for name, kind, size in (("inside4", 7 << 6 | 7, 8), ("near6", 8 << 6 | 8, 32)):
        assert (
            sets[name]["NFTA_SET_KEY_TYPE"],
            sets[name]["NFTA_SET_KEY_LEN"],
            sets[name]["NFTA_SET_FLAGS"],
        ) == (kind, size, frozenset())
        assert "NFTA_SET_DATA_TYPE" not in sets[name]


@pytest.mark.parametrize(
    ("name", "key", "data"),
    [
        ("hostports4", (12 << 6 | 13, 8), (7 << 6 | 13, 8)),
        ("hostip_hostports4", (7 << 12 | 12 << 6 | 13, 12), (7 << 6 | 13, 8)),
        ("hostports6", (12 << 6 | 13, 8), (8 << 6 | 13, 20)),
        ("hostip_hostports6", (8 << 12 | 12 << 6 | 13, 24), (8 << 6 | 13, 20)),
        ("hairpin4", (7, 4), (0xFFFFFF00, 16)),
        ("masquerade6", (8, 16), (0xFFFFFF00, 16)),
    ],
)
def test_the_types_of_maps(name: str, key: tuple[int, int], data: tuple[int, int]) -> None:
    """P-26: six bits a type of a concatenation, every part padded to four bytes."""
    sets = {each["NFTA_SET_NAME"]: each for each in map(decoded, map(changes.new_map, maps(INET)))}
    found = sets[name]
    assert (found["NFTA_SET_KEY_TYPE"], found["NFTA_SET_KEY_LEN"]) == key
    assert (found["NFTA_SET_DATA_TYPE"], found["NFTA_SET_DATA_LEN"]) == data
