"""Results of any content, rendered and decoded again."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.cni.json import parse as parse_json
from core.cni.json import render as render_json
from core.cni.result import parse, render
from core.cni.version import ALL
from core.errors import CNIError

V4, V6 = (
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str).filter(lambda text: "::ffff:" not in text),
)
CIDRS = st.tuples(V4, st.integers(0, 32)).map("{0[0]}/{0[1]}".format) | st.tuples(
    V6, st.integers(0, 128)
).map("{0[0]}/{0[1]}".format)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
U32, UNKNOWN = (
    st.integers(1, 2**32 - 1),
    st.fixed_dictionaries({}, optional={"x-unknown": st.none() | WORDS | st.lists(st.just(""))}),
)


def having(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries(required, optional=optional)
    return st.tuples(known, UNKNOWN).map(lambda pair: {**pair[0], **pair[1]})


RESULTS = having(
    {
        "interfaces": st.lists(
            having(
                {"name": WORDS},
                {"mac": WORDS, "mtu": U32, "sandbox": WORDS, "socketPath": WORDS, "pciID": WORDS},
            ),
            max_size=2,
        ),
        "ips": st.lists(
            having({"address": CIDRS}, {"interface": st.integers(0, 3), "gateway": V4 | V6}), max_size=4
        ),
        "routes": st.lists(
            having(
                {"dst": CIDRS},
                {
                    "gw": V4 | V6,
                    "mtu": U32,
                    "advmss": U32,
                    "priority": U32,
                    "table": st.integers(0, 9),
                    "scope": st.integers(0, 255),
                },
            ),
            max_size=4,
        ),
        "dns": having(
            {},
            {
                "domain": WORDS,
                "nameservers": st.lists(WORDS, min_size=1),
                "search": st.lists(WORDS, min_size=1),
            },
        ),
    },
    {},
)


def through(result: dict[str, Any], version: str) -> Any:
    """Rendered for *version*, written, read and decoded again."""
    return parse(parse_json(render_json(render(result, version), 4).encode(), "x"), "")


@given(RESULTS, st.sampled_from(["1.0.0", "1.1.0"]))
def test_a_result_survives_the_newest_shape(result: dict[str, Any], version: str) -> None:
    """S-63, S-64, S-68, S-70: unknown keys included."""
    assert through(result, version) == {**result, "cniVersion": version}


@given(RESULTS, st.sampled_from(["0.3.0", "0.3.1", "0.4.0"]))
def test_a_result_survives_the_middle_shape_but_for_three_keys(result: dict[str, Any], version: str) -> None:
    """S-55, S-57, S-59, S-60, S-65."""
    interfaces = [
        {k: v for k, v in item.items() if k not in ("mtu", "socketPath", "pciID")}
        for item in result["interfaces"]
    ]
    assert through(result, version) == {**result, "interfaces": interfaces, "cniVersion": version}


@given(RESULTS.filter(lambda result: result["ips"]), st.sampled_from(["0.1.0", "0.2.0"]))
def test_the_oldest_shape_is_stable_once_it_is_reached(result: dict[str, Any], version: str) -> None:
    """S-51, S-52, S-53, S-56, S-57, S-58, S-66."""
    small = through(result, version)
    assert len(small["ips"]) == len({":" in item["address"] for item in result["ips"]})
    assert through(small, version) == small
    for newer in ALL[2:]:
        assert {**through(through(small, newer), version)} == small


@given(RESULTS, st.sampled_from(ALL))
def test_rendering_changes_nothing_in_what_it_is_given(result: dict[str, Any], version: str) -> None:
    """S-53, S-64: a deep copy as far as anybody can tell."""
    before = json.dumps(result)
    try:
        render(result, version)
    except CNIError:
        assert not result["ips"]
    assert json.dumps(result) == before


KEYS = st.sampled_from(
    ["cniVersion", "ips", "ip4", "interfaces", "routes", "dns", "dst", "address", "ip", "name", "mtu", "x"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.just(1.0) | WORDS | CIDRS
TREES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=4)
)


@given(TREES, st.sampled_from(ALL))
def test_whatever_is_decoded_can_be_encoded(document: Any, version: str) -> None:
    """S-62: or is a decoding failure."""
    try:
        result = parse(document, version)
    except CNIError as error:
        assert error.code == 6  # noqa: PT017 - some are in order
        return
    for shape in ALL[2:]:
        json.loads(render_json(render(result, shape)))
