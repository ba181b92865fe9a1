"""loopback on a real kernel: lo of the container is up as long as it is attached."""

import threading
from typing import Any

import pytest

from core.cni.version import ALL
from tests.harness.configs import bridge
from tests.harness.host import Container, Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping

LOOPBACK = {"type": "loopback"}


@pytest.fixture
def container(host: Host) -> Container:
    made = host.container()
    made.run("ip link set lo down")
    return made


def flags(container: Container) -> list[str]:
    (link,) = container.ip("link show dev lo")
    return list(link["flags"])


@pytest.mark.parametrize("version", [version for version in ALL if version >= "0.3.0"])
def test_add_switches_lo_on_and_tells_its_addresses(host: Host, container: Container, version: str) -> None:
    """L-1: whatever CNI_IFNAME says."""
    result = host.network(LOOPBACK, version=version).add(container, "eth7")
    assert "UP" in flags(container)
    assert ping(container, "127.0.0.1") is not None
    assert result["interfaces"] == [
        {"name": "lo", "mac": "00:00:00:00:00:00", "sandbox": str(container.path)}
    ]
    found = [(ip["interface"], ip["address"]) for ip in result["ips"]]
    assert found == [(0, "127.0.0.1/8"), (0, "::1/128")]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_the_old_form_of_the_result(host: Host, container: Container, version: str) -> None:
    """L-1"""
    result = host.network(LOOPBACK, version=version).add(container)
    assert (result["ip4"]["ip"], result["ip6"]["ip"]) == ("127.0.0.1/8", "::1/128")


def test_a_namespace_without_ipv6(host: Host, container: Container) -> None:
    container.sysctl("net/ipv6/conf/lo/disable_ipv6", 1)
    result = host.network(LOOPBACK).add(container)
    assert [ip["address"] for ip in result["ips"]] == ["127.0.0.1/8"]


def test_prev_result_is_echoed(host: Host, container: Container) -> None:
    """L-3: behind another plugin."""
    net = host.network(bridge(host.data, "10.1.0.0/24"), LOOPBACK)
    result = net.add(container)
    assert "br0" in [item["name"] for item in result["interfaces"]]
    assert "UP" in flags(container)
    net.check(container)
    net.delete(container)
    assert "UP" not in flags(container)


def test_check_sees_that_lo_is_down(host: Host, container: Container) -> None:
    net = host.network(LOOPBACK)
    net.add(container)
    net.check(container)
    container.run("ip link set lo down")
    with pytest.raises(PluginError) as refused:
        net.check(container)
    assert (refused.value.code, refused.value.msg) == (101, "lo is down: want it up")


def test_del_switches_lo_off_and_may_be_repeated(host: Host, container: Container) -> None:
    """L-2: an empty CNI_NETNS, and one that is gone or never was a namespace, is success."""
    net = host.network(LOOPBACK)
    net.add(container)
    for _ in range(2):
        net.delete(container)
        assert "UP" not in flags(container)
    config = {"cniVersion": "1.1.0", "name": "net", **LOOPBACK}
    for path in ("", "/run/netns/gone", "/etc/hostname"):
        assert host.call("DEL", config, "c1", ifname="lo", CNI_NETNS=path).exit_code == 0


@pytest.mark.parametrize("address", ["10.0.0.1/32", "fd00::1/128"])
def test_an_address_of_somebody_elses_is_refused_and_nothing_is_changed(
    host: Host, container: Container, address: str
) -> None:
    container.run(f"ip address add {address} dev lo")
    with pytest.raises(PluginError) as refused:
        host.network(LOOPBACK).add(container)
    assert (refused.value.code, address in refused.value.msg) == (7, True)
    assert "UP" not in flags(container)
    container.run(f"ip address del {address} dev lo && ip address add 127.0.0.53/8 dev lo")
    host.network(LOOPBACK).add(container)


def test_a_second_add_finds_lo_up(host: Host, container: Container) -> None:
    """containerd's own loopback may have been there before."""
    net = host.network(LOOPBACK)
    assert net.add(container) == net.add(container)


def test_beside_bridge_at_the_same_time(host: Host, container: Container) -> None:
    """containerd attaches all networks of a pod in parallel."""
    nets: list[Any] = [host.network(LOOPBACK, name="lo"), host.network(bridge(host.data, "10.1.0.0/24"))]
    failures: list[PluginError] = []

    def attach(net: Any, ifname: str) -> None:
        try:
            net.add(container, ifname)
        except PluginError as error:
            failures.append(error)

    threads = [threading.Thread(target=attach, args=pair) for pair in zip(nets, ("lo", "eth0"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert "UP" in flags(container)
    assert ping(container, "10.1.0.1") is not None


@pytest.mark.parametrize("command", ["STATUS", "GC"])
def test_nothing_is_needed_and_nothing_left(host: Host, command: str) -> None:
    config = {"cniVersion": "1.1.0", "name": "net", "cni.dev/valid-attachments": [], **LOOPBACK}
    answer = host.call(command, config)
    assert (answer.exit_code, answer.output) == (0, None)
