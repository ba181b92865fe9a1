"""tuning on a real kernel: every key from every place, beside the Go plugin."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask, ping
from tests.kernel.tuned import ADDRESS, ARP, GO, NEW, RANGE, SOMAXCONN, USUAL, Tuned

CHECK_FAILED, INVALID_CONFIG, NOT_AVAILABLE, KERNEL_REFUSED = 101, 7, 50, 100
OWN = ("owner", "netns")  # in a file of ours, besides what the reference writes
KEYS: dict[str, Any] = {"mac": NEW, "mtu": 1400, "promisc": True, "allmulti": True, "txQLen": 77}
UNKNOWN_TO_GO = ("txQLen",)  # the distribution's is older


@pytest.fixture
def tuned(host: Host) -> Tuned:
    return Tuned(host)


def placed(where: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Configuration with *keys* at its top, or in args, where they win over another value at the top."""
    others = {"mac": "02:00:00:00:00:99", "mtu": 1300, "promisc": False, "allmulti": False, "txQLen": 5}
    return keys if where == "config" else {**{key: others[key] for key in keys}, "args": {"cni": keys}}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("where", ["config", "args"])
def test_each_key_is_written_checked_and_written_back(tuned: Tuned, where: str, key: str) -> None:
    """T-2..T-9 T-15"""
    config = placed(where, {key: KEYS[key]})
    result = tuned.made("ADD", **config)
    assert tuned.state == {**USUAL, key: KEYS[key]}
    (kept,) = tuned.files.values()
    assert {name: kept[name] for name in kept if name not in OWN} == {key: USUAL[key]}
    macs = [item["mac"] for item in result["interfaces"]]
    assert macs == ["02:00:00:00:00:07", NEW if key == "mac" else ADDRESS]
    tuned.made("CHECK", **config)
    for _ in range(2):
        tuned.made("DEL", **config)
        assert (tuned.state, tuned.files) == (USUAL, {})


@pytest.mark.parametrize("where", ["config", "args"])
@pytest.mark.parametrize("keys", [("mac",), ("mtu", "promisc"), ("allmulti",), tuple(KEYS)], ids="-".join)
def test_result_state_and_file_are_those_of_the_go_plugin(
    tuned: Tuned, keys: tuple[str, ...], where: str
) -> None:
    config = placed(where, {key: KEYS[key] for key in keys if key not in UNKNOWN_TO_GO})
    theirs = tuned.made("ADD", go=True, **config), tuned.state, tuned.files
    tuned.made("DEL", go=True, **config)
    assert (tuned.state, tuned.files) == (USUAL, {})
    result, state, files = tuned.made("ADD", **config), tuned.state, tuned.files
    ours = {name: {key: kept[key] for key in kept if key not in OWN} for name, kept in files.items()}
    # v1.1.1 tells an empty dns.
    told = {key: value for key, value in theirs[0].items() if key != "dns" or value}
    assert (result, state, ours) == (told, *theirs[1:])
    tuned.made("CHECK", go=True, **config)


@pytest.mark.parametrize("go", [True, False], ids=["go", "ours"])
def test_a_file_is_read_by_either_suite(tuned: Tuned, go: bool) -> None:
    """A node that switches; what the other one has changed is written back, and its file is gone."""
    config = {key: value for key, value in KEYS.items() if key not in UNKNOWN_TO_GO}
    tuned.made("ADD", go=go, **config)
    assert tuned.state != USUAL
    tuned.made("DEL", go=not go, **config)
    assert (tuned.state, tuned.files) == (USUAL, {})


@pytest.mark.parametrize(
    ("args", "keys", "mac"),
    [
        (f"MAC={NEW}", {"mac": "02:00:00:00:00:99"}, NEW),
        (f"IgnoreUnknown=1;MAC={NEW};K8S_POD_NAME=x", {}, NEW),
        ("MAC=02:00:00:00:00:99", {"runtimeConfig": {"mac": NEW}}, NEW),
        ("", {"runtimeConfig": {"mac": "02:00:00:00:00:99"}, "args": {"cni": {"mac": NEW}}}, NEW),
        ("", {"runtimeConfig": {"mac": ""}, "mac": NEW}, NEW),
    ],
)
def test_a_mac_from_elsewhere(tuned: Tuned, args: str, keys: dict[str, Any], mac: str) -> None:
    """T-10: and the Go plugin takes the same one."""
    for go in (True, False):
        tuned.made("ADD", args, go=go, **keys)
        assert tuned.state["mac"] == mac
        tuned.made("CHECK", args, go=go, **keys)
        tuned.made("DEL", args, go=go, **keys)
        assert tuned.state["mac"] == ADDRESS


# -- sysctls ---------------------------------------------------------------------------------------


def test_sysctls_are_written_and_written_back(tuned: Tuned) -> None:
    """T-1: prevResult is answered unchanged. The reference leaves them as they are."""
    keys = {"net.core.somaxconn": "512", "net/ipv4/ip_local_port_range": "1024 65000"}
    config: dict[str, Any] = {"sysctl": {**keys, "net.ipv4.conf.IFNAME.arp_filter": "01"}}
    assert tuned.made("ADD", **config) == tuned.previous
    assert tuned.state == {**USUAL, SOMAXCONN: "512", RANGE: "1024\t65000", ARP: "1"}
    tuned.made("CHECK", **config)
    tuned.container.sysctl(SOMAXCONN, 256)
    error = tuned.refused("CHECK", **config)
    assert (error["code"], "net/core/somaxconn is 256, not 512" in error["msg"]) == (CHECK_FAILED, True)
    tuned.container.sysctl(SOMAXCONN, 512)
    tuned.made("DEL", **config)
    assert (tuned.state, tuned.files) == (USUAL, {})


def test_a_list_of_ports_that_was_empty(tuned: Tuned) -> None:
    """The kernel tells neighbours as a range."""
    key, config = "net/ipv4/ip_local_reserved_ports", {"net.ipv4.ip_local_reserved_ports": "8081,8080,9000"}
    tuned.made("ADD", sysctl=config)
    assert tuned.container.sysctl(key) == "8080-8081,9000"
    tuned.made("CHECK", sysctl=config)
    tuned.made("DEL", sysctl=config)
    assert (tuned.container.sysctl(key), tuned.files) == ("", {})


def test_a_sysctl_in_args_alone(tuned: Tuned) -> None:
    """It crashes the reference."""
    config: dict[str, Any] = {"args": {"cni": {"sysctl": {SOMAXCONN: "9"}}}}
    assert tuned.call("ADD", go=True, **config).exit_code not in (0, 1)
    tuned.made("ADD", **config)
    assert tuned.state[SOMAXCONN] == "9"
    tuned.made("DEL", **config)
    assert tuned.state == USUAL


def test_ifname_stands_for_a_name_with_dots(host: Host, tuned: Tuned) -> None:
    tuned.container.run("ip link add eth0.100 type veth peer name peer1")
    config = tuned.config(sysctl={"net.ipv4.conf.IFNAME.arp_filter": "1"})
    assert host.call("ADD", config, tuned.container, ifname="eth0.100").exit_code == 0
    assert tuned.container.sysctl("net/ipv4/conf/eth0.100/arp_filter") == "1"
    assert host.call("DEL", config, tuned.container, ifname="eth0.100").exit_code == 0
    assert tuned.container.sysctl("net/ipv4/conf/eth0.100/arp_filter") == "0"


@pytest.mark.parametrize("ifname", ["a/b", "..", "a b"])
def test_an_ifname_that_would_be_another_path_is_refused(host: Host, tuned: Tuned, ifname: str) -> None:
    """T-14"""
    config = tuned.config(sysctl={"net.ipv4.conf.IFNAME.arp_filter": "1"})
    answer = host.call("ADD", config, tuned.container, ifname=ifname)
    assert (answer.exit_code, answer.output["code"]) == (1, 4)


def test_a_sysctl_that_stands_twice_is_refused(host: Host, tuned: Tuned) -> None:
    """T-13"""
    text = str(tuned.config(sysctl={SOMAXCONN: "1"})).replace("'", '"')
    doubled = text.replace(f'"{SOMAXCONN}": "1"', f'"{SOMAXCONN}": "1", "{SOMAXCONN}": "2"')
    answer = host.call("ADD", doubled.encode(), tuned.container)
    assert (answer.output["code"], answer.output["msg"]) == (
        INVALID_CONFIG,
        f"sysctl.{SOMAXCONN} stands there twice",
    )
    assert (tuned.state, tuned.files) == (USUAL, {})


# -- chains ----------------------------------------------------------------------------------------


def test_podman_asks_for_nothing_in_every_network(tuned: Tuned) -> None:
    """No kernel is opened: neither namespace nor folder is looked at."""
    for command in ("ADD", "CHECK", "DEL", "GC", "STATUS"):
        keys: dict[str, Any] = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": [], "prevResult": None}
        if command in ("ADD", "CHECK"):
            keys["prevResult"] = {**tuned.previous, "cniVersion": "1.1.0"}
        answer = tuned.call(command, gone=command == "DEL", **keys)
        assert (answer.exit_code, answer.stderr) == (0, ""), answer
    assert not tuned.folder.exists()


def test_the_chain_of_podman_with_another_mac(host: Host) -> None:
    """bridge, portmap, the Go firewall and tuning: all CHECKs hold, and packets find the new MAC."""
    tuning = {"type": "tuning", "dataDir": str(host.data / "tuning"), "mac": NEW.upper(), "mtu": 1400}
    ports: dict[str, Any] = {"portMappings": [mapping(8080)]}
    wired = bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True)
    chain = [wired, PORTMAP, {"type": "firewall"}, tuning]
    net = host.network(*chain, version="1.0.0", suites={"firewall": GO})
    container, other, outside = host.container(), host.container("c2"), host.outside()
    host.network(wired, version="1.0.0").add(other)
    before = host.state(container)
    result = net.add(container, **ports)
    assert [item["mac"] for item in result["interfaces"] if item["name"] == "eth0"] == [NEW]
    net.check(container, **ports)
    for address in ("10.1.0.3", "fd01::3"):
        assert ping(host, address) is not None
        assert ping(other, address) is not None
    with Server(container, 80):
        assert ask(outside, "192.0.2.1", 8080).server == container.name
    container.run("ip link set eth0 address 02:00:00:00:00:43")
    with pytest.raises(PluginError) as refused:
        net.check(container, **ports)
    assert refused.value.code == CHECK_FAILED
    net.delete(container, **ports)
    left = {line for line in host.state(container) - before if line.startswith(("c1", "file"))}
    assert left == {line for line in left if "conf/lo/disable_ipv6" in line}


def test_two_tunings_in_one_chain(tuned: Tuned) -> None:
    """They share a file, which keeps what the first one has found."""
    tuned.made("ADD", mtu=1400, sysctl={SOMAXCONN: "256"})
    tuned.made("ADD", mtu=1300, sysctl={SOMAXCONN: "512"}, promisc=True)
    assert tuned.state == {**USUAL, "mtu": 1300, SOMAXCONN: "512", "promisc": True}
    tuned.made("DEL", mtu=1300)
    tuned.made("DEL", mtu=1400)
    assert (tuned.state, tuned.files) == (USUAL, {})


def test_check_names_all_that_differs(tuned: Tuned) -> None:
    """A MAC by its value; promiscuous only where it is wanted, as it may have been switched on since."""
    tuned.made("ADD", mac=NEW.replace("42", "AB"), mtu=1400, sysctl={SOMAXCONN: "512"})
    tuned.container.run("ip link set eth0 promisc on")
    tuned.made("CHECK", mac=NEW.replace("42", "AB"), mtu=1400, sysctl={SOMAXCONN: "512"})
    tuned.container.run("ip link set eth0 mtu 1300 promisc off")
    tuned.container.sysctl(SOMAXCONN, 1)
    error = tuned.refused("CHECK", mac=ADDRESS, mtu=1400, promisc=True, sysctl={SOMAXCONN: "512"})
    assert (error["code"], "net/core/somaxconn is 1, not 512" in error["msg"]) == (CHECK_FAILED, True)
    expected = f"eth0: mac is 02:00:00:00:00:ab, not {ADDRESS}, mtu is 1300, not 1400, not promiscuous: "
    assert error["details"].startswith(expected)
    tuned.container.run("ip link delete eth0")
    assert "eth0 is gone" in tuned.refused("CHECK", mtu=1400)["msg"]


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.1.0"])
def test_the_result_of_each_version(tuned: Tuned, version: str) -> None:
    """T-15: an MTU that is told is the new one; what has the name in the host is another interface."""
    inside: dict[str, Any] = {"name": "eth0", "mac": ADDRESS, "sandbox": str(tuned.container.path)}
    listed = [{"name": "eth0", "mac": "02:00:00:00:00:07"}, {**inside, "mtu": 1500}]
    previous = {"cniVersion": version, "interfaces": listed}
    result = tuned.made("ADD", cniVersion=version, prevResult=previous, mac=NEW, mtu=1400)
    size = {"mtu": 1400} if version == "1.1.0" else {}
    assert result["interfaces"] == [listed[0], {**inside, "mac": NEW, **size}]
    previous = {"cniVersion": version, "interfaces": [{"name": "eth0", "mac": ADDRESS}]}
    result = tuned.made("ADD", cniVersion=version, prevResult=previous, mac=NEW)
    assert result["interfaces"] == [{"name": "eth0", "mac": NEW}]


def test_a_result_that_lists_no_interfaces(tuned: Tuned) -> None:
    previous = {"ip4": {"ip": "10.1.0.2/24"}}
    result = tuned.made("ADD", cniVersion="0.2.0", prevResult=previous, mac=NEW)
    assert (result["ip4"], tuned.state["mac"]) == (previous["ip4"], NEW)


def test_the_default_folder_is_the_reference_s(tuned: Tuned) -> None:
    """T-11: /run is the lab's own."""
    file = Path("/run/cni/tuning/c1_eth0.json")
    tuned.made("ADD", dataDir="", mtu=1400)
    assert file.exists()
    tuned.made("DEL", dataDir=7, mtu="wrong")
    assert (file.exists(), tuned.state) == (False, USUAL)
