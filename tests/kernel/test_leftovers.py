"""What a plugin that was killed or failed half way may leave, and who clears it up: each found by torture."""

import _socket
import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cni.protocol import respond
from core.kernel import netns, sysctl
from core.netlink.link import NEWBORN_BRIDGE, RTM_GETLINK
from core.netlink.message import Message
from core.netlink.socket import Socket
from plugins import bridge as bridge_plugin
from tests.harness.configs import bridge, host_local
from tests.harness.host import Container, Host
from tests.harness.plugin import PATH, PluginError

ROOT = Path(__file__).resolve().parents[2]


def environment_of_add(host: Host, container: Container) -> dict[str, str]:
    return {
        "PATH": PATH,
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(container.path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(host.plugins),
    }


def test_gc_finds_the_other_half_of_a_spoof_check(host: Host) -> None:
    network, container = host.network(bridge(macspoofchk=True)), host.container()
    network.add(host.container("c0"))
    network.delete("c0")
    before = host.state(container)
    network.add(container)
    port = host.veth("net/c1/eth0")
    host.run(f"nft delete element bridge cniwire spoof '{{ \"{port}\" }}'")
    network.gc()
    assert host.state(container) == before


def test_a_bridge_that_a_killed_add_left_without_its_settings_gets_them(host: Host) -> None:
    """Told by the link group that it was born in, and leaves when it is up."""
    host.run(f"ip link add br0 group {NEWBORN_BRIDGE} type bridge")
    host.network(bridge(host.data, "10.1.0.0/24")).add(host.container())
    assert host.sysctl("net/ipv6/conf/br0/accept_ra") == "0"
    assert host.sysctl("net/ipv6/conf/br0/accept_dad") == "0"
    assert host.ip("link show br0")[0]["group"] == "default"


@pytest.mark.parametrize("state", ["down", "up"])
def test_a_bridge_of_somebody_else_keeps_its_settings(host: Host, state: str) -> None:
    """DECISIONS 5; but the host takes no routes from containers, unless it has its own from there."""
    host.run("ip link add br0 type bridge")
    for setting in ("accept_dad", "accept_ra"):
        host.sysctl(f"net/ipv6/conf/br0/{setting}", 1)
    host.run(f"ip link set br0 {state}")
    net, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    net.add(container)
    assert host.sysctl("net/ipv6/conf/br0/accept_dad") == "1"
    assert host.sysctl("net/ipv6/conf/br0/accept_ra") == "0"
    net.check(container)
    host.sysctl("net/ipv6/conf/br0/accept_ra", 1)
    with pytest.raises(PluginError, match=r"NoAdvertisements\(br0\)"):
        net.check(container)


def test_a_bridge_that_is_the_hosts_own_uplink_still_hears_its_router(host: Host) -> None:
    """Its default route came by an advertisement; STATUS tells of it, and what it means."""
    host.run(
        "ip link add br0 type bridge && ip link set br0 up"
        " && ip -6 route add default via fe80::1 dev br0 proto ra"
    )
    net, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    net.add(container)
    assert host.sysctl("net/ipv6/conf/br0/accept_ra") == "1"
    net.check(container)
    answer = host.call("STATUS", net.derived(net.plugins[0]))
    assert (answer.exit_code, "router advertisements" in answer.stderr) == (0, True)
    quiet = host.network(bridge(host.data, "10.2.0.0/24", bridge="br1"))
    assert host.call("STATUS", quiet.derived(quiet.plugins[0])).stderr == ""


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EMFILE, 1), (errno.EIO, 1), (errno.ENOENT, 0), (errno.EROFS, 0), (errno.EPERM, 0)],
)
def test_a_bridge_does_not_come_up_before_it_has_its_settings(
    host: Host, monkeypatch: pytest.MonkeyPatch, number: int, expected: int
) -> None:
    """Nobody would set them later; without IPv6 or below a read-only /proc/sys nobody can: no failure."""
    network, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    write, failing = sysctl.write, True

    def failing_write(key: str, value: str) -> None:
        if failing and key == "net/ipv6/conf/br0/accept_ra":
            raise OSError(number, "refused")
        write(key, value)

    monkeypatch.setattr(sysctl, "write", failing_write)
    environ = environment_of_add(host, container)
    stdin = json.dumps(network.derived(network.plugins[0])).encode()
    for answer in (expected, 0) if expected else (expected,):
        code, output = respond(bridge_plugin, environ, lambda: stdin)
        assert code == answer, output
        failing = False
    assert host.sysctl("net/ipv6/conf/br0/accept_ra") == ("0" if expected else "1")


def test_an_add_whose_answer_nobody_takes_is_undone(host: Host) -> None:
    """S-46: behind stdout is a full disk, or no runtime any more. Exit 1, and the attachment is undone."""
    config = {
        **bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True),
        "name": "net",
        "cniVersion": "1.1.0",
    }
    network = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True))
    container = host.container()
    network.add(container)
    network.delete(container)
    before = host.state(container)
    environ = " ".join(f"{name}={text}" for name, text in environment_of_add(host, container).items())
    status = host.run(f"{environ} {host.plugins}/bridge >/dev/full; echo $?", stdin=json.dumps(config))
    assert (status, host.state(container)) == ("1", before)


def test_an_add_whose_answer_from_the_kernel_is_lost_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel did as asked, but its reply does not fit the buffer (ENOBUFS): with each reply in turn."""
    network, container = host.network(bridge(macspoofchk=True)), host.container()
    network.add(container)
    network.delete(container)
    before, losses = host.state(container), 0

    class Losing(_socket.socket):
        left = 0

        def recv(self, size: int) -> bytes:  # type: ignore[override]
            data = super().recv(size)
            Losing.left -= 1
            if Losing.left == 0:
                raise OSError(errno.ENOBUFS, "lost")
            return data

    monkeypatch.setattr("core.netlink.socket.socket", Losing)
    environ = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(container.path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/x",
    }
    stdin = json.dumps(network.derived(network.plugins[0])).encode()
    while True:
        losses += 1
        Losing.left = losses
        code, output = respond(bridge_plugin, environ, lambda: stdin)
        if code == 0:
            break
        assert json.loads(output)["code"] == 11
        assert host.state(container) == before, f"reply {losses}"
    assert losses > 8


def test_a_directory_that_a_killed_add_made_is_on_disk_before_the_next_add_tells_of_a_reservation(
    host: Host, tmp_path: Path
) -> None:
    """H-56: mkdir was done, fsync of the parent was not."""
    folder, log = host.data / "net", tmp_path / "log"
    folder.mkdir(parents=True)
    network = host.network({"type": "host-local", "ipam": host_local(host.data, "10.1.0.0/24")})
    container = host.container()
    environ = " ".join(f"{name}={text}" for name, text in environment_of_add(host, container).items())
    stdin = json.dumps(network.derived(network.plugins[0]))
    host.run(f"{environ} strace -f -y -e trace=fsync,write -o {log} {host.plugins}/host-local", stdin=stdin)
    synced = log.read_text().rpartition(" write(1<")[0]
    assert f"<{folder}>)" in synced
    assert f"<{host.data}>)" in synced
    assert f"<{host.data.parent}>)" in synced


def test_whoever_cannot_leave_the_container_at_once_tries_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside, nothing could be undone: IPAM refuses to work in the container's own namespace."""
    network, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    enter, moves = netns._setns, []

    def failing(descriptor: int) -> None:
        moves.append(descriptor)
        if len(moves) in (2, 3, 6):
            raise OSError(errno.ENOMEM, "no memory")
        enter(descriptor)

    monkeypatch.setattr(netns, "_setns", failing)
    environ = environment_of_add(host, container)
    stdin = json.dumps(network.derived(network.plugins[0])).encode()
    code, output = respond(bridge_plugin, environ, lambda: stdin)
    assert code == 0, output
    assert len(moves) > 6
    assert host.links() == ["br0", host.veth("net/c1/eth0")]


def test_whoever_cannot_leave_the_container_at_all_ends_there(host: Host) -> None:
    """One JSON error, exit 1, nothing is done in the wrong namespace; DEL deletes what was made before."""
    network, container = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True)), host.container()
    network.add(host.container("c0"))
    before = host.state(container)
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from core.kernel import netns
from core.cni.main import main
from plugins import bridge
enter, moves = netns._setns, []
def failing(descriptor):
    moves.append(descriptor)
    if len(moves) > 1:
        raise OSError(12, "Cannot allocate memory")
    enter(descriptor)
netns._setns = failing
main(bridge, {"host-local": "ipam.host_local"})
"""
    command = [sys.executable, "-I", "-c", code, str(ROOT)]
    stdin = json.dumps(network.derived(network.plugins[0]))
    environ = environment_of_add(host, container)
    done = subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True)
    error = json.loads(done.stdout)
    assert (done.returncode, error["code"], "Cannot allocate memory" in error["msg"]) == (1, 11, True)
    network.delete(container)
    assert host.state(container) == before


def test_gateways_and_routes_of_another_family_are_refused_before_anything_is_made(host: Host) -> None:
    container = host.container()
    before = host.state(container)
    for ipam in (
        {"ranges": [[{"subnet": "10.1.0.0/24", "gateway": "fd01::1"}]]},
        {"ranges": [[{"subnet": "10.1.0.0/24"}]], "routes": [{"dst": "10.9.0.0/16", "gw": "fd01::1"}]},
    ):
        config = bridge(isGateway=True, ipam={"type": "host-local", "dataDir": str(host.data), **ipam})
        with pytest.raises(PluginError, match=r"is not of the family of") as refused:
            host.network(config).add(container)
        assert refused.value.code == 7
        assert host.state(container) == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOMEM, errno.ENOBUFS, errno.EINTR])
def test_a_link_that_cannot_be_asked_for_is_not_taken_for_gone(
    host: Host, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """DEL and GC do not say that all is deleted, nor ADD that a name is free: found by torture-faults."""
    network, container = host.network(bridge(macspoofchk=True)), host.container()
    network.add(container)
    exchange, failing = Socket.exchange, True

    def failing_exchange(socket: Socket, messages: tuple[Message, ...], *flags: int) -> Any:
        if failing and len(messages) > 1 and messages[0].type == RTM_GETLINK:
            return [([], OSError(number, "refused")) for _ in messages]
        return exchange(socket, messages, *flags)

    monkeypatch.setattr(Socket, "exchange", failing_exchange)
    names = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(container.path),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/x",
    }
    environ = {
        "ADD": {**names, "CNI_IFNAME": "eth1"},
        "DEL": {**names, "CNI_NETNS": ""},
        "GC": {"CNI_PATH": "/x"},
    }
    stdin = json.dumps({**network.derived(network.plugins[0]), "cni.dev/valid-attachments": []}).encode()
    for command, variables in environ.items():
        code, output = respond(bridge_plugin, {"CNI_COMMAND": command, **variables}, lambda: stdin)
        assert (command, code) == (command, 1), output
        assert host.veth("net/c1/eth0")
    failing = False
    code, output = respond(bridge_plugin, {"CNI_COMMAND": "DEL", **names}, lambda: stdin)
    assert (code, container.links()) == (0, [])
