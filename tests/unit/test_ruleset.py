"""Tables, chains and elements: names, texts and keys. What nft makes of them is a kernel test."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import address, ruleset
from core.address import Cidr, parse, parse_cidr
from core.ruleset import BRIDGE, INET, MASQUERADE_MAPS, PORT_MAPS, PROTOCOLS, SPOOF_MAPS, TABLES

OWNER = "net/c1/eth0"
NFT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9/\\_.-]*")
CHAIN_NAME_BYTES = 127
packed = st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
networks = st.builds(lambda host, bits: address.network(Cidr(host, bits % (8 * len(host) + 1))), packed, st.integers(0, 128))


@given(networks)
def test_chains_of_networks_have_names_that_nft_can_read(net: Cidr) -> None:
    """And different networks have different ones."""
    for chain in (ruleset.outside(net), ruleset.hairpin(net)):
        assert NFT_NAME.fullmatch(chain.name)
        assert len(chain.name) <= CHAIN_NAME_BYTES
        assert chain.name.split("-", 1)[1].replace("_", ":") == str(net)


@given(networks)
def test_the_number_of_rules_is_known_without_them(net: Cidr) -> None:
    for chain in (ruleset.outside(net), ruleset.hairpin(net), ruleset.hairpin_any()):
        assert chain.size == len(chain.rules)


@given(networks, packed)
def test_an_address_jumps_to_the_chain_of_its_network(net: Cidr, host: bytes) -> None:
    """U-4"""
    element = ruleset.masquerade_element(Cidr(host, 8), OWNER)
    assert element.chain == ruleset.outside(address.network(Cidr(host, 8))).name
    assert (element.map, element.key) == (f"masquerade{'4' if len(host) == 4 else '6'}", host)
    hairpin = ruleset.hairpin_element(host, ruleset.hairpin(net), OWNER)
    assert (hairpin.chain, hairpin.text) == (ruleset.hairpin(net).name, f"{address.text(host)} : jump {ruleset.hairpin(net).name}")


def test_every_map_that_a_rule_looks_up_is_made_with_its_table() -> None:
    for table in TABLES.values():
        texts = " ".join(rule.text for chain in table.chains for rule in chain.rules)
        assert set(re.findall(r"@(\S+)", texts)) == {item.name for item in table.maps}


def test_every_chain_that_a_rule_jumps_to_is_made_with_its_table_and_before_it() -> None:
    for table in TABLES.values():
        seen = set()
        for chain in table.chains:
            seen.add(chain.name)
            assert set(re.findall(r"(?:jump|goto) (\S+)", " ".join(rule.text for rule in chain.rules))) <= seen


def test_every_map_is_known_to_a_plugin_and_to_one_only() -> None:
    """GC and DEL find elements by the beginning of a map's name."""
    for table, prefixes in ((INET, (PORT_MAPS, MASQUERADE_MAPS)), (BRIDGE, (SPOOF_MAPS,))):
        for item in TABLES[table].maps:
            assert sum(item.name.startswith(each) for each in prefixes) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_have_their_numbers(protocol: str) -> None:
    """P-50: IANA's."""
    numbers = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
    assert ruleset.port_element(protocol, b"", 1, parse("10.1.0.2"), 1, OWNER).key[0] == numbers[protocol]


@given(packed, packed, st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(list(PROTOCOLS)), st.booleans())
def test_keys_and_data_are_as_long_as_the_map_says(host: bytes, container: bytes, one: int, other: int, protocol: str, specific: bool) -> None:
    """P-26: every part of a concatenation is padded to four bytes."""
    if len(host) != len(container):
        return
    element = ruleset.port_element(protocol, host if specific else b"", one, container, other, OWNER)
    assert (len(element.key), len(element.data)) == ((len(host) if specific else 0) + 8, len(container) + 4)
    assert element.map in {item.name for item in TABLES[INET].maps}
    assert int.from_bytes(element.key[-4:-2], "big") == one
    assert int.from_bytes(element.data[-4:-2], "big") == other


def test_the_spoof_check_of_a_port() -> None:
    """B-45"""
    chain = ruleset.spoof_chain("veth0", bytes.fromhex("02abcdef0001"), OWNER)
    assert (chain.family, chain.name, chain.owner) == (BRIDGE, "mac-veth0", OWNER)
    assert [rule.text for rule in chain.rules] == ["ether saddr 02:ab:cd:ef:00:01 return", "drop"]
    element = ruleset.spoof_element("veth0", chain.name, OWNER)
    assert (element.key, element.text) == (b"veth0" + bytes(11), '"veth0" : jump mac-veth0')


def test_multicast_stays_untranslated() -> None:
    """What goes to a group, as what stays in the network."""
    for net, group in (("10.1.0.0/24", "ip daddr 224.0.0.0/4 return"), ("fd01::/64", "ip6 daddr ff00::/8 return")):
        assert [rule.text for rule in ruleset.outside(parse_cidr(net)).rules][1:] == [group, "masquerade"]
