"""A host port whose holder's DEL never came is taken over once the holder is provably gone.

Behind every plugin's way of filling prevResult.
"""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, mapping
from tests.harness.host import Container, Host

PORT_TAKEN = 105
INSIDE = {"name": "eth0", "sandbox": "SANDBOX"}
# name -> interfaces of prevResult; lxc1 and cbr0 are a host veth and a bridge.
SHAPES: dict[str, list[dict[str, str]]] = {
    "cilium, macvlan": [INSIDE],
    "none": [],
    "calico": [{"name": "lxc1"}],
    "azure": [{"name": "eth0"}],
    "aws": [{"name": "lxc1"}, INSIDE, {"name": "dummy1234"}],
    "go bridge": [{"name": "cbr0"}, {"name": "lxc1"}, INSIDE],
    "bridge alone": [{"name": "cbr0"}, INSIDE],
    "go ptp": [{"name": "lxc1"}, INSIDE],
}


def publish(
    host: Host, container: Container, shape: str, address: str, command: str = "ADD", netns: str = ""
) -> tuple[int, Any]:
    """(exit code, what portmap printed) behind a plugin that fills prevResult in that *shape*."""
    interfaces = [
        {key: value.replace("SANDBOX", str(container.path)) for key, value in each.items()}
        for each in SHAPES[shape]
    ]
    result = {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": [{"address": f"{address}/32"}]}
    net = host.network(PORTMAP, name="cluster", version="1.0.0")
    config = net.derived(PORTMAP, result, {"portMappings": [mapping(8080)]})
    answer = host.call(command, config, container, CNI_NETNS=netns or str(container.path))
    return answer.exit_code, answer.output


def wire(host: Host, container: Container) -> None:
    host.run(f"ip link add lxc1 up type veth peer name eth0 netns {container.path}")
    host.run("ip link add cbr0 up type bridge")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lost", ["link", "namespace"])
def test_a_port_whose_holder_is_gone_is_taken_over(host: Host, shape: str, lost: str) -> None:
    """The namespace's path is gone, or the host interface, where prevResult names one; until then code 105.

    CHECK passes with a witness as without.
    """
    first, second = host.container("c1"), host.container("c2")
    wire(host, first)
    assert publish(host, first, shape, "10.14.199.37")[0] == 0
    assert publish(host, first, shape, "10.14.199.37", "CHECK")[0] == 0
    code, error = publish(host, second, shape, "10.14.199.38")
    assert (code, error["code"]) == (1, PORT_TAKEN)
    if lost == "namespace":
        first.close()
    else:
        host.run("ip link delete lxc1")
    proven = lost == "namespace" or "lxc1" in [each["name"] for each in SHAPES[shape]]
    assert publish(host, second, shape, "10.14.199.38")[0] == (0 if proven else 1)
    assert ("10.14.199.38 . 80" in host.run("nft list map inet cniwire hostports4")) == proven


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a network namespace of its own."""
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE
    ) as started:
        assert started.stdout
        started.stdout.readline()
        yield started
        started.kill()


def test_a_process_is_a_proof_of_life(host: Host, process: subprocess.Popen[bytes]) -> None:
    """CNI_NETNS is /proc/PID/ns/net, whose folder goes with the process."""
    container, second, netns = host.container("c1"), host.container("c2"), f"/proc/{process.pid}/ns/net"
    assert publish(host, container, "none", "10.14.199.37", netns=netns)[0] == 0
    assert publish(host, second, "none", "10.14.199.38")[0] == 1
    process.kill()
    process.wait()
    assert publish(host, second, "none", "10.14.199.38")[0] == 0


def test_a_path_that_means_something_else_proves_nothing(host: Host) -> None:
    """Its folder is another one: somebody looks from another mount namespace, or it was moved away."""
    first, second, folder = host.container("c1"), host.container("c2"), host.folder / "run"
    folder.mkdir()
    (folder / "c1").symlink_to(first.path)
    assert publish(host, first, "none", "10.14.199.37", netns=str(folder / "c1"))[0] == 0
    folder.rename(host.folder / "elsewhere")
    folder.mkdir()
    code, error = publish(host, second, "none", "10.14.199.38")
    assert (code, error["code"]) == (1, PORT_TAKEN)


def test_a_path_that_does_not_fit_is_none(host: Host) -> None:
    """A comment holds 253 bytes: the element is made, and nobody takes it over."""
    first, second = host.container("c1"), host.container("c2")
    folder = first.path.parent / ("x" * 200)
    folder.mkdir()
    (folder / "c1").symlink_to(first.path)
    assert publish(host, first, "none", "10.14.199.37", netns=str(folder / "c1"))[0] == 0
    (folder / "c1").unlink()
    assert publish(host, second, "none", "10.14.199.38")[0] == 1
