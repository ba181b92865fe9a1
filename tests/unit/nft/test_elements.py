"""Elements: created and deleted as pyroute2 reads it, and read back by us."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import parse, parse_cidr
from core.attachment import owner_text
from core.netlink.message import CREATE, EXCL
from core.nft import changes, client, decode, ports
from core.nft.meaning import understand
from core.nft.names import INET, Element
from core.nft.values import NFT_MSG_DELCHAIN, NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM, comment_text
from core.publication import Mapping
from core.record import replace
from tests.unit.nft.reading import decoded

OWNER = "net/c1/eth0"
PORT = ports.port_element(Mapping("tcp", b"", 8080, parse("10.1.0.2"), 80), OWNER)
HAIRPIN = ports.hairpin_elements(parse_cidr("fd01::2/64"), OWNER)[0]


def test_elements() -> None:
    """P-26: exclusively; the owner is the comment; one message a map."""
    ports, hairpins = client.create_elements(
        [PORT, HAIRPIN, replace(PORT, key=PORT.key[:4] + b"\x1f\x91\0\0", owner="")]
    )
    assert (ports.type, ports.flags) == (NFT_MSG_NEWSETELEM, CREATE | EXCL)
    assert decoded(ports) == {
        "nfgen_family": 1,
        "NFTA_SET_ELEM_LIST_TABLE": "cniwire",
        "NFTA_SET_ELEM_LIST_SET": "hostports4",
        "NFTA_SET_ELEM_LIST_ELEMENTS": [
            {
                "NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": b"\6\0\0\0\x1f\x90\0\0"},
                "NFTA_SET_ELEM_DATA": {"NFTA_DATA_VALUE": b"\x0a\1\0\2\0\x50\0\0"},
                "NFTA_SET_ELEM_USERDATA": [["NFTNL_UDATA_SET_ELEM_COMMENT", OWNER.encode()]],
            },
            {
                "NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": b"\6\0\0\0\x1f\x91\0\0"},
                "NFTA_SET_ELEM_DATA": {"NFTA_DATA_VALUE": b"\x0a\1\0\2\0\x50\0\0"},
            },
        ],
    }
    verdict = {"NFTA_VERDICT_CODE": "NFT_JUMP", "NFTA_VERDICT_CHAIN": "hairpin6-64"}
    assert decoded(hairpins)["NFTA_SET_ELEM_LIST_ELEMENTS"][0]["NFTA_SET_ELEM_DATA"] == {
        "NFTA_DATA_VERDICT": verdict
    }


def test_deletions() -> None:
    """Elements by their key alone; a chain by its name."""
    (message,) = client.delete_elements([PORT])
    assert (message.type, message.flags) == (NFT_MSG_DELSETELEM, 0)
    assert decoded(message)["NFTA_SET_ELEM_LIST_ELEMENTS"] == [
        {"NFTA_SET_ELEM_KEY": {"NFTA_DATA_VALUE": PORT.key}}
    ]
    gone = changes.delete_chain(INET, "outside4-24")
    assert (gone.type, decoded(gone)) == (
        NFT_MSG_DELCHAIN,
        {"nfgen_family": 1, "NFTA_CHAIN_TABLE": "cniwire", "NFTA_CHAIN_NAME": "outside4-24"},
    )


LONGEST = owner_text("n" * 80, "c" * 80, "i" * 15) + " " + "w" * 15


@pytest.mark.parametrize("count", [1, 200, 201, 1000])
def test_the_longest_elements_fit_their_attribute(count: int) -> None:
    """The length of a list is a 16-bit number, so many elements are many messages."""
    items = [
        ports.port_element(Mapping("tcp", parse("2001:db8::1"), 1 + each, parse("fd01::2"), 80), LONGEST)
        for each in range(count)
    ]
    messages = client.create_elements(items)
    assert len(messages) == -(-count // 200)
    assert sum(len(decoded(message)["NFTA_SET_ELEM_LIST_ELEMENTS"]) for message in messages) == count
    read_again = [item for each in messages for item in decode.decoded(INET, items[0].map, each.payload)]
    understand(read_again)
    assert read_again == [replace(item, text="") for item in items]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
items = st.builds(
    lambda key, data, chain, owner: Element(INET, "m", key, b"" if chain else data, chain, owner, ""),
    st.binary(min_size=1, max_size=24),
    st.binary(min_size=1, max_size=20),
    st.sampled_from(["", "hairpin-any", "outside4-24"]),
    texts,
)


@given(st.lists(items, max_size=20))
def test_elements_that_we_write_we_read_again(wanted: list[Element]) -> None:
    """Comments in any language."""
    messages = client.create_elements(wanted)
    assert [item for message in messages for item in decode.decoded(INET, "m", message.payload)] == wanted


def test_only_elements_that_contain_the_owner_are_decoded() -> None:
    (message,) = client.create_elements([PORT, replace(PORT, key=b"\1" * 8, owner="net/c2/eth0")])
    assert [item.owner for item in decode.decoded(INET, "hostports4", message.payload, b"net/c2/eth0")] == [
        "net/c2/eth0"
    ]


@given(st.binary(max_size=300))
def test_whatever_bytes_come_decoding_elements_ends(payload: bytes) -> None:
    """Never an exception: a torn list is a short one."""
    for item in decode.decoded(INET, "m", payload):
        assert isinstance(item.owner, str)
    comment_text(payload)


@given(st.data())
def test_a_message_with_one_byte_changed_is_decoded_to_something(data: st.DataObject) -> None:
    (message,) = client.create_elements([PORT, replace(PORT, key=b"\1" * 8)])
    changed = bytearray(message.payload)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert all(isinstance(item, Element) for item in decode.decoded(INET, "m", bytes(changed)))
