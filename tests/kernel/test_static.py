"""static behind bridge: what it answers is what the container gets, whichever suite each is of."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping

GO = Path("/usr/lib/cni")
VERSION = "1.0.0"  # the newest that both suites speak
ADDRESSES = [
    {"address": "10.1.0.5/24", "gateway": "10.1.0.1"},
    {"address": "10.1.0.6/24"},
    {"address": "fd01::5/64", "gateway": "fd01::1"},
]
ROUTES = [{"dst": "10.20.0.0/16", "gw": "10.1.0.9"}, {"dst": "fd20::/16", "gw": "fd01::1"}]
INVALID_CONFIG, CHECK_FAILED = 7, 101


def bridge(**keys: Any) -> dict[str, Any]:
    """A bridge whose containers have the addresses above, if *keys* of the section ipam say nothing else."""
    ipam = {"type": "static", "addresses": ADDRESSES, "routes": ROUTES, "dns": {"domain": "x"}, **keys}
    wired = {"isDefaultGateway": True, "ipam": ipam, "capabilities": {"ips": True}}
    return {"type": "bridge", "bridge": "br0", **wired}


def folder(host: Host, suite: str) -> Path:
    """The folder of a suite's executables.

    process: ours, but static is a process of its own, which our bridge else serves itself.
    """
    if suite == "process":
        path = host.folder / "apart"
        path.mkdir()
        (path / "static").write_text(f"#!/bin/sh\nexec {host.plugins}/static\n")
        (path / "static").chmod(0o755)
        return path
    if suite == "go" and not GO.exists():
        pytest.skip(f"there are no Go plugins in {GO}")
    return {"ours": host.plugins, "go": GO}[suite]


def network(
    host: Host, main: str = "ours", ipam: str = "ours", version: str = VERSION, **keys: Any
) -> Network:
    suites = {"bridge": folder(host, main), "static": folder(host, ipam)}
    return host.network(bridge(**keys), version=version, suites=suites)


@pytest.mark.parametrize(("main", "ipam"), [*product(("ours",), ("ours", "process", "go")), ("go", "ours")])
def test_a_container_gets_what_is_written(host: Host, main: str, ipam: str) -> None:
    """N-1: ADD, CHECK, packets, DEL twice; nothing is left but what is shared."""
    net, first, container = network(host, main, ipam), host.container("c0"), host.container("c1")
    net.add(first, ips=["10.1.0.200/24", "fd01::200/64"])  # what is shared
    before = host.state(container)
    result = net.add(container)
    assert [(ip["address"], ip.get("gateway")) for ip in result["ips"]] == [
        ("10.1.0.5/24", "10.1.0.1"),
        ("10.1.0.6/24", "10.1.0.1"),
        ("fd01::5/64", "fd01::1"),
    ]
    assert result.get("dns") == {"domain": "x"} or main == "go"  # whose v1.1.1 prints its own
    assert container.addresses("eth0") == ["10.1.0.5/24", "10.1.0.6/24", "fd01::5/64"]
    shown = container.run("ip route show; ip -6 route show")
    for route in ("default via 10.1.0.1", "10.20.0.0/16 via 10.1.0.9", "fd20::/16 via fd01::1"):
        assert f"{route} dev eth0" in shown
    for address in ("10.1.0.5", "10.1.0.6", "fd01::5"):
        assert ping(host, address) is not None, address
    net.check(container)
    net.delete(container)
    assert host.state(container) == before
    net.delete(container)
    net.delete("c1")
    assert host.state(container) == before


@pytest.mark.parametrize("ipam", ["ours", "process", "go"])
def test_what_is_asked_for_replaces_what_is_written(host: Host, ipam: str) -> None:
    """N-1: precedence, through bridge, which hands on what it was given; CHECK and DEL are given the same."""
    net = network(host, ipam=ipam, addresses=ADDRESSES[:1], routes=ROUTES[:1])
    steps: list[tuple[dict[str, Any], str | None, list[str]]] = [
        ({}, None, ["10.1.0.5/24"]),
        ({}, "IgnoreUnknown=1;IP=10.1.0.7/24;GATEWAY=10.1.0.1", ["10.1.0.5/24", "10.1.0.7/24"]),
        (
            {"ips": ["10.1.0.8/24", "fd01::8/64"]},
            "IgnoreUnknown=1;IP=10.1.0.7/24",
            ["10.1.0.8/24", "fd01::8/64"],
        ),
    ]
    container = host.container()
    for capabilities, args, addresses in steps:
        before = container.run("ip address; ip route; ip -6 route")
        net.add(container, args=args, **capabilities)
        assert container.addresses("eth0") == addresses
        net.check(container, args=args, **capabilities)
        net.delete(container, args=args, **capabilities)
        assert container.run("ip address; ip route; ip -6 route") == before


@pytest.mark.parametrize("ipam", ["ours", "process"])
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"addresses": [{"address": "10.1.0.5"}]},
            "ipam.addresses[0].address: want an address with prefix length",
        ),
        ({"addresses": [*ADDRESSES, ADDRESSES[1]]}, "10.1.0.6/24 is in ipam.addresses[1].address already"),
        ({"routes": [{"dst": "x"}]}, 'ipam.routes[0].dst: want an address with prefix length, found "x"'),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    host: Host, ipam: str, keys: dict[str, Any], said: str
) -> None:
    """N-1: one error with key and value, and no bridge, link or rule; STATUS says the same."""
    net, container = network(host, ipam=ipam, version="1.1.0", **keys), host.container()
    before = host.state(container)
    for refused in (lambda: net.add(container), net.status):
        with pytest.raises(PluginError) as caught:
            refused()
        assert (caught.value.code, said in caught.value.msg) == (INVALID_CONFIG, True), caught.value
        assert host.state(container) == before
    net.delete(container)
    net.gc()
    assert host.state(container) == before


def test_no_address_is_none_that_a_bridge_could_wire(host: Host) -> None:
    """N-1: for static itself an answer without addresses is one."""
    net, container = network(host, version="1.1.0", addresses=[]), host.container()
    before = host.state(container)
    net.status()
    with pytest.raises(PluginError, match="static returned no IP address"):
        net.add(container)
    assert host.state(container) == before


def test_check_tells_what_differs_from_the_configuration(host: Host) -> None:
    """N-1: somebody has edited it since ADD."""
    net, container = network(host, version="1.1.0"), host.container()
    net.add(container)
    net.plugins[0]["ipam"]["addresses"] = [
        {"address": "10.1.0.9/24"},
        {**ADDRESSES[0], "gateway": "10.1.0.2"},
    ]
    with pytest.raises(PluginError) as caught:
        net.check(container)
    assert caught.value.code == CHECK_FAILED
    told = f"{caught.value.msg}\n{caught.value.details}"
    assert "prevResult lacks an address: want 10.1.0.9/24" in told
    assert "another gateway for 10.1.0.5/24: want 10.1.0.2, found 10.1.0.1" in told
