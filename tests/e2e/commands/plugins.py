"""Real plugins, ours and the distribution's Go ones, and what tests of the commands do with them."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.host import Host

DISTRIBUTION = Path("/usr/lib/cni")
SERVER = """
import socket
server = socket.create_server(("", 80))
print("ready", flush=True)
while True:
    connection, caller = server.accept()
    connection.sendall(f"web {caller[0]}".encode())
    connection.close()
"""


def bridge(host: Host, name: str, *subnets: str, **keys: Any) -> dict[str, Any]:
    ipam = {
        "type": "host-local",
        "dataDir": str(host.data),
        "ranges": [[{"subnet": subnet}] for subnet in subnets],
    }
    return {"type": "bridge", "bridge": name, "isDefaultGateway": True, "ipam": ipam, **keys}


def foreign(cniwire: Cniwire) -> bool:
    """Whether the plugins are the distribution's."""
    return str(DISTRIBUTION) in cniwire.options


def stable(cniwire: Cniwire) -> frozenset[str]:
    """The host's state without what IPv6 does by itself, and the launcher's."""
    lines = {f"cache {name}" for name in cniwire.cached} | {
        f"netns {name}" for name in named_namespaces(cniwire.mark)
    }
    return cniwire.host.state() | lines


def waiting(process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
    """*process*, once it has said `ready` on stdout."""
    assert process.stdout
    line = process.stdout.readline()
    assert line == "ready\n", f"{line}{process.stderr.read() if process.stderr else ''}"
    return process


@contextlib.contextmanager
def process_in_a_namespace() -> "Iterator[subprocess.Popen[str]]":
    """A process with a network namespace of its own, as Docker, LXC or `unshare` make it.

    It ends with the block.
    """
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield waiting(process)
        finally:
            process.kill()
