"""Owners and the names that are hashed from them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attachment import Attachment, hashed, host_ifname, network_prefix, owner_text
from core.cni.protocol import ifname_complaint, is_identifier

IDENTIFIERS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,150}\Z")
IFNAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15).filter(
    lambda name: not ifname_complaint(name)
)


def test_a_name_is_hashed_with_sha_512() -> None:
    assert hashed(15, "veth", "n1/c1/eth0") == "veth" + hashlib.sha512(b"n1/c1/eth0").hexdigest()[:11]


def test_a_prefix_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="leaves no room"):
        hashed(4, "veth", "x")


def test_an_attachment_names_its_owner_and_its_host_interface() -> None:
    attachment = Attachment("n1", "c1", "eth0")
    assert (attachment.owner, attachment.netns) == ("n1/c1/eth0", "")
    assert attachment.host_ifname == host_ifname("n1/c1/eth0")
    assert attachment.owner.startswith(network_prefix("n1"))


@given(IDENTIFIERS, IDENTIFIERS, IFNAMES)
def test_an_owner_fits_a_comment_and_a_name_fits_the_kernel(
    network: str, container_id: str, ifname: str
) -> None:
    """S-3, S-5: whatever the protocol lets in."""
    assert is_identifier(network)
    owner = Attachment(network, container_id, ifname).owner
    assert len(owner.encode()) <= 253
    assert owner.startswith(network_prefix(network))
    assert owner.count("/") == 2
    name = host_ifname(owner)
    assert (len(name), ifname_complaint(name)) == (15, "")


@given(*[st.tuples(IDENTIFIERS, IDENTIFIERS, IFNAMES)] * 2)
def test_different_attachments_have_different_owners(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (owner_text(*one) == owner_text(*other)) == (one == other)


def test_an_over_long_part_is_hashed_and_told_from_its_neighbours() -> None:
    assert network_prefix("n" * 80) == "n" * 80 + "/"
    assert len(network_prefix("n" * 81)) == 41
    assert network_prefix("n" * 81) != network_prefix("n" * 82)
    assert not is_identifier(network_prefix("n" * 81)[:-1])
