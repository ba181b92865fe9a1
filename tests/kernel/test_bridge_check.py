"""bridge CHECK on a real kernel: silent when all is as ADD left it, and exact about what is not."""

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Container, Host
from tests.harness.network import Network, Result
from tests.harness.plugin import PluginError

KEYS = {"ipMasq": True, "hairpinMode": True, "macspoofchk": True, "portIsolation": True}


@pytest.mark.parametrize(
    ("where", "sabotage", "told"),
    [
        (
            "container",
            "ip link set eth0 down",
            [
                "eth0 is down",
                "eth0 has no default route via 10.1.0.1",
                "eth0 has no default route via fd01::1",
            ],
        ),
        ("container", "ip link delete eth0", ["eth0 is gone"]),
        (
            "container",
            "ip link set eth0 address 02:00:00:00:00:99",
            ["eth0: mac is 02:00:00:00:00:99, not MAC"],
        ),
        (
            "container",
            "ip address delete 10.1.0.2/24 dev eth0",
            ["eth0 has no address 10.1.0.2/24", "eth0 has no default route via 10.1.0.1"],
        ),
        ("container", "ip address delete fd01::2/64 dev eth0", ["eth0 has no address fd01::2/64"]),
        ("container", "ip route delete default", ["eth0 has no default route via 10.1.0.1"]),
        ("container", "ip -6 route delete default", ["eth0 has no default route via fd01::1"]),
        ("host", "ip link delete br0", ["bridge br0 is gone"]),
        ("host", "ip link set br0 address 02:00:00:00:00:99", ["the bridge br0 has MAC 02:00:00:00:00:99"]),
        ("host", "ip address delete 10.1.0.1/24 dev br0", ["br0 has lost the gateway address 10.1.0.1/24"]),
        ("host", "ip address delete fd01::1/64 dev br0", ["br0 has lost the gateway address fd01::1/64"]),
        ("host", "ip link set VETH nomaster", ["VETH is no port of br0 any more"]),
        ("host", "ip link set VETH down", ["eth0: not up"]),
        ("host", "ip link set VETH type bridge_slave hairpin off", ["VETH: not hairpin"]),
        ("host", "ip link set VETH type bridge_slave isolated off", ["VETH: not isolated"]),
        ("host", "nft delete table inet cniwire", ["nft table inet cniwire is missing"]),
        ("host", "nft delete table bridge cniwire", ["nft table bridge cniwire is missing"]),
        ("host", "echo 0 > /proc/sys/net/ipv4/ip_forward", ["net/ipv4/ip_forward is 0, not 1"]),
    ],
)
def test_check_fails_after(host: Host, where: str, sabotage: str, told: list[str]) -> None:
    """B-43: CHECK passed right after ADD.

    The causes come first, each in a person's words on a line of its own; what only follows from them is
    indented.
    """
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", **KEYS))
    container = host.container()
    mac = str(net.add(container)["interfaces"][-1]["mac"])
    net.check(container)
    space, veth = (container if where == "container" else host), host.veth("net/c1/eth0")
    space.run(sabotage.replace("VETH", veth))
    before = host.state(container)
    with pytest.raises(PluginError) as failed:
        net.check(container)
    assert host.state(container) == before
    first = failed.value.msg.partition(" from what ADD made: ")[2]
    causes = [
        line.partition(": want ")[0]
        for line in [first, *failed.value.details.splitlines()]
        if not line.startswith(" ")
    ]
    assert list(dict.fromkeys(causes)) == [
        text.replace("VETH", veth).replace("not MAC", f"not {mac}") for text in told
    ]


def test_check_names_all_that_is_wrong(host: Host) -> None:
    """B-43: one error for two differences, each with what is wanted."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    container.run(
        "ip route delete default && ip address add 10.1.0.9/24 dev eth0"
        " && ip address delete 10.1.0.2/24 dev eth0"
    )
    host.run("ip address delete 10.1.0.1/24 dev br0")
    with pytest.raises(PluginError) as failed:
        net.check(container)
    text = failed.value.msg + failed.value.details
    assert [part for part in ("10.1.0.2/24", "10.1.0.1/24", "want") if part not in text] == []


def test_check_needs_the_result_of_add(host: Host) -> None:
    """B-43: without prevResult there is nothing to compare with."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    answer = host.call("CHECK", net.derived(net.plugins[0]), container)
    assert answer.exit_code == 1
    assert "prevResult" in answer.output["msg"]


def test_check_fails_when_the_reservation_is_gone(host: Host) -> None:
    """B-43: IPAM's CHECK is part of it."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    (host.data / "net" / "10.1.0.2").unlink()
    with pytest.raises(PluginError):
        net.check(container)


def test_check_tolerates_what_others_add_and_change(host: Host) -> None:
    """B-43: routes, links, addresses that expire are nobody's mistake; later plugins may change the MTU."""
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", mtu=1450))
    container = host.container()
    net.add(container)
    container.run(
        "ip address add 10.7.7.7/32 dev eth0 valid_lft 600 preferred_lft 600"
        " && ip address add 10.7.7.8/32 dev eth0 scope link"
    )
    container.run(
        "ip route add 10.8.0.0/16 via 10.1.0.1"
        " && ip link add x type bridge && ip link set x up && ip address add 10.6.0.2/24 dev x"
    )
    container.run("ip link set eth0 mtu 1400 && ip route add default via 10.6.0.1 dev x metric 50")
    host.run("ip address add 10.9.0.1/24 dev br0")
    net.check(container)


def _check_with(net: Network, container: Container, result: Result) -> None:
    net.results[container.name, "eth0"] = result
    net.check(container)


DETOURS = {
    "a second address": "ip address add 10.7.7.7/32 dev eth0",
    "a second IPv6 address": "ip address add fd01::77/64 dev eth0 nodad",
    "another default route": "ip route replace default via 10.1.0.99 dev eth0",
    "a default route besides": "ip route add default via 10.1.0.99 dev eth0 metric 50",
    "a better IPv6 default route": "ip -6 route add default via fd01::99 dev eth0 metric 1",
    "two halves": "ip route add 0.0.0.0/1 via 10.1.0.99 && ip route add 128.0.0.0/1 via 10.1.0.99",
    "the upper half": "ip route add 128.0.0.0/1 via 10.1.0.99",
    "the lower half": "ip route add 0.0.0.0/1 via 10.1.0.99",
    "a half that is a black hole": "ip route add blackhole 128.0.0.0/1",
    "a policy rule": "ip route add default via 10.1.0.99 table 99"
    " && ip rule add from 10.1.0.2 lookup 99 priority 9",
    "an IPv6 policy rule": "ip -6 route add default via fd01::99 table 99"
    " && ip -6 rule add from fd01::2 lookup 99 priority 9",
    "a rule for all": "ip route add default via 10.1.0.99 table 99 && ip rule add lookup 99 priority 9",
    "a rule to another interface": "ip link add x type bridge && ip link set x up"
    " && ip address add 10.6.0.2/24 dev x && ip route add default via 10.6.0.1 table 99"
    " && ip rule add lookup 99 priority 9",
    "a prohibition": "ip rule add from 10.1.0.2 prohibit priority 9",
    "an IPv6 black hole": "ip -6 rule add from fd01::2 blackhole priority 9",
}


@pytest.mark.parametrize("sabotage", DETOURS.values(), ids=DETOURS)
def test_check_sees_where_the_container_really_speaks(host: Host, sabotage: str) -> None:
    """An address that prevResult does not know, and every way by which packets leave for elsewhere."""
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64"))
    container = host.container()
    net.add(container)
    net.check(container)
    container.run(sabotage)
    before = host.state(container)
    with pytest.raises(PluginError) as failed:
        net.check(container)
    assert failed.value.code == 101
    assert "want " in failed.value.msg
    assert "found " in failed.value.msg
    assert host.state(container) == before


def test_check_follows_a_later_plugin_that_moves_the_routes_to_a_table_of_their_own(host: Host) -> None:
    """As sbr does; and as route-override does, whose result names another gateway."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    answer = net.add(container)
    container.run(
        "ip route add 10.1.0.0/24 dev eth0 table 100 && ip route add default via 10.1.0.1 table 100"
        " && ip route delete default"
    )
    container.run("ip rule add from 10.1.0.2 lookup 100")
    net.check(container)
    container.run("ip route replace default via 10.1.0.254 table 100")
    with pytest.raises(PluginError):
        net.check(container)
    answer["routes"] = [{"dst": "0.0.0.0/0", "gw": "10.1.0.254"}]
    _check_with(net, container, answer)


def test_check_leaves_alone_what_a_later_plugin_told_in_its_result(host: Host) -> None:
    """An address on our interface that IPAM never reserved; an interface with address and default route."""
    net = host.network(bridge(host.data, "10.9.0.0/24", ipMasq=True))
    container = host.container()
    answer = net.add(container)
    container.run("ip address add 10.9.0.200/24 dev eth0")
    answer["ips"].append({"interface": 2, "address": "10.9.0.200/24"})
    _check_with(net, container, answer)
    container.run(
        "ip link add v4if0 type bridge && ip link set v4if0 up && ip address add 169.254.172.5/22 dev v4if0"
    )
    answer["interfaces"].append({"name": "v4if0", "mac": "02:00:00:00:00:05", "sandbox": str(container.path)})
    answer["ips"].append({"interface": 3, "address": "169.254.172.5/22"})
    answer["routes"].append({"dst": "10.77.0.0/16", "gw": "169.254.172.1"})
    container.run("ip route add 10.77.0.0/16 via 169.254.172.1")
    _check_with(net, container, answer)


def test_check_does_not_believe_a_later_plugin_everything(host: Host) -> None:
    """prevResult names an address that is not there, one that another has reserved, ours on the bridge."""
    net = host.network(bridge(host.data, "10.9.0.0/24"))
    container, other = host.container(), host.container("c2")
    answer = net.add(container)
    net.add(other)
    missing = {**answer, "ips": [*answer["ips"], {"interface": 2, "address": "10.9.0.200/24"}]}
    with pytest.raises(PluginError, match="10.9.0.200"):
        _check_with(net, container, missing)
    container.run("ip address add 10.9.0.3/24 dev eth0")
    with pytest.raises(PluginError, match="10.9.0.3"):
        _check_with(
            net, container, {**answer, "ips": [*answer["ips"], {"interface": 2, "address": "10.9.0.3/24"}]}
        )
    container.run("ip address delete 10.9.0.3/24 dev eth0")
    elsewhere = {**answer, "ips": [{**each, "interface": 0} for each in answer["ips"]]}
    with pytest.raises(PluginError, match="eth0"):
        _check_with(net, container, elsewhere)


def test_status_is_that_of_ipam(host: Host) -> None:
    """B-65: fine with free addresses; 50 when a range is full; fine without IPAM."""
    host.network(bridge()).status()
    net = host.network(bridge(host.data, "10.1.0.0/30"))
    net.status()
    net.add(host.container())
    with pytest.raises(PluginError) as failed:
        net.status()
    assert failed.value.code == 50
