"""STATUS tells the truth and touches nothing: whether an ADD could be served now."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, host_local
from tests.harness.host import Host
from tests.harness.plugin import PluginError

Trouble = Callable[[Host], object]


def wired(host: Host, **keys: Any) -> dict[str, Any]:
    return bridge(host.data, "10.1.0.0/30", "fd01::/64", ipMasq=True, macspoofchk=True, **keys)


def test_status_of_a_fresh_node_is_good_and_makes_nothing(host: Host) -> None:
    """1.9 STATUS: no bridge, no table, no directory comes of it."""
    before = host.state()
    host.network(wired(host), PORTMAP).status()
    assert host.state() == before
    assert host.links() == []
    assert host.run("nft list ruleset") == ""
    assert not host.data.exists()


def test_status_of_a_node_at_work_is_good_while_there_are_addresses(host: Host) -> None:
    """1.9 STATUS: a full range set is code 50 and says which; after DEL all is well again."""
    net, container = host.network(wired(host), PORTMAP), host.container()
    net.add(container)
    before = host.state()
    with pytest.raises(PluginError, match="no IP addresses available in range set") as caught:
        net.status()
    assert caught.value.code == 50
    assert host.state() == before
    net.delete(container)
    net.status()


@pytest.mark.parametrize(
    ("trouble", "keys", "words", "code"),
    [
        (
            lambda host: host.run("ip link add br0 type veth peer name x"),
            {},
            "br0 exists and is not a bridge",
            50,
        ),
        (lambda host: host.data.touch(), {}, "networks", 50),
        (lambda host: None, {"vlan": 5000}, "vlan", 7),
        (lambda host: None, {"hairpinMode": True, "promiscMode": True}, "hairpinMode", 7),
        (lambda host: None, {"ipam": {"type": "nowhere"}}, "nowhere", 50),
        (lambda host: None, {"ipam": {"type": "host-local"}}, "ranges|range", 7),
    ],
)
def test_status_says_why_no_add_could_be_served(
    host: Host, trouble: Trouble, keys: dict[str, Any], words: str, code: int
) -> None:
    """And ADD fails then."""
    trouble(host)
    before = host.state()
    net = host.network(wired(host, **keys))
    with pytest.raises(PluginError, match=words) as caught:
        net.status()
    assert caught.value.code == code
    with pytest.raises(PluginError):
        net.add(host.container())
    assert [line for line in host.state() if line.startswith("host ")] == [
        line for line in before if line.startswith("host ")
    ] or code == 50


@pytest.mark.parametrize("code", [50, 51, 11])
def test_status_of_the_ipam_plugin_is_the_bridge_s(host: Host, code: int) -> None:
    """1.9 STATUS: any IPAM plugin is asked, and its error passed on."""
    folder = host.ipam(f'echo \'{{"code": {code}, "msg": "the daemon sleeps"}}\'; exit 1')
    with pytest.raises(PluginError, match="the daemon sleeps") as caught:
        host.network(bridge(ipam={"type": "fake"}), suites={"fake": folder}).status()
    assert caught.value.code == code
    assert (folder / "calls").read_text() == "STATUS\n"


def test_status_of_a_switch_asks_nobody(host: Host) -> None:
    """There is no IPAM to ask."""
    host.network(bridge()).status()


def test_status_without_nftables_is_bad_where_rules_are_wanted(host: Host) -> None:
    """1.9 STATUS: a process without the capability stands for a kernel without nftables.

    A mere switch needs none.
    """
    net = host.network(wired(host), PORTMAP)
    drop = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin"
    for config, wanted in (
        (net.plugins[0], "1"),
        (net.plugins[1], "1"),
        ({"type": "bridge", "bridge": "br0"}, "0"),
    ):
        call = f"CNI_COMMAND=STATUS CNI_PATH={host.plugins} {host.plugins / config['type']}"
        said = host.run(f"{drop} env {call}; printf '\\n%s' $?", stdin=json.dumps(net.derived(config)))
        assert said.splitlines()[-1] == wanted, said
        assert wanted == "0" or "nftables cannot be used" in said


def test_status_of_host_local_alone(host: Host) -> None:
    """H-40: it is a plugin like any other."""
    config = {"type": "host-local", "ipam": host_local(host.data, "10.1.0.0/30")}
    net = host.network(config)
    net.status()
    net.add(host.container())
    with pytest.raises(PluginError, match="no IP addresses available"):
        net.status()
