"""Typed access to a configuration with the key rules of the reference's decoder, CNI_ARGS, GC's list."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.address import Cidr
from core.cni.config import Section, cni_args, network_name, valid_attachments, version
from core.cni.json import parse_object
from core.errors import CNIError

KNOWN = ("IP", "MAC")


def complaint(call: Any, *args: Any) -> tuple[int, str]:
    with pytest.raises(CNIError) as caught:
        call(*args)
    return caught.value.code, caught.value.msg


def test_keys_match_in_any_case() -> None:
    config = Section({"HostPort": 1, "ipMasq": True, "cni.dev/Valid-Attachments": []})
    assert config.integer("hostPort", 0, 9) == config.integer("HOSTPORT", 0, 9) == 1
    assert config.boolean("IPMASQ") is True
    assert "IpMasq" in config
    assert valid_attachments(config) == set()


def test_the_last_of_several_spellings_wins() -> None:
    config = Section(parse_object(b'{"mtu": 1, "MTU": 2, "Mtu": null, "mtu": 3, "mTu": 4}', "x"))
    assert config.integer("mtu", 0, 9) == 4
    config = Section(parse_object(b'{"mtu": 1, "MTU": 2, "mtu": 3}', "x"))
    assert config.integer("mtu", 0, 9) == 3


def test_null_is_absent() -> None:
    config = Section(dict.fromkeys(["t", "b", "i", "s", "l", "a", "prevResult", "cni.dev/valid-attachments"]))
    assert (config.text("t"), config.boolean("b"), config.integer("i", 1, 2), config.section("s").values) == (
        "",
        False,
        0,
        {},
    )
    assert (
        config.items("l"),
        config.sections("l"),
        config.texts("l"),
        config.address("a"),
        config.cidr("a"),
    ) == ([], [], [], None, None)
    assert "t" not in config
    assert config.get("t") is None
    assert valid_attachments(config) == set()  # the one null that is not: an empty list, as libcni writes it
    assert valid_attachments(Section({})) is None


def test_what_is_absent_has_the_default_that_was_asked_for() -> None:
    config = Section({})
    assert (config.text("t", "x"), config.boolean("b", True), config.integer("i", 0, 9, 5)) == ("x", True, 5)


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["x"]])
def test_a_wrong_type_is_no_text(value: Any) -> None:
    assert complaint(Section({"k": value}).text, "k")[1].startswith("k: want a string, found ")


@pytest.mark.parametrize("value", ["true", "", 0, 1, 1.0, [], {}])
def test_a_wrong_type_is_no_boolean(value: Any) -> None:
    assert complaint(Section({"k": value}).boolean, "k")[1].startswith("k: want true or false, found ")


@pytest.mark.parametrize("value", [1.0, "1", True, False, 0, 11, -1, 10**30, [], {}])
def test_a_wrong_type_or_range_is_no_integer(value: Any) -> None:
    """A float such as 1.0 is an error, as with the reference."""
    assert complaint(Section({"k": value}).integer, "k", 1, 10)[1].startswith(
        "k: want an integer from 1 to 10, found "
    )


def test_both_ends_of_the_range_are_allowed() -> None:
    assert [Section({"k": value}).integer("k", 1, 10) for value in (1, 10)] == [1, 10]


@pytest.mark.parametrize(
    ("getter", "value", "want"),
    [
        ("section", [], "an object"),
        ("items", {}, "a list"),
        ("sections", [{}, 1], "a list of objects"),
        ("sections", [None], "a list of objects"),
        ("texts", ["a", None], "a list of strings"),
        ("texts", "a", "a list"),
        ("address", "10.0.0.1/8", "an IP address"),
        ("cidr", "10.0.0.1", "an address with prefix length"),
        ("address", 5, "a string"),
        ("needed", "", "a string that is not empty"),
    ],
)
def test_a_wrong_type_names_key_and_value(getter: str, value: Any, want: str) -> None:
    code, msg = complaint(getattr(Section({"k": value}, "ipam"), getter), "k")
    assert (code, msg.split(", found")[0]) == (7, f"ipam.k: want {want}")


def test_a_path_leads_to_the_value() -> None:
    config = Section({"ipam": {"ranges": [[], {"Subnet": "x"}]}})
    assert complaint(config.section("ipam").sections, "ranges") == (
        7,
        'ipam.ranges: want a list of objects, found [[],{"Subnet":"x"}]',
    )
    [_, second] = Section({"ranges": [{}, {"Subnet": "x"}]}, "ipam").sections("ranges")
    assert complaint(second.cidr, "subnet") == (
        7,
        'ipam.ranges[1].subnet: want an address with prefix length, found "x"',
    )


def test_a_long_value_is_shortened() -> None:
    assert len(complaint(Section({"k": "x" * 10_000}).integer, "k", 0, 1)[1]) < 150


def test_addresses_are_packed_and_empty_ones_absent() -> None:
    config = Section({"a": "10.0.0.1", "c": "10.0.0.1/8", "empty": ""})
    assert (config.address("a"), config.cidr("c")) == (b"\x0a\0\0\1", Cidr(b"\x0a\0\0\1", 8))
    assert (config.address("empty"), config.cidr("empty")) == (None, None)


def test_version_and_name_decode_before_all_else() -> None:
    """S-14, S-20, S-43: a wrong type is a decoding failure; a missing version is 0.1.0."""
    assert [version(Section(values)) for values in ({}, {"cniVersion": ""}, {"CniVersion": "1.0.0"})] == [
        "0.1.0",
        "0.1.0",
        "1.0.0",
    ]
    assert complaint(version, Section({"cniVersion": 1})) == (6, "cniVersion: want a string, found 1")
    assert network_name(Section({})) == ""
    assert complaint(network_name, Section({"name": []})) == (6, "name: want a string, found []")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("IP=10.0.0.1", {"IP": "10.0.0.1"}),
        ("MAC=;IP=x", {"MAC": "", "IP": "x"}),
        ("IP=a;IP=b", {"IP": "b"}),
        ("IgnoreUnknown=1", {}),
        ("IgnoreUnknown=0;IP=x", {"IP": "x"}),
        ("K8S_POD_NAME=a b;IgnoreUnknown=true;IP=x", {"IP": "x"}),
        ("ip=x;mac=y;IgnoreUnknown=True", {}),
        ("=x;IgnoreUnknown=TRUE", {}),
        ("IP=\udcff", {"IP": "\udcff"}),
    ],
)
def test_cni_args_are_pairs_of_known_keys(text: str, pairs: dict[str, str]) -> None:
    """S-72, S-73, S-74, S-76, S-78: keys are exact, the place of IgnoreUnknown does not matter."""
    assert cni_args(text, KNOWN) == pairs


@pytest.mark.parametrize("true", ["1", "true", "True", "TRUE"])
@pytest.mark.parametrize("false", ["0", "false", "False", "FALSE"])
def test_ignore_unknown_is_a_boolean(true: str, false: str) -> None:
    """S-72, S-76, S-77: the last one counts."""
    assert cni_args(f"x=y;IgnoreUnknown={false};IgnoreUnknown={true}", ()) == {}
    assert (
        complaint(cni_args, f"x=y;IgnoreUnknown={true};IgnoreUnknown={false}", ())[1]
        == "CNI_ARGS: unknown keys x"
    )


@pytest.mark.parametrize("value", ["", "2", "yes", "t", " 1", "tru", "-1"])
def test_another_value_of_ignore_unknown_is_an_error(value: str) -> None:
    """S-72, S-79: even where no key is unknown."""
    want = f"CNI_ARGS: IgnoreUnknown: want 1, true, 0 or false, found {value!r}"
    assert complaint(cni_args, f"IgnoreUnknown={value}", KNOWN) == (4, want)


@pytest.mark.parametrize("text", ["z=1;IP=x;a=2", "IgnoreUnknown=0;a=;z=", "z=1;IgnoreUnknown=false;a=1"])
def test_unknown_keys_are_refused(text: str) -> None:
    """S-75, S-77."""
    with pytest.raises(CNIError) as caught:
        cni_args(text, KNOWN)
    assert (caught.value.code, caught.value.msg) == (4, "CNI_ARGS: unknown keys a, z")
    assert caught.value.details.startswith("this plugin knows IP, MAC;")


@pytest.mark.parametrize(
    "text", ["IP=x;", ";", ";IP=x", "IP=x;;MAC=y", "IP", "IP=a=b", "IP==", " ", "IP=x;IgnoreUnknown"]
)
def test_each_piece_holds_exactly_one_equals_sign(text: str) -> None:
    """S-80."""
    code, msg = complaint(cni_args, text, KNOWN)
    assert code == 4
    assert msg.startswith("CNI_ARGS: want KEY=VALUE, found ")


@given(st.text(alphabet="IPMAC=;xIgnoreUnknown01", max_size=40))
def test_cni_args_never_fail_otherwise(text: str) -> None:
    """S-80."""
    try:
        pairs = cni_args(text, KNOWN)
    except CNIError as error:
        assert error.code == 4  # noqa: PT017 - some of the texts are in order
    else:
        assert set(pairs) <= set(KNOWN)


@pytest.mark.parametrize(
    ("values", "attachments"),
    [
        ({}, None),
        ({"cni.dev/valid-attachments": None}, set()),
        ({"cni.dev/valid-attachments": []}, set()),
        ({"cni.dev/attachments": []}, set()),
        ({"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "e0"}]}, {("a", "e0")}),
        ({"cni.dev/attachments": [{"ContainerId": "a", "ifName": "e0", "more": 1}]}, {("a", "e0")}),
        (
            {"cni.dev/attachments": [{"containerID": "b", "ifname": "e0"}], "cni.dev/valid-attachments": []},
            set(),
        ),
        ({"cni.dev/attachments": [], "cni.dev/valid-attachments": None}, set()),
    ],
)
def test_gc_keeps_what_the_list_says(
    values: dict[str, Any], attachments: set[tuple[str, str]] | None
) -> None:
    """S-23: absent is "do nothing", empty is "nothing is alive"; the newer key name is preferred."""
    assert valid_attachments(Section(values)) == attachments


@pytest.mark.parametrize(
    "found",
    [
        *("c1", {}, True, ["c1"], [None], [{}]),
        *([{"containerID": "a"}], [{"ifname": "e"}], [{"containerID": "", "ifname": "e"}]),
        *([{"containerID": "a", "ifname": 1}], [{"containerID": ["a"], "ifname": "e"}]),
    ],
)
def test_gc_refuses_a_list_that_it_cannot_understand(found: Any) -> None:
    """S-23: what the entry was meant to keep would be deleted."""
    code, msg = complaint(valid_attachments, Section({"cni.dev/valid-attachments": found}))
    assert code == 7
    assert msg.startswith("cni.dev/valid-attachments")
