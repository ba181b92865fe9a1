"""`ctr run --cni`: the network is attached by ctr itself, which nobody looks after if it dies."""

import subprocess

from tests.harness.cniwire import Cniwire
from tests.runtimes import images, reach
from tests.runtimes.containerd import Containerd, processes
from tests.runtimes.daemon import kill, until
from tests.runtimes.node import Node
from tests.runtimes.reach import Found, Site

RUN = ("run", "--cni", "--rm", "--cpu-shares", "0", images.NAME)  # a default of 1024 is a limit for ctr


def started(containerd: Containerd, name: str) -> "subprocess.Popen[str]":
    """Start the container *name*, a web server, in the foreground of ctr; wait until it is there."""
    process = containerd.popen(*RUN, name, *images.SERVE)
    until(lambda: f"{name} " in containerd.ctr("tasks", "ls"), f"{name} is a task")
    until(lambda: "RUNNING" in task(containerd, name), f"{name} runs")
    return process


def task(containerd: Containerd, name: str) -> str:
    """Return the line of `ctr tasks ls` for *name*: name, pid, status."""
    lines = containerd.ctr("tasks", "ls").splitlines()
    return next((line for line in lines if line.split()[0] == name), "")


def inside(containerd: Containerd, name: str) -> Found:
    return Found(f"/proc/{task(containerd, name).split()[1]}/ns/net")


def test_containers_of_ctr_are_reached_and_leave_nothing(node: Node, containerd: Containerd) -> None:
    """ctr sends DEL with an empty CNI_NETNS when the container has ended."""
    outside = node.host.outside()
    assert containerd.ctr(*RUN, "first", "cat", images.PAGE) == images.GREETING
    before = node.remains()
    web, peer = started(containerd, "web"), started(containerd, "peer")
    namespace = inside(containerd, "web")
    addresses = tuple(address.partition("/")[0] for address in namespace.addresses("eth0"))
    assert len(addresses) == 2
    site = Site(namespace, addresses, peer=inside(containerd, "peer"))
    assert reach.troubles(node.host, outside, site) == []
    for name, process in (("web", web), ("peer", peer)):
        containerd.ctr("tasks", "kill", "--signal", "SIGKILL", name)
        process.communicate(timeout=20)
    assert node.remains() == before


def test_what_a_killed_ctr_forgot_is_collected(node: Node, containerd: Containerd) -> None:
    """kill -9 of ctr, shim and container: nobody sends DEL, and `cniwire gc` sees that they are gone."""
    containerd.ctr(*RUN, "first", "true")
    before = node.remains()
    with started(containerd, "web") as web:
        web.kill()
    kill(*processes(containerd.group, "containerd-shim"), int(task(containerd, "web").split()[1]))
    until(lambda: "RUNNING" not in task(containerd, "web"), "the container has ended")
    containerd.run("tasks", "rm", "--force", "web")
    assert node.remains() != before
    collector = Cniwire(node.host, node.plugins)
    collector.options = []  # the machine's own networks, cache and plugins
    collector("gc")
    assert node.remains() == before
