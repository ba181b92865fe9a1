"""What elements of our maps are for, as read from their bytes: the same as who made them meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import Cidr, network, parse, parse_cidr
from core.intent import Masquerade, NoSpoof, Zoned
from core.nft import backend, ports, zoned
from core.nft.client import create_elements
from core.nft.decode import decoded
from core.nft.meaning import understand
from core.nft.names import INET, PROTOCOLS, Element
from core.publication import Hairpin, Mapping
from core.record import replace

OWNER = "net/c1/eth0"
packed = st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
numbers = st.integers(1, 65535)


def read_back(*elements: Element) -> list[Any]:
    """What the kernel's own list of the elements is understood as."""
    found = [
        item
        for element in elements
        for message in create_elements([element])
        for item in decoded(element.table, element.map, message.payload)
    ]
    understand(found)
    return [item.about for item in found]


@given(
    st.sampled_from(sorted(PROTOCOLS)),
    st.booleans(),
    packed,
    numbers,
    numbers,
    st.sampled_from(["", "0123abcd", "12345678"]),
    st.integers(1, 64),
)
def test_a_published_port(
    protocol: str, specific: bool, target: bytes, host_port: int, port: int, tag: str, level: int
) -> None:
    """On every level, with a condition or without, also with one whose tag is a number."""
    host = bytes(reversed(target)) if specific else b""
    mapping = Mapping(protocol, host, host_port, target, port, tag, level)
    assert read_back(ports.port_element(mapping, OWNER)) == [mapping]


@given(packed, st.integers(0, 128))
def test_masquerade_and_hairpin(host: bytes, length: int) -> None:
    """The jump tells the network by its prefix; the set knows the network's address alone."""
    cidr = Cidr(host, min(length, 8 * len(host)))
    assert read_back(*backend.masquerade_elements(cidr, OWNER)) == [
        Masquerade(host, network(cidr)),
        Masquerade(host),
    ]
    assert read_back(*ports.hairpin_elements(cidr, OWNER)) == [Hairpin(host, network(cidr)), Hairpin(host)]
    assert read_back(ports.hairpin_any_element(host, OWNER)) == [Hairpin(host)]


@given(packed)
def test_a_claim_to_an_address(address: bytes) -> None:
    assert read_back(zoned.element(address, OWNER)) == [Zoned(address)]


def test_a_checked_port() -> None:
    mac = bytes.fromhex("020000000001")
    assert read_back(*backend.spoof_elements("veth1", mac, OWNER)) == [
        NoSpoof("veth1", mac),
        NoSpoof("veth1"),
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hostports4", {"key": b"\xff" + bytes(7)}),  # no protocol that we publish
        ("hostports4", {"key": b"\6"}),
        ("hostports4", {"data": b""}),
        ("zoned4-32", {"key": b"\6"}),
        ("hostip_hostports4", {}),  # a key without an address
        ("hostports4-2-3", {}),
        ("hostports4-x", {}),
        ("hostports7", {}),
        ("somebodys", {}),
    ],
)
def test_what_somebody_else_wrote_is_for_nothing(name: str, change: dict[str, bytes]) -> None:
    element = ports.port_element(Mapping("tcp", b"", 80, parse("10.1.0.2"), 80), OWNER)
    assert read_back(replace(element, map=name, **change)) == [None]


@given(
    st.text("hostip_ports46-0123abcdef", max_size=30),
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.text(),
)
def test_whatever_comes_reading_ends(name: str, key: bytes, data: bytes, chain: str) -> None:
    element = Element(INET, name, key, data, chain, OWNER, "")
    understand([element])


def test_a_chain_that_is_no_prefix_tells_no_network() -> None:
    jump = backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0]
    for chain in ("outside4-33", "outside4-", "elsewhere"):
        assert read_back(replace(jump, chain=chain)) == [Masquerade(parse("10.1.0.2"))]
