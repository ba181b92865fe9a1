"""prevResult, malformed results, unknown keys, and round trips of results of any content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cni.config import Section
from core.cni.json import parse as parse_json
from core.cni.json import render as render_json
from core.cni.result import dns, parse, parse_prev, render, route
from core.cni.version import ALL, FAMILIES
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


@pytest.mark.parametrize("version", ALL)
def test_unknown_keys_pass_through_a_chained_plugin(version: str) -> None:
    """S-86, S-89: wherever they stand, empty and null ones included."""
    more = {"x-vendor": {"a": [1, None, ""]}, "empty": "", "none": None}
    if FAMILIES[version]:
        top = {
            "ips": [{"address": "10.0.0.2/8", **more}],
            "interfaces": [{"name": "e", **more}],
            "routes": [{"dst": "::/0", **more}],
        }
        document: dict[str, Any] = {"cniVersion": version, **top, "dns": {"domain": "d", **more}, **more}
        if FAMILIES[version] == 1:
            document["ips"][0]["version"] = "4"
    else:
        half = {"ip": "10.0.0.2/8", "routes": [{"dst": "0.0.0.0/0", **more}], **more}
        document = {"cniVersion": version, "ip4": half, "dns": {"domain": "d", **more}, **more}
    result = parse_prev(Section({"prevResult": document}), version)
    assert result is not None
    assert render(result, version) == document


def test_strangers_cannot_take_the_place_of_known_keys() -> None:
    """S-56, S-66."""
    odd = {
        "cniVersion": "0.2.0",
        "interfaces": 5,
        "ips": 5,
        "routes": 5,
        "ip4": {"ip": "10.0.0.2/8", "address": 5, "interface": "x"},
    }
    assert render(parse(odd, ""), "0.2.0") == {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8"}, "dns": {}}
    odd = {
        "cniVersion": "1.0.0",
        "ips": [{"address": "10.0.0.2/8", "ip": 5, "routes": 5, "version": 6}],
        "ip4": 5,
        "ip6": 5,
    }
    assert render(parse(odd, ""), "0.2.0") == {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8"}, "dns": {}}


@pytest.mark.parametrize("config_version", ALL)
@pytest.mark.parametrize("version", [*ALL, None, ""])
def test_a_prev_result_belongs_to_the_family_of_the_configuration(
    config_version: str, version: str | None
) -> None:
    """S-86, S-88: a missing version is filled from the configuration."""
    ips: dict[str, Any] = (
        {"ips": [{"address": "10.0.0.2/8"}]}
        if FAMILIES[version or config_version]
        else {"ip4": {"ip": "10.0.0.2/8"}}
    )
    config = Section({"PrevResult": {"cniVersion": version, **ips}})
    if FAMILIES[version or config_version] == FAMILIES[config_version]:
        result = parse_prev(config, config_version)
        assert result is not None
        assert (result["cniVersion"], result["ips"]) == (
            version or config_version,
            [{"address": "10.0.0.2/8"}],
        )
    else:
        with pytest.raises(CNIError) as caught:
            parse_prev(config, config_version)
        assert caught.value.code == 6
        assert (
            caught.value.msg
            == f"prevResult: version {version} cannot be used with cniVersion {config_version}"
        )


@pytest.mark.parametrize("version", ["0.5.0", "1.0", "2.0.0", "rubbish"])
def test_an_unknown_version_in_prev_result_fails(version: str) -> None:
    """S-87."""
    with pytest.raises(CNIError) as caught:
        parse_prev(Section({"prevResult": {"cniVersion": version}}), "1.0.0")
    assert (caught.value.code, caught.value.msg) == (
        6,
        f"cannot decode prevResult: cniVersion: unknown version {version!r}",
    )


@pytest.mark.parametrize("values", [{}, {"prevResult": None}])
def test_an_absent_prev_result_is_no_error(values: dict[str, Any]) -> None:
    """S-89."""
    assert parse_prev(Section(values), "1.0.0") is None


CIDR = "want an address with prefix length"
I32, N32 = "want an integer from -2147483648 to 2147483647", "want an integer from 0 to 4294967295"


@pytest.mark.parametrize(
    ("document", "msg"),
    [
        ("text", "want a JSON object"),
        ([], "want a JSON object"),
        (0, "want a JSON object"),
        (False, "want a JSON object"),
        ({"cniVersion": 1}, "cniVersion: want a string, found 1"),
        ({"cniVersion": ["1.0.0"]}, 'cniVersion: want a string, found ["1.0.0"]'),
        ({"ips": {}}, "ips: want a list, found {}"),
        ({"ips": [1]}, "ips: want a list of objects, found [1]"),
        ({"ips": [{}]}, f"ips[0].address: {CIDR}, found null"),
        ({"ips": [{"address": ""}]}, f'ips[0].address: {CIDR}, found ""'),
        ({"ips": [{"address": "10.0.0.2"}]}, f'ips[0].address: {CIDR}, found "10.0.0.2"'),
        ({"ips": [{"address": "::/0"}, {"address": 5}]}, "ips[1].address: want a string, found 5"),
        ({"ips": [{"address": "::/0", "gateway": "x"}]}, 'ips[0].gateway: want an IP address, found "x"'),
        ({"ips": [{"address": "::/0", "interface": "0"}]}, f'ips[0].interface: {I32}, found "0"'),
        ({"ips": [{"address": "::/0", "interface": 0.0}]}, f"ips[0].interface: {I32}, found 0.0"),
        ({"interfaces": [{"name": 1}]}, "interfaces[0].name: want a string, found 1"),
        ({"interfaces": [{"mtu": "1500"}]}, f'interfaces[0].mtu: {N32}, found "1500"'),
        ({"interfaces": [{"mtu": False}]}, f"interfaces[0].mtu: {N32}, found false"),
        ({"routes": [{}]}, f"routes[0].dst: {CIDR}, found null"),
        ({"routes": [{"dst": "default"}]}, f'routes[0].dst: {CIDR}, found "default"'),
        ({"routes": [{"dst": "::/0", "gw": "::/0"}]}, 'routes[0].gw: want an IP address, found "::/0"'),
        (
            {"routes": [{"dst": "::/0", "scope": 256}]},
            "routes[0].scope: want an integer from 0 to 255, found 256",
        ),
        ({"routes": [{"dst": "::/0", "table": -1}]}, f"routes[0].table: {N32}, found -1"),
        ({"dns": []}, "dns: want an object, found []"),
        ({"dns": {"domain": 1}}, "dns.domain: want a string, found 1"),
        ({"dns": {"nameservers": "8.8.8.8"}}, 'dns.nameservers: want a list, found "8.8.8.8"'),
        ({"cniVersion": "0.2.0", "ip4": []}, "ip4: want an object, found []"),
        ({"cniVersion": "0.2.0", "ip4": {}}, f"ip4.ip: {CIDR}, found null"),
        ({"cniVersion": "0.2.0", "ip6": {"ip": "fd00::1"}}, f'ip6.ip: {CIDR}, found "fd00::1"'),
        (
            {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8", "gateway": "x"}},
            'ip4.gateway: want an IP address, found "x"',
        ),
        (
            {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8", "routes": {}}},
            "ip4.routes: want a list, found {}",
        ),
        (
            {"cniVersion": "0.1.0", "ip4": {"ip": "::/0", "routes": [{"dst": 5}]}},
            "routes[0].dst: want a string, found 5",
        ),
    ],
)
def test_a_malformed_result_names_key_and_value(document: Any, msg: str) -> None:
    """S-62, S-69, S-71."""
    with pytest.raises(CNIError) as caught:
        parse(document, "1.1.0", "result of x")
    assert (caught.value.code, caught.value.msg) == (6, f"cannot decode result of x: {msg}")


@pytest.mark.parametrize("index", [-1, 7])
def test_an_index_that_points_nowhere_is_passed_on(index: int) -> None:
    """S-59: the reference's plugins tolerate it, and somebody relies on that."""
    assert parse({"ips": [{"address": "::1/128", "interface": index}]}, "1.0.0")["ips"] == [
        {"address": "::1/128", "interface": index}
    ]


def test_a_route_of_a_configuration_survives() -> None:
    """S-70."""
    values = {
        "dst": "10.1.2.0/24",
        "gw": "10.1.2.1",
        "mtu": 1400,
        "advmss": 1360,
        "priority": 7,
        "table": 50,
        "scope": 253,
    }
    assert route(Section(values)) == values


@pytest.mark.parametrize(
    "values",
    [{}, {"dst": ""}, {"dst": "x"}, {"dst": 1}, {"dst": "::/0", "gw": 1}, {"dst": "::/0", "mtu": -1}],
)
def test_a_bad_route_of_a_configuration_is_an_invalid_configuration(values: dict[str, Any]) -> None:
    """S-71."""
    with pytest.raises(CNIError) as caught:
        route(Section(values, "ipam.routes[0]"))
    assert caught.value.code == 7
    assert caught.value.msg.startswith("ipam.routes[0].")


def test_the_dns_of_a_configuration_keeps_what_says_something() -> None:
    """S-67."""
    assert dns(Section({"domain": "", "search": [], "nameservers": ["1.1.1.1"], "Options": None})) == {
        "nameservers": ["1.1.1.1"]
    }


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
