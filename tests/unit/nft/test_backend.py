"""Chains of prefixes and elements: names, texts and keys. What nft makes of them is a kernel test."""

import re

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import address
from core.address import Cidr, parse, parse_cidr
from core.nft import backend, names, ports
from core.nft.names import BRIDGE, INET, PROTOCOLS
from core.nft.rules import rules_of
from core.publication import Mapping
from tests.harness.nft_tables import maps

OWNER = "net/c1/eth0"
NFT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9/\\_.-]*")
CHAIN_NAME_BYTES = 127
packed = st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
networks = st.builds(
    lambda host, bits: address.network(Cidr(host, bits % (8 * len(host) + 1))), packed, st.integers(0, 128)
)


@given(networks)
def test_chains_of_prefixes_have_names_that_nft_can_read(net: Cidr) -> None:
    """One for each family and length, and none for a network."""
    for chain in (backend.outside(net), ports.hairpin(net)):
        assert NFT_NAME.fullmatch(chain.name)
        assert len(chain.name) <= CHAIN_NAME_BYTES
        assert names.is_on_demand(chain.name)
        assert re.split("-", chain.name)[1:] == [str(net.prefix_len)]
        assert chain.mask == netaddr.IPNetwork(str(net)).netmask.packed


@given(networks, packed)
def test_an_address_jumps_to_the_chain_of_its_prefix(net: Cidr, host: bytes) -> None:
    """U-4: and a set tells the network that it lies in."""
    cidr = Cidr(host, min(net.prefix_len, 8 * len(host)))
    tag, inside = ("4" if len(host) == 4 else "6"), netaddr.IPNetwork(str(cidr)).network.packed
    for made, chain, maps_ in (
        (
            backend.masquerade_elements(cidr, OWNER),
            backend.outside(cidr),
            (f"masquerade{tag}", f"inside{tag}"),
        ),
        (ports.hairpin_elements(cidr, OWNER), ports.hairpin(cidr), (f"hairpin{tag}", f"near{tag}")),
    ):
        assert [(each.map, each.key, each.chain) for each in made] == [
            (maps_[0], host, chain.name),
            (maps_[1], host + inside, ""),
        ]
    element = ports.hairpin_any_element(host, OWNER)
    assert (element.map, element.key, element.text) == (
        f"hairpin{tag}",
        host,
        f"{address.text(host)} : jump hairpin-any",
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_have_their_numbers(protocol: str) -> None:
    """P-50: IANA's."""
    numbers = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
    assert (
        ports.port_element(Mapping(protocol, b"", 1, parse("10.1.0.2"), 1), OWNER).key[0] == numbers[protocol]
    )


@given(
    packed,
    packed,
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.sampled_from(list(PROTOCOLS)),
    st.booleans(),
)
def test_keys_and_data_are_as_long_as_the_map_says(
    host: bytes, container: bytes, one: int, other: int, protocol: str, specific: bool
) -> None:
    """P-26: every part of a concatenation is padded to four bytes."""
    if len(host) != len(container):
        return
    element = ports.port_element(Mapping(protocol, host if specific else b"", one, container, other), OWNER)
    assert (len(element.key), len(element.data)) == ((len(host) if specific else 0) + 8, len(container) + 4)
    assert element.map in {item.name for item in maps(INET)}
    assert int.from_bytes(element.key[-4:-2], "big") == one
    assert int.from_bytes(element.data[-4:-2], "big") == other


def test_the_spoof_check_of_a_port() -> None:
    """B-45: the port is checked, and one MAC may pass."""
    allowed, checked = backend.spoof_elements("veth0", bytes.fromhex("02abcdef0001"), OWNER)
    assert (allowed.map, allowed.text) == ("spoof_macs", '"veth0" . 02:ab:cd:ef:00:01')
    assert allowed.key == b"veth0" + bytes(11) + bytes.fromhex("02abcdef00010000")
    assert (checked.map, checked.key, checked.text) == ("spoof", b"veth0" + bytes(11), '"veth0"')
    assert {each.table for each in (allowed, checked)} == {BRIDGE}


def test_multicast_stays_untranslated() -> None:
    """What goes to a group, as what stays in the network."""
    for net, same, group in (
        ("10.1.0.0/24", "ip saddr . ip daddr & 255.255.255.0 @inside4 return", "ip daddr 224.0.0.0/4 return"),
        ("10.1.0.2/32", "ip saddr . ip daddr @inside4 return", "ip daddr 224.0.0.0/4 return"),
        (
            "fd01::/64",
            "ip6 saddr . ip6 daddr & ffff:ffff:ffff:ffff:: @inside6 return",
            "ip6 daddr ff00::/8 return",
        ),
    ):
        assert [rule.text for rule in rules_of(backend.outside(parse_cidr(net)))] == [
            same,
            group,
            "masquerade",
        ]
