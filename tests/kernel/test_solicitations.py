"""IPv6 addresses that neighbours can look for.

The kernel joins their multicast groups a little after it has taken the address.
"""

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.address import parse, parse_cidr
from core.kernel import state
from core.kernel.kernel import Kernel
from core.plan.records import CONTAINER, HOST, Bridge, Gateway, Up
from tests.harness.configs import bridge
from tests.harness.host import Container, Host

ADDRESS, LATER = parse("fd01::2"), parse("fd01::77")


@pytest.fixture
def container(host: Host) -> Container:
    made = host.container()
    host.run(f"ip link add veth0 type veth peer name eth0 netns {made.path}")
    made.run("ip address add fd01::2/64 dev eth0 nodad")
    return made


@pytest.fixture
def kernel(container: Container) -> Iterator[Kernel]:
    with Kernel(str(container.path)) as opened:
        yield opened


def groups(container: Container, ifname: str = "eth0") -> list[str]:
    """Return the IPv6 multicast groups of a link, as `ip` reads them."""
    return [
        entry["address"] for link in container.ip(f"-6 maddress show dev {ifname}") for entry in link["maddr"]
    ]


def test_a_link_that_hears_all_is_not_waited_for(kernel: Kernel, container: Container) -> None:
    """IPv4 has no such groups, and other links' groups do not count."""
    assert kernel.has_joined_groups(CONTAINER, "eth0", [ADDRESS, parse("10.1.0.2")])
    assert "ff02::1:ff00:2" in groups(container)
    assert kernel.has_joined_groups(CONTAINER, "absent", [parse("10.1.0.2")])


def test_a_link_that_does_not_hear_is_waited_for_in_vain(
    kernel: Kernel, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "SETTLE_TIMEOUT_S", 0.2)
    container.run("ip link add other type veth peer name peer")
    container.run("ip address add fd01::77/64 dev other nodad")
    assert not kernel.has_joined_groups(CONTAINER, "eth0", [ADDRESS, LATER])


def test_the_wait_ends_with_the_kernels_word(kernel: Kernel, container: Container) -> None:
    adding = threading.Timer(0.3, container.run, ["ip address add fd01::77/64 dev eth0 nodad"])
    begin = time.monotonic()
    adding.start()
    assert kernel.has_joined_groups(CONTAINER, "eth0", [ADDRESS, LATER])
    assert time.monotonic() - begin >= 0.3
    adding.join()
    assert {"ff02::1:ff00:2", "ff02::1:ff00:77"} <= set(groups(container))


def test_a_gateway_that_cannot_be_asked_for_is_refused(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.create(Bridge("br0"))
    kernel.create(Up(HOST, "br0"))
    kernel.create(Gateway("br0", parse_cidr("fd01::1/64")))
    monkeypatch.setattr(state, "SOLICITED_NODE", bytes(13))
    monkeypatch.setattr(state, "SETTLE_TIMEOUT_S", 0.2)
    with pytest.raises(
        TimeoutError, match="br0 has not joined the solicited-node group of fd02::1/64"
    ) as refused:
        kernel.create(Gateway("br0", parse_cidr("fd02::1/64")))
    assert refused.value.errno == errno.ETIMEDOUT


def test_add_returns_when_container_and_gateway_have_joined_their_groups(host: Host, tmp_path: Path) -> None:
    """B-70: each first ADD of a bridge.

    Without the wait, one in a hundred came too early, and the first packet took a second.
    """
    for number in range(2, 12):
        net = host.network(bridge(tmp_path / str(number), "fd01::/64"))
        container = host.container(f"c{number}")
        net.add(container)
        assert "ff02::1:ff00:2" in groups(container)
        assert "ff02::1:ff00:1" in [
            entry["address"] for link in host.ip("-6 maddress show dev br0") for entry in link["maddr"]
        ]
        net.delete(container)
        host.run("ip link delete br0")
