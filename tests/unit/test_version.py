"""Versions: text, order, families, and which command needs which."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cni.version import ALL, FAMILIES, NEWEST, at_least, gate, ordinal, since
from core.errors import CNIError
from launcher.runtime import decode_versions


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", (0, 1, 0)),
        ("1", (1, 0, 0)),
        ("1.2", (1, 2, 0)),
        ("1.2.3", (1, 2, 3)),
        ("0.0.0", (0, 0, 0)),
        ("01.2", (1, 2, 0)),
    ],
)
def test_a_version_is_one_to_three_numbers(text: str, numbers: tuple[int, int, int]) -> None:
    """S-81."""
    assert ordinal(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3.4",
        "a",
        "1.a",
        "1.2.",
        ".1",
        "1..2",
        "-1",
        "+1",
        " 1",
        "1\n",
        "١",
        "²",
        "1.2.3-rc1",
        "9" * 10,
        "9" * 5000,
    ],
)
def test_a_malformed_version_is_a_decoding_failure(text: str) -> None:
    """S-81."""
    with pytest.raises(CNIError) as caught:
        ordinal(text)
    assert caught.value.code == 6


@given(*[st.tuples(*[st.integers(0, 20)] * 3)] * 2)
def test_versions_are_ordered_by_their_numbers(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    """S-82."""
    texts = [".".join(map(str, numbers)) for numbers in (one, other)]
    assert at_least(*texts) == (one >= other)


def test_a_version_is_at_least_itself() -> None:
    """S-82."""
    assert at_least("1.0", "1.0.0")
    assert at_least("", "0.1.0")
    assert not at_least("0.9.9", "1")
    assert at_least("0.10.0", "0.9.0")
    assert list(ALL) == sorted(ALL, key=ordinal)
    assert ALL[-1] == NEWEST


def test_the_versions_since_an_oldest_one() -> None:
    """S-83."""
    assert since("") == since("0.1.0") == ALL
    assert since("0.3.1") == ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
    assert since("0.9") == ("1.0.0", "1.1.0")
    assert since("2.0.0") == ()


def test_families_of_versions_are_neighbours() -> None:
    """S-88."""
    assert [[*group] for _, group in itertools.groupby(ALL, FAMILIES.get)] == [
        ["0.1.0", "0.2.0"],
        ["0.3.0", "0.3.1", "0.4.0"],
        ["1.0.0", "1.1.0"],
    ]


def test_an_incompatible_version_names_both_sides() -> None:
    """S-15, S-85."""
    with pytest.raises(CNIError) as caught:
        gate("ADD", "0.9.0", ("0.1.0", "1.0.0"))
    assert (
        str(caught.value)
        == "incompatible CNI versions; config is '0.9.0', plugin supports ['0.1.0', '1.0.0']"
    )
    assert caught.value.code == 1


@pytest.mark.parametrize("command", ["ADD", "DEL", "VERSION"])
@pytest.mark.parametrize("version", ALL)
def test_add_and_del_pass_with_every_version(command: str, version: str) -> None:
    """S-14."""
    gate(command, version, ALL)


@pytest.mark.parametrize("command", ["CHECK", "GC", "STATUS"])
def test_a_supported_newer_version_does_not_make_up_for_the_configurations(command: str) -> None:
    """S-19, S-27, S-31: a plugin that skips the configuration's version is refused, too."""
    with pytest.raises(CNIError, match="incompatible CNI versions"):
        gate(command, "1.1.0", ("1.0.0", "1.2.0"))


@pytest.mark.parametrize(
    ("reply", "versions"),
    [
        (b'{"cniVersion": "1.1.0", "supportedVersions": ["0.4.0", "1.0.0"]}', ["0.4.0", "1.0.0"]),
        (b'{"cniVersion": "0.2.0"}', ["0.1.0", "0.2.0"]),
        (b'{"cniVersion": "0.2.0", "supportedVersions": null}', ["0.1.0", "0.2.0"]),
    ],
)
def test_a_version_reply_is_decoded(reply: bytes, versions: list[str]) -> None:
    """S-84, S-107: 0.2.0 knew no list."""
    assert decode_versions(reply) == versions


@pytest.mark.parametrize(
    "reply",
    [
        *(b"", b"{", b"[]", b"{}", b'{"cniVersion": ""}', b'{"cniVersion": 1}', b'{"cniVersion": "1.0.0"}'),
        b'{"supportedVersions": ["1.0.0"]}',
        b'{"cniVersion": "1.0.0", "supportedVersions": "1.0.0"}',
        b'{"cniVersion": "1.0.0", "supportedVersions": [1]}',
    ],
)
def test_a_bad_version_reply_is_an_error(reply: bytes) -> None:
    """S-84."""
    with pytest.raises(CNIError):
        decode_versions(reply)
