"""Malformed results, routes and dns: the error names key and value."""

from typing import Any

import pytest

from core.cni.config import Section
from core.cni.result import dns, parse, route
from core.errors import CNIError

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
