"""bridge ADD on a real kernel: what it makes, what it prints, and that packets pass."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.configs import bridge, host_local
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping

FAMILIES = {"v4": ["10.1.0.0/24"], "v6": ["fd01::/64"], "dual": ["10.1.0.0/24", "fd01::/64"]}
WITHOUT_INTERFACES = ("0.1.0", "0.2.0")
VERSIONS = (*WITHOUT_INTERFACES, "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def test_add_makes_exactly_this(host: Host) -> None:
    """B-1 B-3 B-16 B-17: a bridge with the gateway's address, a veth pair, an address, a default route."""
    container = host.container()
    before = host.state(container)
    made = host.network(bridge(host.data, "10.1.0.0/24")).add(container)
    switch, veth, end = (interface["mac"] for interface in made["interfaces"])
    veth_name = host.veth("net/c1/eth0")
    added = {line for line in host.state(container) - before if "sysctl" not in line}
    assert added == {
        f"host link br0 bridge {switch} mtu 1500 up",
        "host address br0 10.1.0.1/24",
        "host route 10.1.0.0/24 dev br0 scope 253",
        f"host link {veth_name} veth {veth} mtu 1500 up master br0 alias net/c1/eth0",
        f"c1 link eth0 veth {end} mtu 1500 up",
        "c1 address eth0 10.1.0.2/24",
        "c1 route 10.1.0.0/24 dev eth0 scope 253",
        "c1 route default/0 via 10.1.0.1 dev eth0",
        r"file net/10.1.0.2 'c1\r\neth0'",
    }


def test_add_prints_what_it_made(host: Host) -> None:
    """B-18 B-19: three interfaces as they are, the address on the third, the switch with a MAC of its own."""
    container = host.container()
    result = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64")).add(container)
    veth = host.veth("net/c1/eth0")
    assert re.fullmatch("veth[0-9a-f]{11}", veth)
    assert host.link("br0")["address"] != host.link(veth)["address"]
    assert result == {
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "br0", "mac": host.link("br0")["address"], "mtu": 1500},
            {"name": veth, "mac": host.link(veth)["address"], "mtu": 1500},
            {
                "name": "eth0",
                "mac": container.link("eth0")["address"],
                "mtu": 1500,
                "sandbox": str(container.path),
            },
        ],
        "ips": [
            {"interface": 2, "address": "10.1.0.2/24", "gateway": "10.1.0.1"},
            {"interface": 2, "address": "fd01::2/64", "gateway": "fd01::1"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "::/0", "gw": "fd01::1"}],
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_packets_pass_in_every_version_and_family(host: Host, version: str, family: str) -> None:
    """B-3 B-4 B-5 B-42: ADD, pings between two containers and to and from the host, CHECK if any, DEL."""
    net = host.network(bridge(host.data, *FAMILIES[family]), version=version)
    first, second = host.container("c1"), host.container("c2")
    net.add(first)
    before = host.state(second)
    net.add(second)
    for subnet in FAMILIES[family]:
        prefix = subnet.partition("0/")[0] if "." in subnet else subnet.partition("/")[0]
        for space, address in ((first, "3"), (second, "2"), (second, "1"), (host, "3")):
            assert ping(space, prefix + address, timeout_s=4) is not None
    if version >= "0.4.0":
        net.check(second)
    net.delete(second)
    assert host.state(second) == before


def test_add_adopts_the_bridge_that_is_there(host: Host) -> None:
    """B-2: same link, same index, and what it had it keeps."""
    host.run("ip link add br0 mtu 1450 type bridge && ip address add 10.9.0.1/24 dev br0")
    index = host.link("br0")["ifindex"]
    host.network(bridge(ipam=host_local(host.data, "10.1.0.0/24"))).add(host.container())
    assert (host.link("br0")["ifindex"], host.addresses("br0")) == (index, ["10.9.0.1/24"])


def test_several_subnets_of_one_family(host: Host) -> None:
    """B-6: one IPv4 and two IPv6 addresses, a gateway each, one default route a family."""
    container = host.container()
    host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", "fd02::/64")).add(container)
    assert host.addresses("br0") == ["10.1.0.1/24", "fd01::1/64", "fd02::1/64"]
    assert container.addresses("eth0") == ["10.1.0.2/24", "fd01::2/64", "fd02::2/64"]
    routes = [route for family in (4, 6) for route in container.ip(f"-{family} route show default")]
    assert [route["gateway"] for route in routes] == ["10.1.0.1", "fd01::1"]


@pytest.mark.parametrize("version", WITHOUT_INTERFACES)
def test_old_versions_hold_one_address_a_family(host: Host, version: str) -> None:
    """B-6: ADD is refused before anything is made."""
    before = host.state()
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", "fd02::/64"), version=version)
    with pytest.raises(PluginError, match=version):
        net.add(host.container())
    assert host.state() == before


def test_nameservers_come_from_resolv_conf(host: Host) -> None:
    """B-7: host-local reads the file, bridge hands it on."""
    file = host.folder / "resolv.conf"
    file.write_text("nameserver 192.0.2.53\nsearch example.net\n")
    ipam = host_local(host.data, "10.1.0.0/24", resolvConf=str(file))
    result = host.network(bridge(ipam=ipam)).add(host.container())
    assert result["dns"] == {"nameservers": ["192.0.2.53"], "search": ["example.net"]}


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_add_without_addresses(host: Host, version: str) -> None:
    """B-8 B-44: a switch and a link that is up, no `ips`; CHECK works; DEL takes the link away."""
    net = host.network(bridge(), version=version)
    container = host.container()
    net.add(host.container("c0"))
    before = host.state(container)
    result = net.add(container)
    assert [interface["name"] for interface in result["interfaces"]] == [
        "br0",
        host.veth("net/c1/eth0"),
        "eth0",
    ]
    assert "ips" not in result
    assert "UP" in container.link("eth0")["flags"]
    assert container.addresses("eth0") == []
    if version >= "0.4.0":
        net.check(container)
    net.delete(container)
    assert host.state(container) == before


@pytest.mark.parametrize("version", WITHOUT_INTERFACES)
def test_old_versions_cannot_say_that_there_is_no_address(host: Host, version: str) -> None:
    """B-8: refused before anything is made."""
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match="no valid IP addresses"):
        host.network(bridge(), version=version).add(container)
    assert host.state(container) == before


@pytest.mark.parametrize("subnet", ["10.1.0.0/24", "fd01::/64"])
def test_the_bridge_keeps_its_mac(host: Host, subnet: str) -> None:
    """B-20: through ADD and DEL of another container, with the gateway on it."""
    net = host.network(bridge(host.data, subnet))
    containers = [host.container(f"c{number}") for number in range(4)]
    net.add(containers[0])
    mac = host.link("br0")["address"]
    for container in containers[1:]:
        net.add(container)
        assert host.link("br0")["address"] == mac
    for container in containers:
        net.delete(container)
        assert host.link("br0")["address"] == mac


def test_mtu_is_that_of_both_ends_and_of_a_new_bridge(host: Host) -> None:
    """B-64: all three have MTU 1400, as the result says; a packet of 1500 does not pass unfragmented."""
    container = host.container()
    result = host.network(bridge(host.data, "10.1.0.0/24", mtu=1400)).add(container)
    assert [interface["mtu"] for interface in result["interfaces"]] == [1400, 1400, 1400]
    links = (host.link("br0"), host.link(host.veth("net/c1/eth0")), container.link("eth0"))
    assert [link["mtu"] for link in links] == [1400, 1400, 1400]
    assert ping(container, "10.1.0.1", size=1300) is not None


@pytest.mark.parametrize(("keys", "flag"), [({}, False), ({"promiscMode": True}, True)])
def test_promiscuous_only_when_asked(host: Host, keys: dict[str, bool], flag: bool) -> None:
    """B-1 B-29"""
    host.network(bridge(host.data, "10.1.0.0/24", **keys)).add(host.container())
    assert bool(host.link("br0")["promiscuity"]) == flag
    assert ("PROMISC" in host.link("br0")["flags"]) == flag


@pytest.mark.parametrize("hairpin", [False, True])
def test_hairpin_is_a_flag_of_the_port(host: Host, hairpin: bool) -> None:
    host.network(bridge(host.data, "10.1.0.0/24", hairpinMode=hairpin)).add(host.container())
    assert host.link(host.veth("net/c1/eth0"))["linkinfo"]["info_slave_data"]["hairpin"] == hairpin


@pytest.mark.parametrize(
    ("keys", "isolated"), [({}, False), ({"portIsolation": False}, False), ({"portIsolation": True}, True)]
)
def test_isolated_ports_reach_the_host_but_not_each_other(
    host: Host, keys: dict[str, bool], isolated: bool
) -> None:
    """B-48 B-49: the flag, and what it does to packets."""
    net = host.network(bridge(host.data, "10.1.0.0/24", **keys))
    first, second = host.container("c1"), host.container("c2")
    net.add(first)
    net.add(second)
    assert host.link(host.veth("net/c2/eth0"))["linkinfo"]["info_slave_data"]["isolated"] == isolated
    assert ping(first, "10.1.0.1") is not None
    assert (ping(first, "10.1.0.3", timeout_s=0.5 if isolated else 4) is None) == isolated


@pytest.mark.parametrize(
    ("given", "mac"),
    [
        ({"args": "IgnoreUnknown=1;MAC=02:00:00:00:00:01"}, "02:00:00:00:00:01"),
        (
            {
                "args": "IgnoreUnknown=1;MAC=02:00:00:00:00:01",
                "config": {"args": {"cni": {"mac": "02:00:00:00:00:02"}}},
            },
            "02:00:00:00:00:02",
        ),
        ({"config": {"args": {"cni": {"mac": "02:00:00:00:00:02"}}}}, "02:00:00:00:00:02"),
        ({"mac": "02:00:00:00:00:03"}, "02:00:00:00:00:03"),
        (
            {
                "args": "IgnoreUnknown=1;MAC=02:00:00:00:00:01",
                "config": {"args": {"cni": {"mac": "02:00:00:00:00:02"}}},
                "mac": "02:00:00:00:00:03",
            },
            "02:00:00:00:00:03",
        ),
    ],
)
def test_a_mac_may_be_asked_for_in_three_ways(host: Host, given: dict[str, object], mac: str) -> None:
    """B-30 B-31 B-32 B-33: runtimeConfig wins over args.cni, that over CNI_ARGS, which host-local ignores."""
    container = host.container()
    config = bridge(host.data, "10.1.0.0/24", capabilities={"mac": True}, **given.pop("config", {}))  # type: ignore[arg-type]
    result = host.network(config).add(container, **given)  # type: ignore[arg-type]
    assert (result["interfaces"][2]["mac"], container.link("eth0")["address"]) == (mac, mac)


def test_unknown_args_need_ignore_unknown(host: Host) -> None:
    """B-68: refused without it, and nothing is left; fine with it."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match="K8S_POD_NAME"):
        net.add(container, args="K8S_POD_NAME=web")
    assert host.state(container) == before
    net.add(container, args="K8S_POD_NAME=web;IgnoreUnknown=1")


@pytest.mark.parametrize(("keys", "accept_dad"), [({}, "0"), ({"enabledad": True}, "1")])
def test_duplicate_address_detection_only_when_asked(
    host: Host, keys: dict[str, bool], accept_dad: str
) -> None:
    """B-67: ADD waits only if asked, and until the address is settled, which takes two seconds at most."""
    container, begin = host.container(), time.monotonic()
    host.network(bridge(host.data, "fd01::/64", **keys)).add(container)
    assert time.monotonic() - begin < (4 if accept_dad == "1" else 1)
    assert container.sysctl("net/ipv6/conf/eth0/accept_dad") == accept_dad
    flags = container.ip("-6 address show dev eth0 scope global")[0]["addr_info"][0]
    assert not flags.get("tentative")


def test_the_container_end_stays_down_when_disabled(host: Host) -> None:
    """B-47: disableContainerInterface."""
    container = host.container()
    host.network(bridge(disableContainerInterface=True)).add(container)
    assert "UP" not in container.link("eth0")["flags"]


def test_ten_containers_at_once_on_a_fresh_bridge(host: Host) -> None:
    """B-66: all succeed, no address twice, and a ping passes between the first and the last."""
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True))
    containers = [host.container(f"c{number}") for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(net.add, containers))
    addresses = {ip["address"] for result in results for ip in result["ips"]}
    assert len(addresses) == 20
    assert ping(containers[0], results[9]["ips"][0]["address"].partition("/")[0]) is not None


def test_two_interfaces_of_one_container(host: Host) -> None:
    """The owner is network, container and interface: two attachments live and die apart."""
    net = host.network(bridge(host.data, "10.1.0.0/24", isDefaultGateway=False, isGateway=True))
    container = host.container()
    net.add(container, ifname="eth0")
    before = host.state(container)
    net.add(container, ifname="eth1")
    assert (container.addresses("eth0"), container.addresses("eth1")) == (["10.1.0.2/24"], ["10.1.0.3/24"])
    net.delete(container, ifname="eth1")
    assert host.state(container) == before
