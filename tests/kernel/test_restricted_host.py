"""Hosts that let less be done: /proc/sys is read-only, IPv6 is off or absent, there is no nftables."""

import sys

import pytest

from tests.harness import without_nft
from tests.harness.configs import PORTMAP, Config, bridge, mapping
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping

# Flags that the mount has already stay: an ordinary user may not take them away.
READ_ONLY = (
    "unshare --mount sh -ec 'mount --bind /proc/sys /proc/sys;"
    " mount -o remount,ro,bind,nosuid,nodev,noexec /proc/sys; exec {}'"
)
# A folder in which nothing of IPv6 is.
NO_IPV6 = "unshare --mount sh -ec 'mount --bind /proc/sys/net/ipv4/neigh /proc/sys/net/ipv6; exec {}'"
WITHOUT_NFT = f"{sys.executable} {without_nft.__file__} {{}}"
WEB = [mapping(8080)]


def test_dual_stack_where_proc_sys_is_read_only_and_all_is_set_already(host: Host) -> None:
    """What cannot be had is told, in a line each; CHECK misses nothing, and nothing is left."""
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/default/route_localnet"):
        host.sysctl(f"net/{key}", 1)
    folder = host.wrapped(READ_ONLY)
    net = host.network(
        bridge(host.data, "10.22.0.0/16", "fd22::/64"), PORTMAP, suites={"bridge": folder, "portmap": folder}
    )
    container = host.container()
    net.add(container, portMappings=WEB)
    net.delete(container)
    before = host.state(container)
    answer = host.call(
        "ADD", net.derived(net.plugins[0]), container, folder=folder, CNI_PATH=str(host.plugins)
    )
    assert (answer.exit_code, answer.stderr.count("\n")) == (0, 2)
    assert "net/ipv6/conf/br0/accept_ra cannot be written" in answer.stderr
    assert "/proc/sys is read-only: net/ipv6/conf/eth0/keep_addr_on_down" in answer.stderr
    net.delete(container)
    net.add(container, portMappings=WEB)
    assert container.sysctl("net/ipv6/conf/eth0/keep_addr_on_down") == "0"
    assert ping(container, "10.22.0.1")
    assert ping(container, "fd22::1")
    net.check(container, portMappings=WEB)
    net.delete(container)
    assert host.state(container) == before


def _switch_ipv6_off(host: Host) -> None:
    host.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
    host.sysctl("net/ipv6/conf/default/disable_ipv6", 1)


def test_dual_stack_on_a_host_whose_ipv6_is_switched_off(host: Host) -> None:
    """On a bridge that we create it is on, as in the container; every link else stays as it is."""
    _switch_ipv6_off(host)
    net, container = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64")), host.container()
    net.add(container)
    assert host.sysctl("net/ipv6/conf/br0/disable_ipv6") == "0"
    assert host.sysctl(f"net/ipv6/conf/{host.veth('net/c1/eth0')}/disable_ipv6") == "1"
    assert ping(container, "fd01::1")
    net.check(container)


def test_ipv4_alone_leaves_it_off(host: Host) -> None:
    _switch_ipv6_off(host)
    net, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    net.add(container)
    assert host.sysctl("net/ipv6/conf/br0/disable_ipv6") == "1"
    assert ping(container, "10.1.0.1")
    net.check(container)


def test_somebody_elses_bridge_stays_off_and_the_error_names_the_setting(host: Host) -> None:
    _switch_ipv6_off(host)
    host.run("ip link add br0 type bridge && ip link set br0 up")
    net, container = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64")), host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match="net/ipv6/conf/br0/disable_ipv6"):
        net.add(container)
    after = host.state(container)
    assert [
        line for line in after if line not in before and "br0" not in line and "ip_forward" not in line
    ] == []
    host.sysctl("net/ipv6/conf/br0/disable_ipv6", 0)
    net.add(container)
    assert ping(container, "fd01::1")


def test_a_kernel_without_ipv6_runs_ipv4(host: Host) -> None:
    folder = host.wrapped(NO_IPV6)
    net, container = (
        host.network(
            bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True), suites={"bridge": folder}
        ),
        host.container(),
    )
    net.add(container)
    net.delete(container)
    before = host.state(container)
    net.add(container)
    net.check(container)
    assert ping(container, "10.1.0.1")
    net.delete(container)
    assert host.state(container) == before


@pytest.mark.parametrize(
    "keys", [{}, {"disableContainerInterface": True}, {"mtu": 1400, "macspoofchk": True}]
)
def test_a_fresh_layer_2_bridge_has_its_link_local_address_when_add_returns(host: Host, keys: Config) -> None:
    """Always, port or no port; one of the kernel's making would come at a moment of its own."""
    net, container = host.network(bridge(**keys)), host.container()
    net.add(container)
    first = [each["local"] for each in host.ip("address show dev br0")[0]["addr_info"]]
    assert len(first) == 1
    assert first[0].startswith("fe80::")
    host.run("ip link set br0 down && ip link set br0 up")
    net.delete(container)
    net.add(container)
    assert len(host.ip("address show dev br0")[0]["addr_info"]) <= 1


def test_without_nftables_all_that_needs_no_rules_works(host: Host) -> None:
    """And DEL and GC succeed, whatever the configuration asks for: there cannot be anything to delete."""
    folder = host.wrapped(WITHOUT_NFT)
    net = host.network(
        bridge(host.data, "10.1.0.0/24"), PORTMAP, suites={"bridge": folder, "portmap": folder}
    )
    container = host.container()
    host.network(net.plugins[0], suites={"bridge": folder}).status()
    net.add(container)
    net.check(container)
    assert ping(container, "10.1.0.1")
    net.plugins = [{**net.plugins[0], "ipMasq": True, "macspoofchk": True}, PORTMAP]
    net.delete(container)
    net.gc()
    assert [
        line for line in host.state(container) if "veth" in line or line.startswith("file") or "eth0" in line
    ] == []


def test_without_nftables_what_needs_rules_is_refused_in_words_and_leaves_nothing(host: Host) -> None:
    folder = host.wrapped(WITHOUT_NFT)
    plain = host.network(bridge(host.data, "10.1.0.0/24"), name="plain")
    container = host.container()
    result = plain.add(container)
    plain.add(host.container("c2"))
    plain.delete("c2")
    other = host.container("c3")
    before = host.state(container)
    for keys in ({"ipMasq": True}, {"macspoofchk": True}):
        net = host.network(bridge(host.data, "10.1.0.0/24", **keys), suites={"bridge": folder})
        with pytest.raises(PluginError, match="Protocol not supported"):
            net.add(other)
        with pytest.raises(PluginError, match="nftables cannot be used") as failed:
            net.status()
        assert failed.value.code == 50
        assert host.state(container) == before
    web = host.network(PORTMAP, name="plain", suites={"portmap": folder})
    with pytest.raises(PluginError, match="Protocol not supported"):
        web.call("ADD", web.derived(PORTMAP, result, {"portMappings": WEB}), container, "eth0")
    with pytest.raises(PluginError, match="nftables cannot be used"):
        web.status()
    assert host.state(container) == before
