"""Results of every version: decoded, encoded, converted."""

from typing import Any

import pytest

from core.cni.json import parse as parse_json
from core.cni.result import convertible, parse, render
from core.cni.version import ALL
from core.errors import CNIError

OLD, MIDDLE, NEW = ALL[:2], ALL[2:5], ALL[5:]
# One network in the three shapes; what differs between them beyond shape was lost on the way down.
SMALL = {
    "cniVersion": "0.2.0",
    "ip4": {
        "ip": "10.1.0.2/16",
        "gateway": "10.1.0.1",
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "10.9.0.0/16"}],
    },
    "ip6": {"ip": "fd00::2/64", "gateway": "fd00::1", "routes": [{"dst": "::/0"}]},
    "dns": {
        "nameservers": ["10.1.0.1"],
        "domain": "example.org",
        "search": ["a", "b"],
        "options": ["ndots:2"],
    },
}
FLAT = {
    "ips": [
        {"address": "10.1.0.2/16", "gateway": "10.1.0.1"},
        {"address": "fd00::2/64", "gateway": "fd00::1"},
    ],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "10.9.0.0/16"}, {"dst": "::/0"}],
    "dns": SMALL["dns"],
}
FULL = {
    "cniVersion": "1.1.0",
    "interfaces": [
        {"name": "cni0", "mac": "00:11:22:33:44:55", "mtu": 1500},
        {
            "name": "eth0",
            "mac": "00:11:22:33:44:66",
            "mtu": 1400,
            "sandbox": "/run/netns/a",
            "socketPath": "/s",
            "pciID": "0000:00:1f.6",
        },
    ],
    "ips": [
        {"interface": 0, "address": "10.1.0.2/16", "gateway": "10.1.0.1"},
        {"interface": 1, "address": "10.2.0.2/16"},
        {"address": "fd00::2/64", "gateway": "fd00::1"},
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0",
            "gw": "10.1.0.1",
            "mtu": 1300,
            "advmss": 1200,
            "priority": 5,
            "table": 0,
            "scope": 0,
        },
        {"dst": "fd01::/64"},
    ],
    "dns": {"nameservers": ["10.1.0.1"]},
}


def complaint(document: Any, version: str = "1.1.0") -> str:
    with pytest.raises(CNIError) as caught:
        parse(document, version, "x")
    assert caught.value.code == 6
    return caught.value.msg


@pytest.mark.parametrize("version", OLD)
def test_the_oldest_shape_survives_exactly(version: str) -> None:
    """S-51: ip4, ip6 and dns."""
    document = {**SMALL, "cniVersion": version}
    assert parse(document, "") == {**FLAT, "cniVersion": version, "interfaces": []}
    assert render(parse(document, ""), version) == document


@pytest.mark.parametrize(("version", "other"), [("0.2.0", "0.1.0"), ("0.1.0", "0.2.0")])
def test_between_0_1_0_and_0_2_0_only_the_version_changes(version: str, other: str) -> None:
    """S-52, S-53."""
    assert render(parse({**SMALL, "cniVersion": version}, ""), other) == {**SMALL, "cniVersion": other}


@pytest.mark.parametrize("version", [None, ""])
def test_a_result_without_a_version_is_of_the_configurations(version: str | None) -> None:
    """S-54, S-104, S-105: with neither it is 0.1.0."""
    small = {**SMALL, "cniVersion": version}
    assert parse(small, "")["cniVersion"] == "0.1.0"
    assert parse(small, "") == {**parse(small, "0.2.0"), "cniVersion": "0.1.0"}
    assert parse({**FULL, "cniVersion": version}, "1.1.0") == FULL
    assert parse({"ips": [{"address": "10.0.0.2/8"}]}, "0.4.0")["cniVersion"] == "0.4.0"


@pytest.mark.parametrize("version", MIDDLE)
def test_the_middle_shape_names_the_ip_version(version: str) -> None:
    """S-55, S-65, S-67: of every address, whatever was there; no mtu, socketPath, pciID; dns always."""
    document = render(parse(FULL, ""), version)
    assert document == {
        "cniVersion": version,
        "interfaces": [
            {"name": "cni0", "mac": "00:11:22:33:44:55"},
            {"name": "eth0", "mac": "00:11:22:33:44:66", "sandbox": "/run/netns/a"},
        ],
        "ips": [
            {"version": "4", "interface": 0, "address": "10.1.0.2/16", "gateway": "10.1.0.1"},
            {"version": "4", "interface": 1, "address": "10.2.0.2/16"},
            {"version": "6", "address": "fd00::2/64", "gateway": "fd00::1"},
        ],
        "routes": FULL["routes"],
        "dns": FULL["dns"],
    }
    assert list(document) == ["cniVersion", "interfaces", "ips", "routes", "dns"]
    assert render(parse(document, ""), version) == document


@pytest.mark.parametrize("version", NEW)
def test_the_newest_shape_survives_exactly(version: str) -> None:
    """S-63, S-64: attributes of interfaces and routes, table and scope 0; 1.0.0 and 1.1.0 are alike."""
    document = render(parse(FULL, ""), version)
    assert document == {**FULL, "cniVersion": version}
    assert list(document) == sorted(document)
    assert render(parse(document, ""), version) == document


def test_the_oldest_shape_keeps_the_first_of_each_family_and_its_routes() -> None:
    """S-56, S-66: routes keep dst and gw only."""
    assert render(parse(FULL, ""), "0.1.0") == {
        "cniVersion": "0.1.0",
        "ip4": {
            "ip": "10.1.0.2/16",
            "gateway": "10.1.0.1",
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}],
        },
        "ip6": {"ip": "fd00::2/64", "gateway": "fd00::1", "routes": [{"dst": "fd01::/64"}]},
        "dns": {"nameservers": ["10.1.0.1"]},
    }


def test_routes_of_a_family_without_an_address_are_dropped() -> None:
    """S-56, S-66."""
    document = {**FULL, "ips": [{"address": "fd00::2/64"}]}
    assert render(parse(document, ""), "0.2.0") == {
        "cniVersion": "0.2.0",
        "ip6": {"ip": "fd00::2/64", "routes": [{"dst": "fd01::/64"}]},
        "dns": {"nameservers": ["10.1.0.1"]},
    }


@pytest.mark.parametrize("version", [*MIDDLE, *NEW])
def test_the_oldest_shape_survives_a_newer_one(version: str) -> None:
    """S-57, S-58: route gateways and their absence; ip4 first, then ip6; no interface is invented."""
    newer = render(parse(SMALL, ""), version)
    assert "interfaces" not in newer
    assert [item["address"] for item in newer["ips"]] == ["10.1.0.2/16", "fd00::2/64"]
    assert newer["routes"] == FLAT["routes"]
    assert render(parse(newer, ""), "0.2.0") == SMALL


@pytest.mark.parametrize("version", [*MIDDLE, *NEW])
def test_interface_index_0_survives_and_a_missing_one_stays_missing(version: str) -> None:
    """S-59, S-60."""
    ips = render(parse(FULL, ""), version)["ips"]
    assert [item.get("interface") for item in ips] == [0, 1, None]
    assert "interface" not in ips[2]
    assert [item.get("interface") for item in parse({"cniVersion": version, "ips": ips}, "")["ips"]] == [
        0,
        1,
        None,
    ]


@pytest.mark.parametrize("version", OLD)
def test_without_an_address_there_is_no_old_result(version: str) -> None:
    """S-61: and convertible says so before any work is done."""
    for call in (
        lambda: render(parse({"interfaces": []}, "1.0.0"), version),
        lambda: convertible([], version),
    ):
        with pytest.raises(CNIError) as caught:
            call()
        assert caught.value.code == 1
        assert (
            caught.value.msg == f"cannot convert: no valid IP addresses, and cniVersion {version} needs one"
        )


@pytest.mark.parametrize("version", [*MIDDLE, *NEW])
def test_without_an_address_there_is_a_newer_result(version: str) -> None:
    """S-61."""
    convertible([], version)
    assert render({"interfaces": [{"name": "eth0"}], "ips": []}, version)["interfaces"] == [{"name": "eth0"}]


def test_a_conversion_that_does_not_exist_names_both_versions() -> None:
    """S-61, S-85."""
    with pytest.raises(CNIError) as caught:
        render(parse(FULL, ""), "2.0.0")
    assert (caught.value.code, caught.value.msg) == (1, "cannot convert a result from '1.1.0' to '2.0.0'")


@pytest.mark.parametrize("version", NEW)
def test_the_newest_shape_omits_what_is_empty(version: str) -> None:
    """S-67."""
    empty = {
        "interfaces": [],
        "ips": [],
        "routes": [],
        "dns": {"domain": "", "nameservers": [], "search": None},
    }
    assert render(parse(empty, version), version) == {"cniVersion": version}


@pytest.mark.parametrize("version", [*OLD, *MIDDLE])
def test_older_shapes_always_have_dns(version: str) -> None:
    """S-67."""
    document = render(parse({"ips": [{"address": "10.0.0.2/8"}]}, "1.0.0"), version)
    assert document["dns"] == {}
    assert render({"ips": [{"address": "10.0.0.2/8"}]}, version) == document


def test_values_that_say_nothing_are_left_out() -> None:
    """S-63, S-70: 0 is unset in mtu, advmss and priority, and a value in table and scope."""
    document = {
        "interfaces": [{"name": "", "mac": "", "mtu": 0, "sandbox": "", "socketPath": None, "pciID": ""}],
        "ips": [{"address": "10.0.0.2/8", "gateway": "", "interface": None}],
        "routes": [{"dst": "::/0", "gw": "", "mtu": 0, "advmss": 0, "priority": 0, "table": 0, "scope": 0}],
    }
    result = parse(document, "1.1.0")
    assert result["interfaces"] == [{"name": ""}]
    assert result["ips"] == [{"address": "10.0.0.2/8"}]
    assert result["routes"] == [{"dst": "::/0", "table": 0, "scope": 0}]


def test_texts_become_canonical_and_keep_the_host_part() -> None:
    """S-68, S-70."""
    document = {
        "ips": [
            {"address": "2001:DB8:0::5/64", "gateway": "2001:db8:0:0::1"},
            {"address": "::ffff:10.0.0.2/104"},
        ],
        "routes": [{"dst": "10.1.2.3/8", "gw": "::ffff:10.0.0.1"}],
    }
    result = parse(document, "1.0.0")
    assert result["ips"] == [
        {"address": "2001:db8::5/64", "gateway": "2001:db8::1"},
        {"address": "10.0.0.2/8"},
    ]
    assert result["routes"] == [{"dst": "10.1.2.3/8", "gw": "10.0.0.1"}]


def test_keys_match_in_any_case() -> None:
    """S-62."""
    ips = b'"IPs": [{"Address": "10.0.0.2/8", "INTERFACE": 0}]'
    document = parse_json(b'{"CNIVersion": "1.0.0", ' + ips + b', "DNS": {"Domain": "d"}}', "x")
    result = parse(document, "")
    assert result["ips"] == [{"address": "10.0.0.2/8", "interface": 0}]
    assert (result["cniVersion"], result["dns"]) == ("1.0.0", {"domain": "d"})
    assert parse({"cniVersion": "0.2.0", "IP4": {"Ip": "10.0.0.2/8"}}, "")["ips"] == [
        {"address": "10.0.0.2/8"}
    ]


def test_null_is_an_empty_result() -> None:
    """S-106."""
    assert parse(None, "1.0.0") == {
        "cniVersion": "1.0.0",
        "interfaces": [],
        "ips": [],
        "routes": [],
        "dns": {},
    }
    assert parse({"ips": None, "ip4": None, "dns": None}, "0.2.0")["ips"] == []
