"""bridge is given what it must refuse: one error that names the trouble, and a world as it was."""

import json
from pathlib import Path

import pytest

from tests.harness import plugin
from tests.harness.configs import bridge, host_local
from tests.harness.host import Host
from tests.harness.plugin import PluginError

INVALID_CONFIG, TRY_AGAIN_LATER = 7, 11
ADDRESS = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.9/24", "gateway": "10.1.0.1"}]}'


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"hairpinMode": True, "promiscMode": True}, ["hairpinMode", "promiscMode"]),  # B-61
        ({"disableContainerInterface": True}, ["disableContainerInterface", "ipam"]),  # B-46
        ({"vlan": -100}, ["vlan", "-100"]),  # B-50
        ({"vlan": 5000}, ["vlan", "5000"]),  # B-50
        ({"vlanTrunk": [{"minID": 100}]}, ["vlanTrunk", "100"]),  # B-52
        ({"vlanTrunk": [{"maxID": 100}]}, ["vlanTrunk", "100"]),  # B-53
        ({"vlanTrunk": [{"minID": -1, "maxID": 100}]}, ["vlanTrunk", "-1"]),  # B-54
        ({"vlanTrunk": [{"minID": 4095, "maxID": 4096}]}, ["vlanTrunk", "4095"]),  # B-55
        ({"vlanTrunk": [{"minID": 100, "maxID": 5000}]}, ["vlanTrunk", "5000"]),  # B-56
        ({"vlanTrunk": [{"minID": 100, "maxID": -1}]}, ["vlanTrunk", "-1"]),  # B-57
        ({"vlanTrunk": [{"id": 4095}]}, ["vlanTrunk", "4095"]),  # B-58
        ({"vlanTrunk": [{"id": -1}]}, ["vlanTrunk", "-1"]),  # B-59
        ({"vlanTrunk": [{"minID": 200, "maxID": 100}]}, ["vlanTrunk", "200", "100"]),  # B-60
        ({"mtu": -5}, ["mtu", "-5"]),
        ({"mtu": "1400"}, ["mtu"]),
        ({"isGateway": "true"}, ["isGateway"]),
        ({"bridge": "a-name-of-16-byt"}, ["bridge", "a-name-of-16-byt"]),
        ({"bridge": "br/0"}, ["bridge", "br/0"]),
        ({"args": {"cni": {"mac": "02:00:00:00:00"}}}, ["mac", "02:00:00:00:00"]),
        ({"runtimeConfig": {"mac": "horse"}}, ["mac", "horse"]),
        ({"ipMasq": True, "ipMasqBackend": "ipfw"}, ["ipMasqBackend", "ipfw"]),
        ({"ipam": {"type": "host-local", "subnet": "10.1.0.1/24"}}, ["10.1.0.1/24"]),
        ({"ipam": {"type": "no-such-ipam"}}, ["no-such-ipam"]),
        ({"ipam": {"type": "../host-local"}}, ["../host-local"]),
    ],
    ids=str,
)
def test_add_refuses_a_config(host: Host, keys: dict[str, object], words: list[str]) -> None:
    """B-46 B-50 B-52 B-53 B-54 B-55 B-56 B-57 B-58 B-59 B-60 B-61: the error names key and value."""
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError) as refused:
        host.network(bridge(host.data, "10.1.0.0/24", **keys)).add(container)
    assert [word for word in words if word not in refused.value.msg + refused.value.details] == []
    assert refused.value.answer.exit_code == 1
    assert host.state(container) == before


@pytest.mark.parametrize("vlan", [0])
def test_vlan_zero_is_no_vlan(host: Host, vlan: int) -> None:
    """B-50"""
    host.network(bridge(host.data, "10.1.0.0/24", vlan=vlan)).add(host.container())


def test_add_refuses_a_bridge_that_is_something_else(host: Host) -> None:
    """B-62"""
    host.run("ip link add br0 type veth peer name other")
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match="br0"):
        host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True)).add(container)
    assert host.state(container) == before


def test_add_refuses_an_interface_name_in_use(host: Host) -> None:
    """B-63: by somebody else's link, or by our own first ADD, which stays intact."""
    net = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True))
    container, taken = host.container("c1"), host.container("c2")
    net.add(container)
    taken.run("ip link add eth0 type bridge")
    before = host.state(container, taken)
    for refuser in (container, taken):
        with pytest.raises(PluginError):
            net.add(refuser)
        assert host.state(container, taken) == before
    net.check(container)


def test_the_del_after_a_refused_add_leaves_the_other_network_s_interface_alone(host: Host) -> None:
    """CNI_IFNAME belongs to another network: the container keeps it at the DEL that follows the failure."""
    net, container = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True)), host.container()
    net.add(container)
    before = host.state(container)
    other = host.network(bridge(host.data, "10.2.0.0/24", bridge="br1", ipMasq=True), name="other")
    with pytest.raises(PluginError, match="eth0 already exists"):
        other.add(container)
    other.delete(container)
    assert host.state(container) == before
    net.check(container)


def test_add_refuses_a_path_that_is_no_namespace(host: Host) -> None:
    """A plain file, a directory, and nothing at all."""
    host.network(bridge(host.data, "10.1.0.0/24")).add(host.container("c0"))
    (host.folder / "plain").touch()
    before = host.state()
    for path in ("plain", "", "nowhere"):
        config = {**bridge(host.data, "10.1.0.0/24"), "name": "net", "cniVersion": "1.1.0"}
        answer = host.call("ADD", config, "c1", CNI_NETNS=str(host.folder / path))
        assert answer.exit_code == 1
        assert str(host.folder / path) in json.dumps(answer.output)
        assert host.state() == before


def test_add_refuses_the_namespace_it_runs_in(host: Host) -> None:
    """S-48: code 8, before anything is made."""
    before = host.state()
    config = {**bridge(host.data, "10.1.0.0/24"), "name": "net", "cniVersion": "1.1.0"}
    answer = host.call("ADD", config, "c1", CNI_NETNS=str(host.path))
    assert (answer.exit_code, answer.output["code"]) == (1, 8)
    assert host.state() == before


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo rubbish", ["rubbish"]),
        ("exit 3", ["3"]),
        ("echo it broke >&2; exit 1", ["it broke"]),
        ("""echo '{"code": 100, "msg": "all full", "details": "really"}'; exit 1""", ["all full", "really"]),
        ("echo null", ["ip"]),
        ("""echo '{"cniVersion": "1.1.0", "ips": []}'""", ["ip"]),
        ("""echo '{"cniVersion": "9.9.9", "ips": []}'""", ["9.9.9"]),
        ("""echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.400/24"}]}'""", ["10.1.0.400"]),
        ("kill -KILL $$", ["fake"]),
    ],
    ids=str,
)
def test_add_survives_a_bad_ipam_plugin(host: Host, script: str, words: list[str]) -> None:
    """B-34: rubbish, an error, death: told by what it said, its DEL is called, and nothing left."""
    host.network(bridge()).add(host.container("c0"))
    container = host.container()
    before = host.state(container)
    folder = host.ipam(f'[ "$CNI_COMMAND" = DEL ] && exit 0\n{script}')
    with pytest.raises(PluginError) as failed:
        host.network(bridge(ipam={"type": "fake"}), suites={"fake": folder}).add(container)
    assert [word for word in words if word not in failed.value.msg + failed.value.details] == []
    assert (folder / "calls").read_text().split() == ["ADD", "DEL"]
    assert host.state(container) == before


def test_add_does_not_wait_for_ever_for_an_ipam_plugin(host: Host) -> None:
    """B-34: one that hangs is killed, and what it may have reserved is given back."""
    host.network(bridge()).add(host.container("c0"))
    container = host.container()
    folder = host.ipam('[ "$CNI_COMMAND" = DEL ] || exec sleep 60')
    config = {**bridge(ipam={"type": "fake"}), "name": "net", "cniVersion": "1.1.0"}
    before = host.state(container)
    answer = host.call("ADD", config, container, CNI_PATH=str(folder), CNIWIRE_IPAM_TIMEOUT="1")
    assert (answer.exit_code, answer.output["code"], "fake" in answer.output["msg"]) == (
        1,
        TRY_AGAIN_LATER,
        True,
    )
    assert (folder / "calls").read_text().split() == ["ADD", "DEL"]
    assert host.state(container) == before


def test_a_failure_after_ipam_gives_the_addresses_back(host: Host) -> None:
    """B-34 B-35: a route that the kernel refuses comes last; by then all else was made."""
    host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True)).add(host.container("c0"))
    container = host.container()
    before = host.state(container)
    ipam = host_local(host.data, "10.1.0.0/24", routes=[{"dst": "10.7.0.0/16", "gw": "172.16.0.1"}])
    with pytest.raises(PluginError, match=r"172\.16\.0\.1"):
        host.network(bridge(isGateway=True, ipMasq=True, macspoofchk=True, ipam=ipam)).add(container)
    assert host.state(container) == before


def test_a_failing_del_of_ipam_is_reported_after_all_else_is_done(host: Host) -> None:
    """DEL goes on after errors and reports them."""
    folder = host.ipam(f"[ $CNI_COMMAND = ADD ] && echo '{ADDRESS}' && exit; echo no disk >&2; exit 1")
    net = host.network(bridge(isGateway=True, ipMasq=True, ipam={"type": "fake"}), suites={"fake": folder})
    container = host.container()
    net.add(container)
    assert host.veth("net/c1/eth0")
    with pytest.raises(PluginError, match="no disk"):
        net.delete(container)
    assert not any("net/c1/eth0" in line for line in host.state())
    assert container.links() == []


def test_a_bridge_is_not_its_own_ipam_plugin(host: Host) -> None:
    """It would call itself without end; ADD and CHECK say so, DEL and GC have nothing to call."""
    net, container = host.network(bridge(ipam={"type": "bridge"})), host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match=r"ipam\.type: bridge is this plugin itself"):
        net.add(container)
    net.delete(container)
    net.gc(container)
    assert host.state(container) == before


@pytest.mark.parametrize("called", [None, "switch"])
@pytest.mark.parametrize("command", ["ADD", "CHECK", "STATUS"])
def test_nor_is_it_under_another_name(host: Host, command: str, called: str | None) -> None:
    """The configuration does not say which plugin it is for, or names another one.

    Found by `make fuzz`: each call started the next one, for a minute.
    """
    config = {
        "cniVersion": "1.1.0",
        "name": "net",
        "type": called,
        "ipam": {"type": "bridge"},
        "prevResult": {},
    }
    environ = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(host.container().path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(host.plugins),
    }
    answer = plugin.call(
        host.plugins / "bridge",
        {**environ, "CNI_COMMAND": command},
        json.dumps(config).encode(),
        timeout_s=10,
    )
    assert (answer.exit_code, answer.output["code"]) == (1, INVALID_CONFIG)
    assert answer.output["msg"] == "ipam.type: bridge is this plugin itself"


@pytest.mark.parametrize("trouble", ["a file", "read only", "full"])
def test_add_survives_a_bad_data_dir(host: Host, trouble: str) -> None:
    """A dataDir that is a file, that cannot be written, that has no room."""
    host.network(bridge()).add(host.container("c0"))
    folder = host.folder / "bad"
    if trouble == "a file":
        folder.touch()
    else:
        folder.mkdir()
        host.run(f"mount -t tmpfs -o size=16k,{'ro' if trouble == 'read only' else 'rw'} tmpfs {folder}")
    try:
        if trouble == "full":
            fill(folder / "net")
        container = host.container()
        before = host.state(container)
        with pytest.raises(PluginError, match=str(folder)):
            host.network(bridge(isGateway=True, ipam=host_local(folder, "10.1.0.0/24"))).add(container)
        assert host.state(container) == before
    finally:
        if trouble != "a file":
            host.run(f"umount {folder}")


def fill(folder: Path) -> None:
    """Make *folder* and write into it until there is no room."""
    folder.mkdir()
    try:
        with (folder / "lock").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass


def test_names_that_the_kernel_takes_as_patterns_are_refused(host: Host) -> None:
    """br%d would be another bridge at each try, eth%d an interface that nobody finds again; DEL succeeds."""
    container = host.container()
    before = host.state(container)
    net = host.network(bridge(host.data, "10.1.0.0/24", bridge="br%d"))
    with pytest.raises(PluginError, match=r"bridge: .*br%d") as refused:
        net.add(container)
    assert refused.value.code == 7
    net.delete(container)
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    answer = host.call("ADD", net.derived(net.plugins[0]), container, ifname="eth%d")
    assert (answer.exit_code, answer.output["code"], "eth%d" in answer.output["msg"]) == (1, 4, True)
    assert host.call("DEL", net.derived(net.plugins[0]), container, ifname="eth%d").exit_code == 0
    assert host.state(container) == before
