"""Hundreds of ADDs and DELs at once over one bridge, one range and one nft table, ours and Go's.

The first of them race on a fresh node, so that the bridge and the tables are made by whoever is fastest.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask, ping

IN_FLIGHT = 32
GO = Path("/usr/lib/cni")
needs_go = pytest.mark.skipif(
    not (GO / "bridge").exists(), reason=f"no Go plugins in {GO}: apt-get install containernetworking-plugins"
)


def at_once(host: Host, work: Callable[[Container], Any], containers: Iterable[Container]) -> list[Any]:
    """Do *work* for all containers, IN_FLIGHT at a time. Raises the first failure.

    Each thread lives in the host's namespace.
    """

    def inside(container: Container) -> Any:
        if not getattr(local, "entered", False):
            host.entered().__enter__()  # for good: the thread ends with the pool
            local.entered = True
        return work(container)

    local = threading.local()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return list(pool.map(inside, containers))


def port(container: Container) -> dict[str, Any]:
    return {"portMappings": [mapping(20000 + int(container.name[1:]), 80)]}


def addresses(results: Iterable[Any]) -> list[str]:
    return [ip["address"] for result in results for ip in result["ips"]]


def remains(host: Host) -> list[str]:
    """What of any attachment is still there."""
    links = [name for name in host.links() if name.startswith("veth")]
    elements = [line for line in host.state() if "nft element" in line or "net/c" in line]
    files = [path.name for path in host.data.rglob("*.*.*.*") if path.name[0].isdigit()]
    return links + elements + files


@pytest.mark.parametrize("count", [200])
def test_many_adds_and_dels_at_once_on_a_fresh_node(host: Host, count: int) -> None:
    """Every address once, every container connected and published, and nothing left in the end."""
    net = host.network(bridge(host.data, "10.1.0.0/22", "fd01::/64", ipMasq=True, macspoofchk=True), PORTMAP)
    containers = [host.container(f"c{number}") for number in range(count)]
    results = at_once(host, lambda container: net.add(container, **port(container)), containers)
    assert len(set(addresses(results))) == len(addresses(results)) == 2 * count
    at_once(host, lambda container: net.check(container, **port(container)), containers[::4])
    for container in containers[:: count // 10]:
        assert ping(container, "10.1.0.1") is not None
        with Server(container, 80):
            assert ask(host, "127.0.0.1", 20000 + int(container.name[1:])).server == container.name
    at_once(host, lambda container: net.delete(container, **port(container)), containers)
    assert remains(host) == []


def test_adds_race_with_dels_of_the_same_range(host: Host) -> None:
    """There are fewer addresses than containers: a released one is given out again, never to two."""
    net = host.network(bridge(host.data, "10.1.0.0/26", ipMasq=True), PORTMAP)
    containers = [host.container(f"c{number}") for number in range(90)]
    alive: dict[str, str] = {}
    guard = threading.Lock()

    def live(container: Container) -> int:
        full = 0
        for _ in range(50):
            outcome = attempt(net, container, **port(container))
            if isinstance(outcome, dict):
                address = outcome["ips"][0]["address"]
                break
            assert outcome.code == 103, outcome
            net.delete(container, **port(container))
            full += 1
            time.sleep(0.05)
        else:
            raise AssertionError("never an address")
        with guard:
            assert address not in alive, f"{address} belongs to {alive[address]} and to {container.name}"
            alive[address] = container.name
        net.check(container, **port(container))
        with guard:
            del alive[address]
        net.delete(container, **port(container))
        return full

    at_once(host, live, containers)
    assert remains(host) == []


def test_the_same_attachment_is_added_once_whoever_comes_first(host: Host) -> None:
    """Two runtimes that do not know of one another: one ADD succeeds, the others change nothing."""
    net, container = (
        host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True)),
        host.container("c1"),
    )
    net.add(host.container("c0"))
    before = host.state(container)
    for _ in range(5):
        outcomes = at_once(host, lambda _, net=net: attempt(net, container), [container] * 8)  # type: ignore[misc]
        made = [outcome for outcome in outcomes if isinstance(outcome, dict)]
        assert len(made) == 1, outcomes
        net.results[container.name, "eth0"] = made[0]
        net.check(container)
        net.delete(container)
        assert host.state(container) == before


def attempt(net: Network, container: Container, **capabilities: Any) -> Any:
    try:
        return net.add(container, **capabilities)
    except PluginError as error:
        return error


def test_two_networks_create_their_bridges_and_the_one_table_together(host: Host) -> None:
    """Their elements live in one table, and GC of one leaves those of the other."""
    nets = [
        host.network(
            bridge(host.data, f"10.{number}.0.0/24", bridge=f"br{number}", ipMasq=True),
            PORTMAP,
            name=f"n{number}",
        )
        for number in (1, 2)
    ]
    containers = [host.container(f"c{number}") for number in range(40)]

    def net_of(container: Container) -> Network:
        return nets[int(container.name[1:]) % 2]

    at_once(host, lambda container: net_of(container).add(container, **port(container)), containers)
    nets[0].gc(*containers[:10:2])
    for container in (*containers[:10:2], *containers[1::2]):
        net_of(container).check(container, **port(container))
    at_once(host, lambda container: net_of(container).delete(container, **port(container)), containers)
    assert remains(host) == []


@needs_go
def test_the_go_plugins_and_ours_share_one_range_at_once(host: Host) -> None:
    """Whoever adds and whoever deletes: one bridge, one directory, no address twice, nothing is left."""
    config = bridge(host.data, "10.1.0.0/23")
    ours = host.network(config)
    theirs = host.network(config, version="1.0.0", suites={"bridge": GO, "host-local": GO})
    containers = [host.container(f"c{number}") for number in range(120)]

    def makers(container: Container) -> tuple[Network, Network]:
        number = int(container.name[1:])
        return (
            (ours, theirs)
            if number % 4 in (0, 3)
            else (theirs, ours)
            if number % 4 == 1
            else (theirs, theirs)
        )

    results = at_once(host, lambda container: makers(container)[0].add(container), containers)
    assert len(set(addresses(results))) == len(containers)
    for container in containers[::12]:
        assert ping(container, "10.1.0.1") is not None
    at_once(host, lambda container: makers(container)[1].delete(container), containers)
    assert remains(host) == []
