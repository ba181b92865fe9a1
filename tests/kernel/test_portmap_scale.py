"""portmap with as many ports as there are: every verb, on a fresh node and beside others, takes seconds.

A signal is heard within one.
"""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.running import Running
from tests.harness.traffic import Server, ask

ALL, MANY = 65535, 8000
FLOWS = 10_000
VERB_S = 50  # a verb on a slow machine, and its budget; what is quadratic takes ten minutes
HEARD_S = 8  # a second until it hears, and what undoing takes on a slow machine
INVALID_CONFIG, TRY_AGAIN_LATER, PORT_TAKEN = 7, 11, 105
SUBNETS = ("10.1.0.0/24", "fd01::/64")
SO_SNDBUFFORCE = 32


def may_send_any_size() -> bool:
    """Only the machine's own root may. In an ordinary user's lab no transaction exceeds net.core.wmem_max."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as handle:
        try:
            handle.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 24)
        except PermissionError:
            return False
    return True


any_size = pytest.mark.skipif(
    not may_send_any_size(), reason="an ordinary user's transaction may not be larger than net.core.wmem_max"
)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


class Ports:
    """portmap alone, called for containers that bridge has attached."""

    def __init__(self, host: Host, *names: str, **keys: object):
        self.net = host.network(bridge(host.data, *SUBNETS), {**PORTMAP, **keys})
        self.host = host
        self.containers = {name: host.container(name) for name in names}
        self.results = {
            name: host.network(self.net.plugins[0]).add(container)
            for name, container in self.containers.items()
        }

    def config(self, name: str, *mappings: dict[str, Any]) -> dict[str, Any]:
        return self.net.derived(self.net.plugins[1], self.results[name], {"portMappings": list(mappings)})

    def __call__(self, command: str, name: str, *mappings: dict[str, Any]) -> None:
        with within(VERB_S):
            answer = self.host.call(command, self.config(name, *mappings), self.containers[name])
        if answer.exit_code:
            # not its 65,535 mappings
            raise RuntimeError(f"{command} {name}: {answer.output['code']} {answer.output['msg'][:200]}")

    def count(self, owner: str = "net/") -> int:
        """How many elements carry an owner, read by nft."""
        return int(self.host.run(f"nft list ruleset | grep -o 'comment \"{owner}' | wc -l"))


def singly(count: int, **keys: Any) -> list[dict[str, Any]]:
    return [mapping(number, **keys) for number in range(1, count + 1)]


@any_size
def test_every_port_at_once(host: Host) -> None:
    """On a fresh node, where the first attempt is refused for want of maps; again over its own remains.

    Then CHECK, DEL and GC.
    """
    ports, every = Ports(host, "c1", "c2", snat=False), singly(ALL)
    elements = 2 * ALL
    ports("ADD", "c1", *every)
    assert ports.count() == elements
    ports("CHECK", "c1", *every)
    ports("ADD", "c1", *every)  # without DEL
    assert ports.count() == elements
    with Server(ports.containers["c1"], 80):
        assert ask(host.outside(), "192.0.2.1", ALL).server == "c1"
    with pytest.raises(RuntimeError, match=f"{PORT_TAKEN} .*net/c1/eth0"):
        ports("ADD", "c2", *every)
    assert ports.count() == elements
    ports("DEL", "c1")
    assert ports.count() == 0
    ports("ADD", "c2", mapping(1, 1, range=ALL))
    assert ports.count() == elements
    with within(VERB_S):
        ports.net.gc(ports.containers["c1"])
    assert ports.count() == 0


@any_size
def test_every_port_of_a_container_that_is_gone_is_taken_over(host: Host) -> None:
    ports = Ports(host, "gone", "new", snat=False)
    ports("ADD", "gone", *singly(ALL))
    host.run(f"ip link delete {host.veth('net/gone/eth0')}")
    ports("ADD", "new", *singly(ALL))
    assert ports.count("net/new/") == 2 * ALL


@pytest.mark.parametrize("first", [{"hostIP": "10.1.0.1"}, {}], ids=["one", "any"])
def test_ports_on_one_address_beside_as_many_on_any(host: Host, first: dict[str, str]) -> None:
    """They exclude each other port by port: udp does not meet tcp, and tcp of a gone container gives way."""
    ports = Ports(host, "c1", "c2", "c3", snat=False)
    second = {} if first else {"hostIP": "10.1.0.1"}
    ports("ADD", "c1", *singly(MANY, protocol="udp", **first), *singly(MANY, **first))
    ports("ADD", "c2", *singly(MANY, protocol="sctp", **second))
    with pytest.raises(RuntimeError, match=f"{PORT_TAKEN} .*net/c1/eth0"):
        ports("ADD", "c3", *singly(MANY, **second))
    host.run(f"ip link delete {host.veth('net/c1/eth0')}")
    ports("ADD", "c3", *singly(MANY, **second))
    assert ports.count("net/c3/") == (MANY if second else 2 * MANY)


def test_thousands_of_udp_ports_and_ten_thousand_flows(host: Host) -> None:
    """Every flow is looked at once, whatever the number of ports."""
    ports, udp = Ports(host, "c1"), singly(ALL, protocol="udp")
    ports("ADD", "c1", *udp)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        for number in range(1, FLOWS + 1):
            sender.sendto(b"x", ("10.1.0.1", number))
    assert int(host.sysctl("net/netfilter/nf_conntrack_count")) >= FLOWS
    ports("DEL", "c1")
    assert int(host.sysctl("net/netfilter/nf_conntrack_count")) < FLOWS // 100


def under_way(
    host: Host, command: str, config: dict[str, Any], container: Container, after_s: float
) -> tuple[float, Any]:
    """(seconds from SIGTERM to the end, answer) of a call that gets SIGTERM after a while."""
    running = Running(host, command, config, container)
    time.sleep(after_s)
    running.signal(signal.SIGTERM)
    began = time.monotonic()
    answer = running.answer(120)
    return time.monotonic() - began, answer


def interrupted(ports: Ports, after_s: float, *every: dict[str, Any]) -> None:
    """Hold an ADD that gets SIGTERM to its laws: all or nothing, within a second, and an error says so."""
    before = ports.count()
    config = ports.config("c1", *every)
    took, answer = under_way(ports.host, "ADD", config, ports.containers["c1"], after_s)
    assert took < HEARD_S
    if answer.exit_code > 0:
        assert answer.output["code"] == TRY_AGAIN_LATER
        assert ports.count() in (0, before)


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.6])
def test_sigterm_is_heard_wherever_it_computes(host: Host, after_s: float) -> None:
    """However many mappings are read, planned and sent."""
    every = [mapping(1, 1, protocol, range=ALL) for protocol in ("tcp", "udp", "sctp", "dccp")]
    interrupted(Ports(host, "c1", snat=False), after_s, *every)


def test_sigterm_is_heard_while_it_compares_with_what_is_there(host: Host) -> None:
    ports, every = Ports(host, "c1", snat=False), mapping(1, 1, range=ALL)
    ports("ADD", "c1", every)
    interrupted(ports, 0.8, every)


def test_the_budget_is_kept_wherever_it_computes(host: Host) -> None:
    ports = Ports(host, "c1", snat=False)
    every = [mapping(1, 1, protocol, range=ALL) for protocol in ("tcp", "udp", "sctp", "dccp")]
    running = Running(
        host, "ADD", ports.config("c1", *every), ports.containers["c1"], {"CNIWIRE_TIMEOUT": "1"}
    )
    answer = running.answer(120)
    assert answer.exit_code == 1
    assert answer.output["code"] == TRY_AGAIN_LATER
    assert running.seconds < 1 + HEARD_S
    assert ports.count() == 0


def test_more_mappings_than_there_are_ports_are_refused_before_memory_is_short(host: Host) -> None:
    ports = Ports(host, "c1")
    with pytest.raises(RuntimeError, match=f"{INVALID_CONFIG} .*portMappings"):
        ports("ADD", "c1", *[mapping(1, 1, range=ALL) for _ in range(1000)])
