"""No runtime at all: a process of `unshare`, wired by `cniwire attach`."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.traffic import ask_http
from tests.runtimes import images
from tests.runtimes.daemon import until
from tests.runtimes.hooks import Command
from tests.runtimes.images import GREETING, PAGE, SERVE
from tests.runtimes.node import Node, bridged


@contextmanager
def unshared(*words: str) -> Iterator[int]:
    """A process in a network namespace of its own, killed at the end of the block; yields its pid."""
    with subprocess.Popen(["unshare", "--net", *words]) as process:
        try:
            own, path = os.stat("/proc/thread-self/ns/net"), f"/proc/{process.pid}/ns/net"
            until(lambda: os.stat(path).st_ino != own.st_ino, "unshare")
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("clean", ["gc", "detach"])
def test_a_process_of_unshare_is_wired_until_it_is_killed(node: Node, command: Command, clean: str) -> None:
    """It is known by its pid; gc takes what it leaves, and so does detach by that pid."""
    node.network("demo", *bridged("br7", "10.88.7.0/24"))
    root, outside = images.root(node.folder / "root"), node.host.outside()
    with unshared("sleep", "60") as pid:  # makes what is shared and stays
        command("attach", "demo", str(pid), "--publish", "8080:80")
        command("detach", "all", str(pid))
    before = node.remains()
    with unshared("chroot", str(root), *SERVE) as pid:
        command("attach", "demo", str(pid), "--publish", "8080:80")
        (address,) = next(iter(command.wired().values()))
        assert node.host.run(f"nsenter --net --target {pid} {images.BUSYBOX} ping -c1 -W2 10.88.7.1")
        assert node.host.run(f"nsenter --net --target {pid} {images.BUSYBOX} ping -c1 -W2 192.0.2.2")
        assert ask_http(node.host, address.partition("/")[0], 80, PAGE) == GREETING
        assert ask_http(node.host, "127.0.0.1", 8080, PAGE) == GREETING
        assert ask_http(outside, "192.0.2.1", 8080, PAGE) == GREETING
    command(*{"gc": ["gc"], "detach": ["detach", "all", str(pid)]}[clean])
    assert node.remains() == before
