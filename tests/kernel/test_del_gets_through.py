"""DEL succeeds, whatever was done to the node since ADD, and leaves nothing of the attachment."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, host_local, mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError

SUBNETS = ("10.1.0.0/24", "fd01::/64")
PORTS: dict[str, Any] = {
    "portMappings": [mapping(8080), mapping(5353, 53, "udp"), mapping(8443, hostIP="127.0.0.1")]
}
Config = dict[str, Any]
Sabotage = Callable[[Host, Container], object]


def replaced_namespace(host: Host, container: Container) -> None:
    container.close()
    host.container(container.name)


def file_for_namespace(_: Host, container: Container) -> None:
    container.close()
    container.path.touch()


def directory_for_namespace(_: Host, container: Container) -> None:
    container.close()
    container.path.mkdir()


def file_for_reservations(host: Host, _: Container) -> None:
    shutil.rmtree(host.data)
    host.data.touch()


OF_THE_NODE: dict[str, Sabotage] = {
    "nothing": lambda host, container: None,
    "the namespace is gone": lambda host, container: container.close(),
    "the namespace is another one": replaced_namespace,
    "a file is where the namespace was": file_for_namespace,
    "a directory is where the namespace was": directory_for_namespace,
    "the interface is gone": lambda host, container: container.run("ip link del eth0"),
    "the interface has another name": lambda host, container: container.run(
        "ip link set eth0 down name net7"
    ),
    "the host's end is gone": lambda host, container: host.run(f"ip link del {host.veth('net/c1/eth0')}"),
    "the host's end left the bridge": lambda host, container: host.run(
        f"ip link set {host.veth('net/c1/eth0')} nomaster"
    ),
    "the bridge is gone": lambda host, container: host.run("ip link del br0"),
    "the bridge is a veth": lambda host, container: host.run(
        "ip link del br0; ip link add br0 type veth peer name x"
    ),
    "the ruleset was flushed": lambda host, container: host.run("nft flush ruleset"),
    "our table is gone": lambda host, container: host.run("nft delete table inet cniwire"),
    "the maps are empty": lambda host, container: host.run(
        "nft flush map inet cniwire masquerade4; nft flush map inet cniwire hostports4"
    ),
    "another owns the port": lambda host, container: (
        host.run("nft delete element inet cniwire hostports4 '{ tcp . 8080 }'"),
        host.run(
            "nft add element inet cniwire hostports4"
            " '{ tcp . 8080 comment \"net/c9/eth0\" : 10.1.0.99 . 80 }'"
        ),
    ),
    "the reservations are gone": lambda host, container: shutil.rmtree(host.data),
    "the network's reservations are gone": lambda host, container: shutil.rmtree(host.data / "net"),
    "a file is where the reservations were": file_for_reservations,
    "the index is rubbish": lambda host, container: (host.data / "net" / ".index").write_bytes(
        b"\0index1\n" * 99
    ),
    "the lock is gone": lambda host, container: (host.data / "net" / "lock").unlink(),
    "a reservation is torn": lambda host, container: (host.data / "net" / "10.1.0.77").touch(),
}
OF_THE_CONFIG: dict[str, Callable[[Config], Config]] = {
    "of an older release": lambda config: {**config, "cniVersion": "0.3.1"},
    "with another bridge": lambda config: {**config, "bridge": "br7"},
    "with a bridge that is no name": lambda config: {**config, "bridge": "a/b" * 9},
    "with an impossible VLAN": lambda config: {**config, "vlan": 5000, "vlanTrunk": [{"id": -1}]},
    "that contradicts itself": lambda config: {**config, "hairpinMode": True, "promiscMode": True},
    "with wrong types": lambda config: {
        **config,
        "mtu": "large",
        "isGateway": 1,
        "ipMasq": [],
        "dns": 3,
        "snat": {},
        "backend": 7,
    },
    "without masquerade": lambda config: {**config, "ipMasq": False, "macspoofchk": False},
    "with other ranges": lambda config: with_ipam(config, ranges=[[{"subnet": "10.99.0.0/24"}]]),
    "with ranges that are none": lambda config: with_ipam(config, ranges="all"),
    "with no ranges": lambda config: with_ipam(config, ranges=None),
    "with a dataDir that is no path": lambda config: with_ipam(config, dataDir="\0"),
    "with a dataDir that is a number": lambda config: with_ipam(config, dataDir=7),
    "with mappings that are none": lambda config: {
        **config,
        "runtimeConfig": {"portMappings": [{"hostPort": -1}], "ips": ["x"]},
    },
    "with other mappings": lambda config: {**config, "runtimeConfig": {"portMappings": [mapping(99)]}},
    "without mappings": lambda config: {
        key: value for key, value in config.items() if key != "runtimeConfig"
    },
    "with conditions that are none": lambda config: {
        **config,
        "conditionsV4": ["-s", "x"],
        "markMasqBit": 99,
    },
    "without a previous result": lambda config: {
        key: value for key, value in config.items() if key != "prevResult"
    },
    "with a previous result that is none": lambda config: {**config, "prevResult": {"ips": "none"}},
    "with a previous result of another age": lambda config: {
        **config,
        "prevResult": {"cniVersion": "0.2.0", "ip4": {"ip": "1.2.3.4/8"}},
    },
    "with a budget that is none": lambda config: {**config, "timeoutSeconds": "soon"},
    "with an unknown backend": lambda config: {**config, "backend": "pf", "ipMasqBackend": "ipfw"},
}


def with_ipam(config: Config, **keys: Any) -> Config:
    return {**config, "ipam": {**config.get("ipam", {}), **keys}} if "ipam" in config else config


class Changed(Network):
    """A network whose configuration was changed since ADD."""

    change: Callable[[Config], Config] = staticmethod(lambda config: config)

    def derived(self, *arguments: Any) -> Config:
        return self.change(super().derived(*arguments))


def chain(host: Host, kind: str) -> Changed:
    """The network of plugin *kind*, or of all of them."""
    wired = bridge(host.data, *SUBNETS, ipMasq=True, macspoofchk=True)
    plugins = {
        "chain": [wired, PORTMAP],
        "portmap": [wired, PORTMAP],
        "bridge": [wired],
        "host-local": [{"type": "host-local", **ipam(host)}],
    }
    return Changed(host, plugins[kind], "net", "1.1.0", {})


def ipam(host: Host) -> Config:
    return {"ipam": host_local(host.data, *SUBNETS)}


def added(host: Host, kind: str) -> tuple[Changed, Container]:
    """The network with a neighbour and the container attached."""
    net, container = chain(host, kind), host.container("c1")
    ports = PORTS if kind in ("chain", "portmap") else {}
    net.add(host.container("c0"))
    net.add(container, **ports)
    return net, container


def deleted(net: Network, kind: str, container: Container | str, **keys: Any) -> None:
    """DEL of the chain, or first and alone of its portmap."""
    if kind == "portmap":
        config = net.derived(PORTMAP, net.results.get(("c1", "eth0")), PORTS)
        net.call("DEL", config, container, "eth0", None)
    net.delete(container, **keys)


def remains(host: Host) -> list[str]:
    """Lines of the state that belong to c1."""
    lines = [line for line in host.state() if "net/c1/" in line or "'c1" in line or "10.1.0.3" in line]
    return [line for line in lines if "10.1.0.77" not in line]


def of_the_node() -> list[tuple[str, str]]:
    """(plugins, what happened): to host-local only what it looks at can happen."""
    looked_at = [
        name
        for name in OF_THE_NODE
        if any(word in name for word in ("nothing", "reserv", "index", "lock", "namespace"))
    ]
    return [(kind, name) for kind in ("chain", "portmap") for name in OF_THE_NODE] + [
        ("host-local", name) for name in looked_at
    ]


@pytest.mark.parametrize(("kind", "sabotage"), of_the_node())
def test_del_gets_through_whatever_happened_to_the_node(host: Host, kind: str, sabotage: str) -> None:
    """B-22 B-23 B-24 B-25: the first and the second time; and the neighbour's objects are left alone."""
    net, container = added(host, kind)
    neighbour = {line for line in host.state() if "net/c0/" in line or "'c0" in line}
    OF_THE_NODE[sabotage](host, container)
    kept = neighbour & host.state()
    deleted(net, kind, container, **PORTS)
    assert remains(host) == []
    deleted(net, kind, container, **PORTS)
    deleted(net, kind, "c1")
    assert kept <= host.state()
    if container.path.is_dir():
        container.path.rmdir()
    if sabotage == "another owns the port":
        assert [line for line in host.state() if "net/c9/eth0" in line]


@pytest.mark.parametrize("change", OF_THE_CONFIG)
@pytest.mark.parametrize("kind", ["chain", "bridge", "host-local"])
def test_del_gets_through_with_a_configuration(host: Host, kind: str, change: str) -> None:
    """B-41 P-13: that was changed since ADD, and that ADD might refuse."""
    net, container = added(host, kind)
    net.change = OF_THE_CONFIG[change]
    net.delete(container, **PORTS)
    lost = "dataDir" in change  # where the reservation is, nobody can know
    assert [line for line in remains(host) if not (lost and line.startswith("file "))] == []
    net.delete(container, **PORTS)


def test_a_data_dir_that_is_no_path_is_refused_where_it_matters(host: Host) -> None:
    """ADD and STATUS name it; GC, like DEL, finds nothing there."""
    net = host.network({"type": "host-local", "ipam": host_local(Path("\0"), "10.1.0.0/24")})
    for verb in (lambda: net.add(host.container("c1")), net.status):
        with pytest.raises(PluginError, match=r"ipam\.dataDir: want a path") as caught:
            verb()
        assert caught.value.code == 7
    net.gc()


def test_del_without_its_ipam_plugin_deletes_the_rest_and_asks_for_a_retry(host: Host) -> None:
    """Code 11: the address is lost if nobody comes again."""
    net, container = added(host, "bridge")
    net.change = lambda config: with_ipam(config, type="gone")
    with pytest.raises(PluginError, match="gone") as caught:
        net.delete(container)
    assert caught.value.code == 11
    assert [line for line in remains(host) if not line.startswith("file ")] == []
    net.change = lambda config: config
    net.delete(container)
    assert remains(host) == []


@pytest.mark.parametrize("type_name", ["", "a/b", "bridge", 7, None])
def test_del_does_not_ask_an_ipam_plugin_that_add_cannot_have_called(host: Host, type_name: object) -> None:
    """A name that is none: there is nothing that a retry could cure."""
    net, container = added(host, "bridge")
    net.change = lambda config: with_ipam(config, type=type_name)
    net.delete(container)
    assert [line for line in remains(host) if not line.startswith("file ")] == []


@pytest.mark.parametrize(
    "sabotage", ["nothing", "the namespace is gone", "the bridge is gone", "the ruleset was flushed"]
)
def test_an_add_after_the_del_is_as_good_as_the_first(host: Host, sabotage: str) -> None:
    """The node is sound again, and CHECK agrees."""
    net, container = added(host, "chain")
    OF_THE_NODE[sabotage](host, container)
    net.delete(container)
    fresh = container if container.path.exists() else host.container("c1")
    net.add(fresh, **PORTS)
    net.check(fresh, **PORTS)


def test_an_address_whose_reservation_was_lost_is_not_given_to_a_second_container(host: Host) -> None:
    """dataDir was removed while containers live: masquerade, port maps know better; ADD names the holder."""
    net, container = added(host, "chain")
    net.delete(container)
    shutil.rmtree(host.data)
    before = host.state(container)
    with pytest.raises(PluginError, match=r"10\.1\.0\.2 is already taken by net/c0/eth0.*reservation"):
        net.add(container)
    assert host.state(container) == before
