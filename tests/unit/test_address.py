"""Addresses and prefixes, against the ipaddress module and netaddr."""

import ipaddress
from collections.abc import Callable

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import (
    Cidr,
    contains,
    family,
    first_host,
    host_prefix,
    mask,
    network,
    overlap,
    parse,
    parse_cidr,
    text,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PACKED = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
NEAR_ZERO = st.integers(0, 2**40).map(lambda number: number.to_bytes(16, "big"))
ADDRESSES = (PACKED | NEAR_ZERO).filter(lambda packed: packed[:12] != bytes(10) + b"\xff\xff")


@st.composite
def cidrs(draw: Callable[[st.SearchStrategy[object]], object]) -> Cidr:
    address = draw(ADDRESSES)
    assert isinstance(address, bytes)
    length = draw(st.integers(0, len(address) * 8))
    assert isinstance(length, int)
    return Cidr(address, length)


def as_network(cidr: Cidr) -> Network:
    return ipaddress.ip_network((cidr.address, cidr.prefix_len), strict=False)


@given(ADDRESSES)
def test_text_and_parse_agree_with_ipaddress_and_netaddr(packed: bytes) -> None:
    """S-68: the canonical text, as the reference writes it."""
    assert text(packed) == str(ipaddress.ip_address(packed))
    assert parse(text(packed)) == packed
    assert parse(ipaddress.ip_address(packed).exploded.upper()) == packed
    assert parse(text(packed)) == netaddr.IPAddress(text(packed)).packed
    assert family(packed) == ipaddress.ip_address(packed).version


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::FFFF:a01:203", "10.1.2.3"),
        ("::10.1.2.3", "::a01:203"),
        ("::1:0", "::1:0"),
        ("::1", "::1"),
        ("::", "::"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_addresses_have_one_canonical_text(written: str, canonical: str) -> None:
    """S-68: a reservation file is named by it."""
    assert text(parse(written)) == canonical


def test_an_unfolded_mapped_address_keeps_its_form() -> None:
    assert text(bytes(10) + b"\xff\xff\x0a\x01\x02\x03") == "::ffff:10.1.2.3"


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "01.2.3.4",
            "1.2.3.04",
            "1.2.3.4 ",
            "1.2.3.4/24",
            "1.2.3.4\n",
            "1.2.3.4\0",
        ),
        *("fe80::1%eth0", "fe80::1%1", ":::", "1::2::3", "2001:db8", "g::", "::1\0", "::12345", "[::1]"),
        *("0x1.2.3.4", "16909060", "\ud800", "١.2.3.4"),
    ],
)
def test_a_bad_address_is_an_error(written: str) -> None:
    """S-69."""
    with pytest.raises(ValueError, match="invalid IP address"):
        parse(written)
    with pytest.raises(ValueError, match="invalid CIDR address"):
        parse_cidr(f"{written}/24")


@given(st.text(alphabet="0123456789abcdefx:./%\0 é", max_size=20))
def test_parse_accepts_what_ipaddress_accepts(written: str) -> None:
    """S-69: zones apart, which the reference refuses, too."""
    try:
        wanted = None if "%" in written else ipaddress.ip_address(written)
    except ValueError:
        wanted = None
    if wanted is None:
        with pytest.raises(ValueError, match="invalid IP address"):
            parse(written)
    else:
        mapped = wanted.ipv4_mapped if isinstance(wanted, ipaddress.IPv6Address) else None
        assert parse(written) == (mapped or wanted).packed


@given(cidrs())
def test_a_cidr_survives_its_text(cidr: Cidr) -> None:
    """S-68: with its host part."""
    assert parse_cidr(str(cidr)) == cidr
    assert str(cidr) == str(ipaddress.ip_interface((cidr.address, cidr.prefix_len)))


@pytest.mark.parametrize(
    "written",
    ["10.0.0.1", "10.0.0.1/", "/8", "10.0.0.1/33", "::1/129", "10.0.0.1/-1", "10.0.0.1/+8", "10.0.0.1/8 "],
)
def test_a_bad_cidr_is_an_error(written: str) -> None:
    """S-69."""
    with pytest.raises(ValueError, match="invalid CIDR address"):
        parse_cidr(written)


@pytest.mark.parametrize("length", ["²", "٣", "8/8", "255.0.0.0", "0x8", "1000", "", "8\0", "9" * 5000])
def test_a_bad_prefix_length_is_an_error(length: str) -> None:
    """S-69."""
    with pytest.raises(ValueError, match="invalid CIDR address"):
        parse_cidr(f"10.0.0.1/{length}")


def test_the_prefix_of_a_mapped_address_is_that_of_the_ipv4_one() -> None:
    """S-68."""
    assert str(parse_cidr("::ffff:10.1.2.3/120")) == "10.1.2.3/24"
    assert str(parse_cidr("::ffff:10.1.2.3/96")) == "10.1.2.3/0"
    for length in (24, 95, 129):
        with pytest.raises(ValueError, match="invalid CIDR address"):
            parse_cidr(f"::ffff:10.1.2.3/{length}")


@given(cidrs())
def test_network_and_mask_agree_with_ipaddress_and_netaddr(cidr: Cidr) -> None:
    wanted = as_network(cidr)
    assert str(network(cidr)) == str(wanted)
    assert int.from_bytes(network(cidr).address, "big") == netaddr.IPNetwork(str(cidr)).first
    assert mask(cidr) == int(wanted.netmask)


@given(cidrs(), cidrs())
def test_overlap_agrees_with_ipaddress(one: Cidr, other: Cidr) -> None:
    wanted = as_network(one).version == as_network(other).version and as_network(one).overlaps(
        as_network(other)
    )
    assert overlap(one, other) == overlap(other, one) == wanted
    assert overlap(one, one)


@given(cidrs(), ADDRESSES, st.booleans())
def test_contains_agrees_with_ipaddress(net: Cidr, packed: bytes, inside: bool) -> None:
    if inside and len(packed) == len(net.address):
        host = int.from_bytes(packed, "big") & ~mask(net)
        packed = (int.from_bytes(network(net).address, "big") | host).to_bytes(len(packed), "big")
    assert contains(net, packed) == (ipaddress.ip_address(packed) in as_network(net))


@given(cidrs())
def test_first_host_is_the_network_address_plus_one(cidr: Cidr) -> None:
    net = as_network(cidr)
    last = 2 ** (len(cidr.address) * 8) - 1
    assert int.from_bytes(first_host(cidr), "big") == min(int(net.network_address) + 1, last)


def test_the_last_address_of_all_has_no_successor() -> None:
    assert first_host(Cidr(b"\xff" * 4, 32)) == b"\xff" * 4


@given(ADDRESSES)
def test_host_prefix_is_the_network_of_one_address(packed: bytes) -> None:
    assert network(host_prefix(packed)) == host_prefix(packed)
    assert as_network(host_prefix(packed)).num_addresses == 1
