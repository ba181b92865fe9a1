"""Podman's default network, and containers on it as they come, go and are killed."""

import os
import signal

import pytest

from tests.harness.state import State
from tests.runtimes import reach
from tests.runtimes.containers import Podman
from tests.runtimes.daemon import until
from tests.runtimes.images import GREETING
from tests.runtimes.node import NAMED, RESERVATIONS, Node


@pytest.fixture
def untouched(node: Node, podman: Podman) -> State:
    """What there is when the first container came and went: what is shared was made."""
    podman.run("first", "--publish", "7999:80")
    podman.remove("first")
    return node.remains()


def answers(node: Node) -> bool:
    """Tell whether the published port does."""
    try:
        return reach.fetched(node.host, "127.0.0.1", 8080) == GREETING
    except OSError:
        return False


def test_containers_are_reached_from_everywhere_and_leave_nothing(node: Node, podman: Podman) -> None:
    outside = node.host.outside()
    podman.run("first", "--publish", "7999:80")
    podman.remove("first")
    before = node.remains()
    podman.run("web", "--publish", "8080:80")
    podman.run("peer")
    site = podman.site("web", 8080, "peer")
    assert [address[:8] for address in site.addresses] == ["10.88.0."]
    assert reach.troubles(node.host, outside, site) == []
    assert podman("exec", "peer", "wget", "-qO-", "http://10.88.0.1:8080/index.html") == GREETING
    assert site.namespace.path.exists()
    podman.remove("web", "peer")
    assert node.remains() == before
    assert not site.namespace.path.exists()


def test_a_container_keeps_its_port_over_restart_and_reload(
    node: Node, podman: Podman, untouched: State
) -> None:
    """reload brings back what somebody flushed; address and MAC stay."""
    podman.run("web", "--publish", "8080:80")
    podman("restart", "--time", "0", "web")
    assert answers(node)
    inside = podman.inside("web")
    known = inside.addresses("eth0"), inside.link("eth0")["address"]
    node.host.run("nft flush ruleset")
    assert not answers(node)
    podman("network", "reload", "web")
    assert answers(node)
    assert (inside.addresses("eth0"), inside.link("eth0")["address"]) == known
    podman("stop", "--time", "0", "web")
    assert node.remains() == untouched


def test_a_container_whose_conmon_was_killed_is_removed_like_any(
    node: Node, podman: Podman, untouched: State
) -> None:
    podman.run("web", "--publish", "8080:80")
    os.kill(podman.conmon("web"), signal.SIGKILL)
    podman.remove("web")
    assert node.remains() == untouched


def test_podman_killed_in_the_middle_of_an_add(node: Node, podman: Podman, untouched: State) -> None:
    """With the plugin that it had started. The container starts, and then leaves nothing of ours.

    If the plugin had come as far as to the interface, the first start is refused, whereupon Podman sends DEL;
    the second one succeeds. Podman forgets the namespace that it had made, whatever the plugins are.
    """
    known = set(RESERVATIONS.rglob("*"))
    with podman.popen(*podman.starting("web", "--publish", "8080:80")) as process:
        until(lambda: set(RESERVATIONS.rglob("*")) != known, "an address is reserved")
        os.killpg(process.pid, signal.SIGKILL)
    (forgotten,) = os.listdir(NAMED)
    with podman.popen("start", "web") as process:
        said = process.communicate(timeout=60)[1]
    if process.returncode:
        assert f"{podman.container_id('web')}/eth0 is attached already" in said
        podman("start", "web")
    assert answers(node)
    podman.remove("web")
    assert node.remains() - untouched == {f"namespace {forgotten}"}
