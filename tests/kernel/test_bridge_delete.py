"""bridge DEL and GC on a real kernel: whatever is gone already, what was made for the attachment goes."""

import os

import pytest

from core.attachment import newborn_group
from tests.harness.configs import PORTMAP, bridge, host_local, mapping
from tests.harness.host import Host

WIRED = ("10.1.0.0/24", "fd01::/64")


def test_del_removes_both_ends_and_the_rest(host: Host) -> None:
    """B-21 B-39: links, routes, masquerade and reservation; the bridge stays."""
    net = host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True))
    first, container = host.container("c0"), host.container()
    net.add(first)
    before = host.state(container)
    net.add(container)
    assert len(host.state(container) - before) > 10
    net.delete(container)
    assert host.state(container) == before


def test_del_without_add_succeeds(host: Host) -> None:
    """B-22: and makes nothing."""
    container = host.container()
    before = host.state(container)
    host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True)).delete(container)
    assert host.state(container) == before


def test_del_twice_succeeds(host: Host) -> None:
    """B-23"""
    net = host.network(bridge(host.data, *WIRED, ipMasq=True))
    container = host.container()
    net.add(container)
    net.delete(container)
    before = host.state(container)
    net.delete(container)
    assert host.state(container) == before


@pytest.mark.parametrize("netns", ["", None, "/run/netns/nowhere", "of a container that is gone"])
@pytest.mark.parametrize("with_result", [True, False])
def test_del_when_the_netns_is_gone(host: Host, netns: str | None, with_result: bool) -> None:
    """B-24 B-25: links, masquerade and reservation are found by the attachment alone."""
    net = host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True))
    first, container = host.container("c0"), host.container()
    net.add(first)
    before = host.state()
    result = net.add(container)
    config = net.derived(net.plugins[0], result if with_result else None)
    if netns and not netns.startswith("/"):
        netns = str(container.path)
        container.close()
    answer = host.call("DEL", config, container, CNI_NETNS=netns)
    assert (answer.exit_code, answer.output) == (0, None)
    assert host.state() == before


@pytest.mark.parametrize(
    "broken",
    [{"vlan": 5000}, {"vlanTrunk": [{"id": -1}]}, {"hairpinMode": True, "promiscMode": True}, {"mtu": -1}],
)
def test_del_works_with_a_config_that_add_would_refuse(host: Host, broken: dict[str, object]) -> None:
    """The configuration was changed after ADD; what is there still has to go."""
    container = host.container()
    host.network(bridge(host.data, *WIRED)).add(host.container("c0"))
    before = host.state(container)
    host.network(bridge(host.data, *WIRED)).add(container)
    host.network(bridge(host.data, *WIRED, **broken)).delete(container)
    assert host.state(container) == before


def test_del_after_the_config_turned_masquerade_off(host: Host) -> None:
    """B-41: what ADD made goes by its owner, not by what the configuration says now."""
    masquerading, container = (
        host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True)),
        host.container(),
    )
    masquerading.add(host.container("c0"))
    before = host.state(container)
    masquerading.add(container)
    host.network(bridge(host.data, *WIRED)).delete(container)
    assert host.state(container) == before


def test_gc_removes_what_no_valid_attachment_claims(host: Host) -> None:
    """GC: of this network all but the listed attachment; another network on the same bridge is left alone."""
    net = host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True))
    ipam = host_local(host.data, ranges=[[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.100"}]])
    other = host.network(bridge(isGateway=True, ipMasq=True, ipam=ipam), name="other")
    alive, stale, foreign = (host.container(name) for name in ("alive", "stale", "foreign"))
    net.add(alive)
    other.add(foreign)
    before = host.state()
    net.add(stale)
    stale.close()
    net.gc(alive)
    assert host.state() == before
    net.check(alive)
    net.gc()
    assert not any("net/alive" in line or "'alive" in line for line in host.state())
    other.check(foreign)


def test_gc_without_a_list_does_nothing(host: Host) -> None:
    """GC: an absent key is not an empty list."""
    net = host.network(bridge(host.data, *WIRED, ipMasq=True))
    net.add(host.container())
    before = host.state()
    net.call("GC", net.derived(net.plugins[0]))
    assert host.state() == before


def test_gc_removes_a_veth_that_was_killed_before_it_got_its_alias(host: Host) -> None:
    """GC: told by the group that it was born in; one of another network's group stays."""
    net = host.network(bridge(host.data, *WIRED))
    alive = host.container()
    net.add(alive)
    host.run(f"ip link add vethfeedc0ffee0 group {newborn_group('other/c1/eth0')} type veth peer name x0")
    before = host.state()
    host.run(f"ip link add vethfeedc0ffee1 group {newborn_group('net/c9/eth0')} type veth peer name x1")
    net.gc(alive)
    assert host.state() == before


@pytest.mark.parametrize("path", [f"/proc/{os.getpid()}/ns/net", "/proc/self/ns/net"])
def test_del_with_a_recycled_pid_frees_what_the_container_had(host: Host, path: str) -> None:
    """B-24: the container's process is dead, and a process of the host has its number.

    Nothing of the host's is touched.
    """
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True, macspoofchk=True), PORTMAP)
    net.add(host.container("c1"), portMappings=[mapping(8080)])
    net.delete(host.children[0])  # type: ignore[arg-type]
    host.run("ip link add eth0 type veth peer name eth0peer")
    before = host.state()
    net.add(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]
    assert host.state() != before
    host.children[0].close()
    for _ in range(2):
        for config in reversed(net.plugins):
            answer = host.call("DEL", net.derived(config), "c1", CNI_NETNS=path)
            assert answer.exit_code == 0, answer
    assert host.state() == before
