"""SIGTERM at any moment of a verb: all is done, or nothing."""

import random
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.budget import given_up, request, settle
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.running import Running

WIRED = ("10.1.0.0/24", "fd01::/64")


@pytest.fixture
def moments() -> Iterator[float]:
    """Endless random moments of a plugin's life in seconds, the same in every run."""
    source = random.Random(6)
    return iter(source.random, 2)


@pytest.mark.parametrize("keys", [{"ipMasq": True}, {"macspoofchk": True, "enabledad": True}])
def test_sigterm_at_any_moment_of_add_leaves_all_or_nothing(
    host: Host, moments: Iterator[float], keys: dict[str, Any]
) -> None:
    """The exit code tells which."""
    network, container = host.network(bridge(host.data, *WIRED, **keys)), host.container()
    network.add(host.container("c0"))
    before = host.state(container)
    began = time.monotonic()
    host.call("STATUS", request(network, container, "STATUS"))
    reach = 1.8 * (time.monotonic() - began)
    ends = []
    for _ in range(25):
        running = Running(host, "ADD", request(network, container, "ADD"), container)
        time.sleep(reach * (0.15 + 0.85 * next(moments)))
        running.signal(signal.SIGTERM)
        ends.append(settle(host, network, container, running.answer(), before))
        # A busy machine may have been slower, or faster, when the time was first measured.
        reach *= 0.8 if ends[-1] == "made" else 1.1
    assert "undone" in ends or "killed" in ends


def test_sigterm_at_any_moment_of_portmap_s_add_leaves_all_or_nothing(
    host: Host, moments: Iterator[float]
) -> None:
    network = host.network(bridge(host.data, *WIRED), PORTMAP)
    container, other = host.container(), host.container("c0")
    network.add(other, portMappings=[mapping(9000)])
    result = host.network(network.plugins[0]).add(container)
    before = host.state(container)
    config = network.derived(
        PORTMAP, result, {"portMappings": [mapping(8000 + number) for number in range(50)]}
    )
    for _ in range(20):
        running = Running(host, "ADD", config, container)
        time.sleep(0.02 + 0.08 * next(moments))
        answer = running.signal(signal.SIGTERM).answer()
        if answer.exit_code == 0:
            assert host.call("DEL", config, container).exit_code == 0
        elif answer.exit_code > 0:
            given_up(answer)
        assert host.state(container) == before, answer


def test_sigterm_at_any_moment_of_del_is_cured_by_another_del(host: Host, moments: Iterator[float]) -> None:
    network, container = (
        host.network(bridge(host.data, *WIRED, ipMasq=True, macspoofchk=True)),
        host.container(),
    )
    network.add(host.container("c0"))
    before = host.state(container)
    for _ in range(15):
        network.add(container)
        running = Running(host, "DEL", request(network, container, "DEL"), container)
        time.sleep(0.02 + 0.1 * next(moments))
        answer = running.signal(signal.SIGTERM).answer()
        if answer.exit_code > 0:
            given_up(answer)
        network.delete(container)
        assert host.state(container) == before
