"""The content and the names of reservation files."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import address
from ipam.host_local import reservation


def test_content_is_container_id_and_ifname() -> None:
    """H-1, H-6: the container ID is trimmed."""
    assert reservation.contents("c1", "eth0") == (b"c1\r\neth0", b"c1")
    assert reservation.contents(" c1\n", "eth0") == (b"c1\r\neth0", b"c1")


@pytest.mark.parametrize(
    ("content", "owner"),
    [
        (b"c1\r\neth0", ("c1", "eth0")),
        (b"c1", ("c1", "")),
        (b"a.b-c_D", ("a.b-c_D", "")),
        (b"c1\r\n\xff", ("c1", "\udcff")),
        (b"", None),
        (b"\0\0\0", None),
        (b"kept for the printer", None),
        (b"\r\neth0", None),
    ],
)
def test_owner_of_a_content(content: bytes, owner: tuple[str, str] | None) -> None:
    """H-4."""
    assert reservation.owner(content) == owner


@pytest.mark.parametrize(
    ("content", "torn"), [(b"", True), (b"\0" * 9, True), (b" \r\n", True), (b"c1", False), (b"\0c1", False)]
)
def test_what_a_crash_leaves(content: bytes, torn: bool) -> None:
    """H-57."""
    assert reservation.is_torn(content) is torn


OURS = ("lock", "last_reserved_ip.0", ".index", ".new", "")
NOT_CANONICAL = ("10.1.2", "010.1.2.3", "2001:DB8::1", "2001:db8:0::1", "::ffff:10.1.2.3", "10.1.2.3/24")


@pytest.mark.parametrize("name", [*OURS, *NOT_CANONICAL])
def test_other_names_are_no_reservations(name: str) -> None:
    assert reservation.packed(name) is None


@given(st.ip_addresses())
def test_names_are_canonical_texts(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped is not None
    name = address.text(value.packed)
    assert reservation.packed(name) == (None if mapped else value.packed)
