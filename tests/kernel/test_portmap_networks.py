"""One container on several networks with the same published port, as runtimes hand it to each.

The first network keeps the port, the next one takes it over after the first one's DEL.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask

PORT_TAKEN = 105
PORTS = [mapping(8080)]


def networks(host: Host, count: int = 2, **keys: object) -> list[Network]:
    return [
        host.network(
            bridge(
                host.data,
                f"10.{n}.0.0/24",
                bridge=f"br{n}",
                isDefaultGateway=n == 1,
                isGateway=True,
                ipMasq=True,
                hairpinMode=True,
            ),
            {**PORTMAP, "masqAll": True, **keys},
            name=f"net{n}",
        )
        for n in range(1, count + 1)
    ]


def attach(nets: list[Network], container: Container, ports: list[dict[str, Any]] = PORTS) -> None:
    for number, net in enumerate(nets):
        net.add(container, f"eth{number}", portMappings=ports)


def leads_to(host: Host, container: Container) -> str:
    """The address of the container at which a connection to the published port arrives, "" for none."""
    try:
        with Server(container, 80):
            assert ask(host, "192.0.2.1", 8080, timeout_s=0.5).server == container.name
    except OSError:
        return ""
    flows = host.run("conntrack -L -p tcp --orig-port-dst 8080 2>/dev/null; conntrack -F 2>/dev/null")
    return str(re.findall(r"src=(10\.\S+)", flows)[0])


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    "keys", [{}, {"conditionsV4": ["ip", "saddr", "!=", "198.51.100.7"]}], ids=["plain", "conditions"]
)
@pytest.mark.parametrize("host_ip", ["", "192.0.2.1"])
def test_the_port_answers_until_the_last_network_is_left(
    host: Host, order: tuple[int, ...], keys: dict[str, Any], host_ip: str
) -> None:
    """Through the first network that is still there, in whatever order they are left.

    CHECK passes on all that are left, and in the end nothing remains.
    """
    host.outside()
    nets, container, ports = networks(host, 3, **keys), host.container(), [mapping(8080, hostIP=host_ip)]
    other = host.container("c0")
    nets[0].add(other, portMappings=[mapping(1)])
    before = {line for line in host.state() if " nft " in line}
    attach(nets, container, ports)
    left = [0, 1, 2]
    for gone in order:
        assert leads_to(host, container) == f"10.{left[0] + 1}.0.{3 if left[0] == 0 else 2}"
        for number in left:
            nets[number].check(container, f"eth{number}", portMappings=ports)
        nets[gone].delete(container, f"eth{gone}", portMappings=ports)
        left.remove(gone)
    assert leads_to(host, container) == ""
    assert {line for line in host.state() if " nft " in line and "/c1/" in line} == set()
    for net in nets:
        net.gc()
    assert {line for line in host.state() if "hostports" in line} <= before


@pytest.mark.parametrize("first", ["", "192.0.2.1"])
@pytest.mark.parametrize("second", ["", "192.0.2.1"])
def test_another_container_is_refused_on_every_level(host: Host, first: str, second: str) -> None:
    """While the port stands on a level behind alone, too; with an address of the host or without."""
    host.outside()
    nets, container, other = networks(host), host.container(), host.container("c2")
    attach(nets, container, [mapping(8080, hostIP=first)])
    for gone in (None, 0, 1):
        if gone is not None:
            nets[gone].delete(container, f"eth{gone}")
        result = host.network(nets[0].plugins[0], name="net1").add(other)
        config = nets[0].derived(nets[0].plugins[1], result, {"portMappings": [mapping(8080, hostIP=second)]})
        if gone == 1:
            nets[0].call("ADD", config, other, "eth0")
            break
        with pytest.raises(PluginError) as refused:
            nets[0].call("ADD", config, other, "eth0")
        assert (refused.value.code, "c1" in refused.value.msg) == (PORT_TAKEN, True)
        nets[0].delete(other, "eth0")
    assert leads_to(host, other).startswith("10.1.0.")


@pytest.mark.parametrize(("first", "second"), [("192.0.2.1", ""), ("", "192.0.2.1")])
def test_one_address_and_any_are_the_same_port(host: Host, first: str, second: str) -> None:
    """The second network stands behind the first, whichever of them is the more specific."""
    host.outside()
    nets, container = networks(host), host.container()
    nets[0].add(container, "eth0", portMappings=[mapping(8080, hostIP=first)])
    nets[1].add(container, "eth1", portMappings=[mapping(8080, hostIP=second)])
    assert leads_to(host, container) == "10.1.0.2"
    nets[0].delete(container, "eth0")
    assert leads_to(host, container) == "10.2.0.2"
    nets[1].check(container, "eth1", portMappings=[mapping(8080, hostIP=second)])


def test_an_add_again_and_a_restart_in_another_order(host: Host) -> None:
    host.outside()
    nets, container = networks(host), host.container()
    attach(nets, container)
    switch = host.network(nets[1].plugins[0], name="net2")
    switch.delete(container, "eth1")
    result = switch.add(container, "eth1")
    nets[1].call(
        "ADD", nets[1].derived(nets[1].plugins[1], result, {"portMappings": PORTS}), container, "eth1"
    )
    assert leads_to(host, container) == "10.1.0.2"
    for number, net in enumerate(nets):
        net.results[container.name, f"eth{number}"] = (
            net.results.get((container.name, f"eth{number}")) or result
        )
        net.delete(container, f"eth{number}", portMappings=PORTS)
    assert leads_to(host, container) == ""
    for number in (1, 0):
        nets[number].add(container, f"eth{number}", portMappings=PORTS)
    assert leads_to(host, container).startswith("10.2.0.")


def test_two_networks_with_one_subnet_are_told_so(host: Host) -> None:
    """Podman's and containerd's defaults are the same subnet: no reservation is lost then."""
    nets = [
        host.network(bridge(host.data, "10.1.0.0/24", bridge=f"br{n}", ipMasq=True), name=f"net{n}")
        for n in (1, 2)
    ]
    nets[0].add(host.container("c1"))
    with pytest.raises(PluginError) as refused:
        nets[1].add(host.container("c2"))
    text = f"{refused.value.msg}; {refused.value.details}"
    said = (
        "net1/c1/eth0",
        "networks net2 and net1 have the same addresses (10.1.0.0/24)",
        "nothing was lost",
    )
    assert [words for words in said if words not in text] == []


def test_all_networks_at_once(host: Host) -> None:
    """As go-cni attaches: the kernel decides who is first."""
    host.outside()
    nets = networks(host, 4)
    nets[0].add(host.container("c0"), portMappings=[mapping(1)])
    for turn in range(5):
        container = host.container(f"t{turn}")
        with ThreadPoolExecutor(4) as pool:
            running = [
                pool.submit(net.add, container, f"eth{number}", portMappings=PORTS)
                for number, net in enumerate(nets)
            ]
        assert [each.result() for each in running]
        for number in (2, 0, 3, 1):
            nets[number].check(container, f"eth{number}", portMappings=PORTS)
            assert leads_to(host, container)
            nets[number].delete(container, f"eth{number}", portMappings=PORTS)
        assert [line for line in host.state() if f"/t{turn}/eth" in line] == []
