"""From an IPAM result to records."""

from typing import Any

import pytest

from core.address import V4, V6, parse, parse_cidr
from core.cni import result
from core.cni.config import Section
from core.errors import CHECK_FAILED, INVALID_CONFIG, CNIError
from core.plan import filter as intents
from core.plan import from_ipam
from core.plan.records import CONTAINER, HOST, Address, Plan, Route, Sysctl, Up


def answer(ips: list[dict[str, Any]], routes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return result.parse({"ips": ips, "routes": routes or []}, "1.1.0")


def test_the_first_gateway_of_each_family_is_the_one() -> None:
    """U-8: an address without one counts for nothing."""
    ips = [
        {"address": "10.1.0.2/24"},
        {"address": "10.2.0.2/24", "gateway": "10.2.0.1"},
        {"address": "10.3.0.2/24", "gateway": "10.3.0.1"},
    ]
    found = from_ipam.gateways(answer([*ips, {"address": "fd01::2/64", "gateway": "fd01::1"}]))
    assert found == {V4: parse("10.2.0.1"), V6: parse("fd01::1")}
    assert from_ipam.gateways(answer([])) == {}


def test_routes_take_their_own_gateway_or_their_familys() -> None:
    """U-8: host bits of the destination are dropped; a route of scope link has no gateway.

    Two gateways are two routes, one route twice is one.
    """
    ips = [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}]
    routes: list[dict[str, Any]] = [
        {"dst": "10.9.8.7/8"},
        {
            "dst": "10.9.0.0/16",
            "gw": "10.1.0.9",
            "table": 100,
            "scope": 0,
            "priority": 5,
            "mtu": 1300,
            "advmss": 1200,
        },
        {"dst": "10.9.0.0/16", "gw": "10.1.0.8"},
        {"dst": "10.9.0.0/16", "gw": "10.1.0.8"},
        {"dst": "10.8.0.0/16", "scope": 253},
        {"dst": "fd02::/48"},
    ]
    assert from_ipam.routes("eth0", answer(ips, routes)) == (
        Route("eth0", parse_cidr("10.0.0.0/8"), parse("10.1.0.1")),
        Route("eth0", parse_cidr("10.9.0.0/16"), parse("10.1.0.9"), 100, 0, 5, 1300, 1200),
        Route("eth0", parse_cidr("10.9.0.0/16"), parse("10.1.0.8")),
        Route("eth0", parse_cidr("10.8.0.0/16"), scope=253),
        Route("eth0", parse_cidr("fd02::/48")),
    )


def test_addresses_come_before_link_up_and_routes_behind_it() -> None:
    """U-8: the order of work; IPv6 is switched on only for IPv6 addresses."""
    made = from_ipam.addressing("eth0", answer([{"address": "10.1.0.2/24"}], [{"dst": "10.0.0.0/8"}]))
    assert made.shared == ()
    assert [record for record in made.owned if not isinstance(record, Sysctl)] == [
        Address("eth0", parse_cidr("10.1.0.2/24")),
        Up(CONTAINER, "eth0"),
        Route("eth0", parse_cidr("10.0.0.0/8")),
    ]
    assert [record.key for record in made.owned if isinstance(record, Sysctl) and record.required] == []
    made = from_ipam.addressing("eth0", answer([{"address": "fd01::2/64"}]))
    assert [record.key for record in made.owned if isinstance(record, Sysctl) and record.required] == [
        "net/ipv6/conf/eth0/disable_ipv6",
        "net/ipv6/conf/eth0/keep_addr_on_down",
    ]
    assert made.shared == (Sysctl(CONTAINER, "net/ipv6/conf/lo/disable_ipv6", "0", required=False),)


def test_nothing_to_wire() -> None:
    """An empty result is layer 2 with a link that is up."""
    wanted = (
        *from_ipam.detection("eth0", False),
        Up(CONTAINER, "eth0"),
        *from_ipam.announcements("eth0", set()),
    )
    assert from_ipam.addressing("eth0", answer([])) == Plan((), wanted)
    assert from_ipam.forwarding(answer([])) == ()


def test_forwarding_for_each_family_once() -> None:
    """U-3"""
    ips = [{"address": each} for each in ("fd01::2/64", "10.1.0.2/24", "10.2.0.2/24")]
    assert from_ipam.forwarding(answer(ips)) == (
        Sysctl(HOST, "net/ipv4/ip_forward", "1"),
        Sysctl(HOST, "net/ipv6/conf/all/forwarding", "1"),
    )


@pytest.mark.parametrize("backend", [None, "", "nftables"])
def test_backends_that_there_are(backend: str | None) -> None:
    """B-38"""
    assert intents.chosen(Section({"ipMasqBackend": backend}), "ipMasqBackend") is intents.NFT


@pytest.mark.parametrize(
    "text", ["02:42:ac:11:00:09", "02-42-AC-11-00-09", "0242.ac11.0009", "0242.AC11.0009"]
)
def test_a_mac_in_any_form_that_the_reference_reads(text: str) -> None:
    """B-30 B-31"""
    for config, args in (
        ({"runtimeConfig": {"mac": text}}, {}),
        ({"args": {"cni": {"mac": text}}}, {}),
        ({}, {"MAC": text}),
    ):
        assert from_ipam.container_mac(Section(config), args) == bytes.fromhex("0242ac110009")


@pytest.mark.parametrize(
    ("config", "args", "words"),
    [
        ({"runtimeConfig": {"mac": "02:00:00:00:00"}}, {}, ["runtimeConfig.mac", "02:00:00:00:00"]),
        ({"runtimeConfig": {"mac": "01:00:00:00:00:01"}}, {}, ["runtimeConfig.mac"]),
        ({"args": {"cni": {"mac": "00:00:00:00:00:00"}}}, {}, ["args.cni.mac"]),
        ({}, {"MAC": "horse"}, ["CNI_ARGS", "MAC", "horse"]),
        ({}, {"MAC": "0200.0000.01"}, ["CNI_ARGS", "MAC"]),
        ({}, {"MAC": "0100.0000.0001"}, ["CNI_ARGS", "MAC"]),
        ({}, {"MAC": "02.00.00.00.00.01"}, ["CNI_ARGS", "MAC"]),
    ],
    ids=str,
)
def test_a_mac_that_is_none_is_refused_by_its_place(
    config: dict[str, Any], args: dict[str, str], words: list[str]
) -> None:
    """B-30 B-31 B-32"""
    with pytest.raises(CNIError) as refused:
        from_ipam.container_mac(Section(config), args)
    assert refused.value.code == INVALID_CONFIG
    assert [word for word in words if word not in refused.value.msg] == []


def test_the_containers_interface_is_told_by_name_and_sandbox() -> None:
    """B-43: a host interface of that name is another one."""
    interfaces = [
        {"name": "eth0", "mac": "02:00:00:00:00:01"},
        {"name": "eth0", "sandbox": "/netns/c1", "mac": "02:00:00:00:00:02"},
    ]
    prev_result = result.parse({"interfaces": interfaces}, "1.1.0")
    assert from_ipam.container_interface(prev_result, "eth0", "/netns/c1")["mac"] == "02:00:00:00:00:02"
    for ifname, netns in (("eth1", "/netns/c1"), ("eth0", "/netns/c2")):
        with pytest.raises(CNIError) as refused:
            from_ipam.container_interface(prev_result, ifname, netns)
        assert refused.value.code == CHECK_FAILED
