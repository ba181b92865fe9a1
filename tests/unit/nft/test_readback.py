"""Which of the rules that a kernel lists are ours.

Older kernels tell less of an expression, newer ones may tell more.
"""

import pytest

from core.address import V4, V6, parse_cidr
from core.netlink.message import NESTED, attribute, attribute_list
from core.nft import expression, values
from core.nft.readback import same

NETWORK = parse_cidr("10.1.0.0/20")
OURS = expression.in_network(NETWORK, source=True) + expression.lookup("near4") + expression.masquerade()
ZERO = bytes(4)


def told(expressions: bytes, changed: dict[tuple[str, int], bytes | None]) -> bytes:
    """As another kernel would tell them.

    changed: (expression, attribute) -> the value it tells instead, None where it does not tell the attribute.
    """
    result = b""
    for _, member in attribute_list(expressions):
        name, data = (dict(attribute_list(member)).get(kind, b"") for kind in (1, 2))
        known = dict(attribute_list(data))
        known.update(
            {
                kind: value
                for (of, kind), value in changed.items()
                if of == name[:-1].decode() and value is not None
            }
        )
        left = {
            kind: value
            for kind, value in known.items()
            if changed.get((name[:-1].decode(), kind), b"") is not None
        }
        body = b"".join(attribute(kind, value) for kind, value in left.items())
        result += attribute(1, attribute(1, name) + attribute(2, body))
    return result


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {("bitwise", 6): None},  # before 5.6
        {("lookup", 5): None},  # a set looked up without flags
        {("masq", 1): ZERO, ("cmp", 9): ZERO, ("bitwise", 8): ZERO},
    ],
)
def test_zeros_that_only_one_side_has_are_no_difference(changed: dict[tuple[str, int], bytes | None]) -> None:
    theirs = told(OURS, changed)
    assert same(OURS, theirs)
    assert same(theirs, OURS)


@pytest.mark.parametrize(
    "changed",
    [
        {("lookup", 5): b"\0\0\0\1"},  # inverted
        {("lookup", 1): None},
        {("lookup", 1): b"near6\0"},
        {("masq", 1): b"\0\0\0\4"},
        {("bitwise", 4): attribute(1, b"\xff\xff\xf8\0")},
        {("cmp", 3): attribute(1, b"\n\1\x10\0")},
        {("payload", 3): b"\0\0\0\x10"},
    ],
)
def test_whatever_means_something_else_is_a_difference(changed: dict[tuple[str, int], bytes | None]) -> None:
    theirs = told(OURS, changed)
    assert not same(OURS, theirs)
    assert not same(theirs, OURS)


def test_another_expression_or_one_more_or_less_is_a_difference() -> None:
    drop = expression.decide(values.NF_DROP)
    for theirs in (
        b"",
        OURS + drop,
        drop + OURS,
        OURS[: -len(expression.masquerade())],
        OURS.replace(b"masq", b"dunm"),
    ):
        assert not same(OURS, theirs)


def test_a_match_on_the_family_that_stands_before_already_is_said_once() -> None:
    """nft leaves the second out when it writes a saved rule set anew."""
    twice = expression.of_family(V4) + OURS
    assert same(twice, OURS)
    assert not same(expression.of_family(V6) + OURS, OURS)


def test_the_flag_of_nests_is_no_difference() -> None:
    jump = expression.decide(values.NFT_JUMP, "further")
    value = dict(attribute_list(dict(attribute_list(attribute_list(jump)[0][1]))[2]))[2]
    flagged = value[:3] + bytes([value[3] | NESTED >> 8]) + value[4:]
    assert flagged != value
    assert same(jump, told(jump, {("immediate", 2): flagged}))
    assert not same(jump, told(jump, {("immediate", 2): flagged.replace(b"further", b"another")}))
