"""bandwidth with real traffic: what is limited is slow, the rest is not, and nobody waits behind a burst."""

import time

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Container, Host
from tests.harness.load import crowd, stream, waits
from tests.harness.network import Network

RATE = 2_000_000  # bytes a second
BURST = 200_000
GATEWAY, LIMITED, FREE = "10.1.0.1", "10.1.0.2", "10.1.0.3"
BANDWIDTH = {
    **{f"{direction}Rate": 8 * RATE for direction in ("ingress", "egress")},
    **{f"{direction}Burst": 8 * BURST for direction in ("ingress", "egress")},
}


@pytest.fixture
def network(host: Host) -> Network:
    shaping = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
    return host.network(bridge(host.data, "10.1.0.0/24"), shaping, version="1.0.0")


@pytest.fixture
def limited(host: Host, network: Network) -> Container:
    """It takes in and sends 2 MB a second, and bursts of 200 kB."""
    made = host.container()
    network.add(made, bandwidth=BANDWIDTH)
    network.check(made, bandwidth=BANDWIDTH)
    return made


@pytest.fixture
def free(host: Host, network: Network, limited: Container) -> Container:
    """Another container of the same network, without limits."""
    made = host.container("c2")
    network.add(made)
    return made


@pytest.mark.parametrize("takes_in", [True, False])
def test_both_directions_are_limited(host: Host, limited: Container, takes_in: bool) -> None:
    """W-9: behind the burst, as fast as the rate says; a quarter more for what is under way.

    On a busy machine that is what has piled up in the socket before we are there: half a second's worth.
    """
    ends = (host, limited, LIMITED) if takes_in else (limited, host, GATEWAY)
    with stream(*ends) as running:
        running.take(most_bytes=4 * BURST)
        assert 0.2 * RATE < running.take(seconds=2) < 1.25 * RATE


@pytest.mark.parametrize("takes_in", [True, False])
def test_only_what_is_limited_is_slow(
    host: Host, limited: Container, free: Container, takes_in: bool
) -> None:
    """W-11."""
    ends = (host, free, FREE) if takes_in else (free, host, GATEWAY)
    with stream(*ends) as running:
        assert running.take(most_bytes=10 * RATE) > 3 * RATE


def test_nobody_waits_behind_a_burst(host: Host, network: Network) -> None:
    """With a burst that lasts a second, the reference's queue is one of a second, too.

    Ours, below the token bucket, is fq_codel, or, where the kernel has none, a short one. The streams come
    from another container: of what the host itself sends, its TCP lets little wait.
    """
    container, sender = host.container(), host.container("c2")
    network.add(container, bandwidth={"ingressRate": 8 * RATE, "ingressBurst": 8 * RATE})
    network.add(sender)
    with crowd(sender, container, LIMITED, streams=6) as running:
        while sum(each.received for each in running) < 1.4 * RATE:
            time.sleep(0.05)
        found = waits(sender, container, LIMITED, 0.6)
    assert found[len(found) // 2] < 0.4, found


def test_a_fair_queue_stands_below_the_bucket(host: Host, network: Network) -> None:
    """fq_codel, which lets small flows go ahead."""
    host.run("ip link add probe0 type veth peer name probe1")
    try:
        host.run("tc qdisc add dev probe0 root fq_codel")
    except AssertionError as error:
        pytest.skip(f"this kernel has no fq_codel: {error}")
    container = host.container()
    network.add(container, bandwidth=BANDWIDTH)
    link = host.veth("net/c1/eth0")
    (found,) = host.run_json(f"tc -json qdisc show dev {link} parent 1:1")
    assert found["kind"] == "fq_codel"
