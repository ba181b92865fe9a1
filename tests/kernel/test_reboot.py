"""A whole attachment after a power cut: namespace, links and rules are gone, reservations have stayed.

The boot ID is another one.
"""

import os
from typing import Any

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError

EXHAUSTED, UNAVAILABLE = 103, 104


def before_the_cut(host: Host, subnet: str) -> tuple[Network, Container]:
    net = host.network(bridge(host.data, subnet))
    container = host.container()
    net.add(container)
    if "user.cniwire" not in os.listxattr(host.data / "net" / "10.1.0.2"):
        pytest.skip("no extended attributes here, or no machine ID")
    return net, container


def power_fails(host: Host, container: Container) -> None:
    # A namespace takes its links with it later.
    host.run(f"ip link delete {host.veth('net/c1/eth0')}; ip link delete br0; nft flush ruleset")
    container.close()


@pytest.mark.parametrize("subnet", ["10.1.0.0/16", "10.1.0.0/30"], ids=["room", "full"])
def test_the_same_container_gets_an_address_after_a_reboot(host: Host, boot: Any, subnet: str) -> None:
    """Podman keeps the ID. Before the reboot the living one's second ADD is refused, and costs it nothing."""
    net, container = before_the_cut(host, subnet)
    with pytest.raises(PluginError):
        net.add(container)
    net.check(container)
    power_fails(host, container)
    boot()
    again = host.container()
    answer = net.add(again)
    assert len([file for file in (host.data / "net").iterdir() if file.name.startswith("10.")]) == 1
    assert (host.data / "net" / answer["ips"][0]["address"].partition("/")[0]).read_bytes() == b"c1\r\neth0"
    net.check(again)
    net.delete(again)
    assert [file.name for file in (host.data / "net").iterdir() if file.name.startswith("10.")] == []


def test_another_container_gets_the_only_address_after_a_reboot_whatever_is_at_the_path(
    host: Host, boot: Any
) -> None:
    """A range that was refused as full, and remembered as such, is looked at anew during another boot."""
    net, container = before_the_cut(host, "10.1.0.0/30")
    other = host.container("c2")
    for _ in range(2):
        with pytest.raises(PluginError) as refused:
            net.add(other)
        assert refused.value.code == EXHAUSTED
    boot()
    assert container.path.exists()
    assert net.add(other)["ips"][0]["address"] == "10.1.0.2/30"
    net.check(other)
