"""Configurations in the shapes that hosts write, odd keys and all: tests/conflists/.

Each is run by those of its plugins that we have.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from launcher.conflist import load_file
from tests.harness.configs import mapping
from tests.harness.conflists import ASKED, FILES, FOLDER, Chain, named, networks
from tests.harness.host import Container, Host
from tests.harness.namespace import Namespace
from tests.harness.network import Result
from tests.harness.state import State, files
from tests.harness.traffic import Server, ask, ping

LACKING = {  # whose entries are left out, or done by hand
    "bandwidth-sbr": {"sbr"},
    "ipvlan": {"ipvlan"},
    "k3s-flannel": {"flannel"},
    "kindnet": {"ptp"},
    "multus": {"multus"},
    "multus-macvlan": {"macvlan"},
    "multus-two": {"multus"},
    "podman-ptp": {"ptp"},
}
# The default of host-local, and that of kindnet; both the lab's own.
STORES = (Path("/var/lib/cni/networks"), Path("/run/cni-ipam-state"))
# What users ask of a runtime; handed on where an entry declares it.
WANTED: Mapping[str, Mapping[str, Any]] = {
    "c1": {
        **ASKED,
        "ips": ["10.46.7.77/24", "2001:db8:7::77/64"],
    },
    "c2": {"portMappings": [mapping(8081)], "ips": ["10.46.7.78/24", "2001:db8:7::78/64"]},
}
# GC and STATUS exist since then, and none of the files is that young.
VERSIONS = {"as_written": "", "at_1.1.0": "1.1.0"}
WITHOUT_CHECK = ("0.1.0", "0.2.0", "0.3.0", "0.3.1")
# The host's end, and the outside machine's.
CABLE = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8:ff::1", "2001:db8:ff::2")}

of_each_file = pytest.mark.parametrize("name", FILES)
of_each_version = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)


@pytest.fixture(autouse=True)
def stores() -> Iterator[None]:
    """The folders of reservations that the files name, empty."""
    for last in (False, True):
        for folder in STORES:
            shutil.rmtree(folder, ignore_errors=True)
        if not last:
            yield


def reservations() -> list[str]:
    return [line for folder in STORES for line in files(folder)]


def everything(host: Host, *others: Namespace) -> State:
    return host.state(*others) | {f"file {line}" for line in reservations()}


def not_shared(lines: State, nets: Mapping[str, Chain]) -> list[str]:
    """Those of *lines* that may not outlive the last attachment.

    Bridges with their settings, forwarding, and rules that name nobody may.
    """
    names = "|".join([entry.get("bridge", "cni0") for net in nets.values() for entry in net.plugins])
    stays = [
        rf"link ({names}) bridge|address ({names}) |route \S+ dev ({names}) ",
        rf"sysctl net/ipv[46]/conf/({names})/",
        r"sysctl net/ipv4/ip_forward =|sysctl net/ipv6/conf/all/forwarding =",
        r"nft (table|chain|rule|map|set) (inet|bridge) cniwire\b",
        r"nft (table|chain) ip6? (nat|raw)( (PREROUTING|INPUT|OUTPUT|POSTROUTING|CNI-HOSTPORT-[A-Z]+))? ",
        r"nft rule ip6? (nat|raw) (PREROUTING|OUTPUT|POSTROUTING|CNI-HOSTPORT-(SETMARK|MASQ)) ",
        r"nft (table|chain) ip6? filter( (INPUT|FORWARD|OUTPUT|CNI-FORWARD|CNI-ADMIN))? ",
        r'nft rule ip6? filter (FORWARD .*"CNI-FORWARD"|CNI-FORWARD .*"CNI-ADMIN")',
    ]
    return sorted([line for line in lines if not re.match(f"host ({'|'.join(stays)})", line)])


def attach(net: Chain, ifname: str, *containers: Container) -> None:
    """ADD and CHECK each of *containers*, as a runtime may at that version; STATUS before.

    Where addresses are asked for, they are given.
    """
    if net.version == "1.1.0":
        net.status()
    for container in containers:
        net.add(container, ifname, **WANTED[container.name])
        if net.version not in WITHOUT_CHECK:
            net.check(container, ifname, **WANTED[container.name])
        if net.plugins[0].get("capabilities", {}).get("ips"):
            assert container.addresses(ifname) == WANTED[container.name]["ips"]


def detach(nets: Mapping[str, Chain], *containers: Container) -> None:
    for ifname in reversed(list(nets)):
        for container in containers:
            nets[ifname].delete(container, ifname, **WANTED[container.name])


def collect(nets: Mapping[str, Chain], *valid: Container) -> None:
    """GC, where the version has it."""
    for ifname, net in nets.items():
        if net.version == "1.1.0":
            net.gc(*valid, ifname=ifname)


def converse(net: Chain, ifname: str, container: Container, other: Namespace, outside: Namespace) -> None:
    """Let packets through: from *other* to the container, from outside to its ports, from it to outside.

    Not from *other* where the network isolates its containers.
    """
    isolated = any(each.get("ingressPolicy") == "isolated" for each in net.plugins)
    addresses = [text.partition("/")[0] for text in container.addresses(ifname)]
    if not addresses:
        for number, end in enumerate((container, other), 1):
            end.run(f"ip address add 198.51.100.{number}/24 dev {ifname}")
        assert ping(other, "198.51.100.1") is not None
        for number, end in enumerate((container, other), 1):
            end.run(f"ip address delete 198.51.100.{number}/24 dev {ifname}")
    for address in addresses:
        here, there = CABLE[6 if ":" in address else 4]
        assert (ping(other, address, 0.5 if isolated else 2) is None) == isolated, address
        if net.plugins[0]["type"] == "bridge" and net.plugins[0].get("ipMasq"):
            assert ping(container, there) is not None, f"{address} to {there}"
        if any(each["type"] == "portmap" for each in net.plugins):
            with Server(container, 80), Server(container, 53, "udp"):
                assert ask(outside, here, 8080).server == container.name
                assert ask(outside, here, 8053, "udp").server == container.name


def test_there_are_files() -> None:
    assert len(FILES) >= 22
    assert {*LACKING} <= {*FILES}


@of_each_file
def test_what_we_lack_of_a_file_is_known(name: str, plugins: Path) -> None:
    """Whoever builds a plugin takes it out of LACKING, and out of what the harness does by hand.

    From then on its entries are run.
    """
    assert named(FILES[name]) - {path.name for path in plugins.iterdir()} == LACKING.get(name, set())


@of_each_file
def test_the_launcher_reads_a_file_whole(name: str) -> None:
    """Every entry as it is written, foreign keys and all; it is the plugins' affair to leave them alone."""
    network = load_file(str(FOLDER / f"{name}.conflist"))
    assert (network.name, network.version) == (FILES[name]["name"], FILES[name]["cniVersion"])
    assert list(network.plugins) == FILES[name]["plugins"]


@of_each_version
@of_each_file
def test_a_file_serves_its_containers_and_nothing_of_them_is_left(
    host: Host, name: str, version: str
) -> None:
    """ADD, CHECK, packets, DEL; at 1.1.0 STATUS too, and GC when one of two containers dies without a DEL.

    Then all of it once more, with DEL twice.
    """
    outside, first = host.outside(), host.container("c1")
    others = [host.container("c2")] if name != "static" else []  # which would give it the same address
    nets = networks(host, name, version)
    for tool in ("iptables", "ip6tables") if name == "mark-chain" else ():  # as kube-proxy makes it
        host.run(f"{tool} -t nat -N KUBE-MARK-MASQ")
    fresh = everything(host, first)
    for ifname, net in nets.items():
        attach(net, ifname, first)
    alone = everything(host, first)
    for ifname, net in nets.items():
        attach(net, ifname, *others)
        converse(net, ifname, first, others[0] if others else host, outside)
    if version and others:
        others.pop().close()
        collect(nets, first)
        assert everything(host, first) == alone
        for ifname, net in nets.items():
            net.check(first, ifname, **WANTED["c1"])
    detach(nets, first, *others)
    assert not_shared(everything(host, first) ^ fresh, nets) == []
    collect(nets)
    after = everything(host, first)
    for ifname, net in nets.items():
        attach(net, ifname, first)
    detach(nets, first)
    detach(nets, first)
    collect(nets)
    assert everything(host, first) == after


@of_each_version
@pytest.mark.parametrize("name", [name for name in FILES if {"host-local", "flannel"} & named(FILES[name])])
def test_a_section_ipam_serves_host_local_alone(host: Host, name: str, version: str) -> None:
    """As behind somebody else's main plugin, which calls the executable with its own entry.

    The first address of each set is given.
    """

    def local(command: str, ifname: str, config: Result) -> Any:
        answer = host.call(
            command, config, "c1", ifname=ifname, type_name="host-local", CNI_NETNS="/run/netns/c1"
        )
        assert (answer.exit_code, answer.stderr) == (0, ""), answer.output
        return answer.output

    for ifname, net in networks(host, name, version).items():
        config, content = net.derived(net.plugins[0]), f"c1\r\n{ifname}"
        result = local("ADD", ifname, config)
        assert reservations() == [
            f"{net.name}/{address} {content!r}" for address in first_addresses(config["ipam"])
        ]
        if net.version not in WITHOUT_CHECK:
            local("CHECK", ifname, {**config, "prevResult": result})
        if net.version == "1.1.0":
            local("STATUS", ifname, config)
            local("GC", ifname, {**config, "cni.dev/valid-attachments": None})
            assert reservations() == []
        local("DEL", ifname, config)
        assert reservations() == []


def first_addresses(ipam: Mapping[str, Any]) -> list[str]:
    """The lowest address of each set of ranges, behind the gateway's."""
    ranges = [each[0] for each in ipam.get("ranges", [[ipam]])]
    return [each.get("rangeStart") or str(ip_network(each["subnet"])[2]) for each in ranges]
