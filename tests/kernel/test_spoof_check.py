"""macspoofchk against frames that no IP stack sends.

Of many kinds, and at every moment of an attachment's life.
"""

import socket
import struct
import threading
import time

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.namespace import Namespace

FORGED = bytes.fromhex("02feedfacade")
BROADCAST = b"\xff" * 6
ARP_OF_SOMEBODY = struct.pack(
    "!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, FORGED, bytes([10, 1, 0, 9]), BROADCAST, bytes([10, 1, 0, 9])
)
ETHERTYPES = (0x0800, 0x86DD, 0x0806, 0x8863, 0x88CC, 0x888E, 0x22F0, 0xFFFF)
KINDS = {
    **{f"ethertype {kind:#06x}": (BROADCAST, struct.pack("!H", kind) + bytes(46)) for kind in ETHERTYPES},
    "ARP with a foreign address inside": (BROADCAST, b"\x08\x06" + ARP_OF_SOMEBODY),
    "802.3 with LLC": (bytes.fromhex("0180c2000000"), b"\0\x26\x42\x42\3" + bytes(40)),
    "VLAN-tagged": (BROADCAST, struct.pack("!HHH", 0x8100, 7, 0x0800) + bytes(46)),
    "doubly VLAN-tagged": (BROADCAST, struct.pack("!HHHHH", 0x88A8, 7, 0x8100, 8, 0x0800) + bytes(46)),
    **{
        f"link-local group {last:02x}": (bytes.fromhex("0180c20000") + bytes([last]), b"\x88\xcc" + bytes(46))
        for last in range(16)
    },
    "IPv6 multicast": (bytes.fromhex("333300000001"), b"\x86\xdd" + bytes(46)),
}


def sender(container: Namespace) -> socket.socket:
    with container.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        made.bind(("eth0", 0))
    except OSError:
        made.close()
        raise
    return made


def learnt(host: Host) -> bool:
    return FORGED.hex(":") in host.run("bridge fdb show")


def heard(listener: socket.socket) -> list[bytes]:
    """The frames from the forged address that have come in."""
    found: list[bytes] = []
    listener.setblocking(False)
    while True:
        try:
            frame = listener.recv(2048)
        except BlockingIOError:
            return found
        found += [frame] if frame[6:12] == FORGED else []


def listener_of(container: Namespace) -> socket.socket:
    with container.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_with_a_foreign_source_moves_or_is_learnt(host: Host, kind: str) -> None:
    """B-45: frames to link-local groups come by another hook of the bridge than the rest.

    Unchecked, their source would be learnt all the same.
    """
    net = host.network(bridge(host.data, "10.1.0.0/24", macspoofchk=True))
    attacker, victim = host.container("c1"), host.container("c2")
    net.add(attacker)
    result = net.add(victim)
    listener = listener_of(victim)
    with sender(attacker) as raw, listener:
        destination, rest = KINDS[kind]
        raw.send(destination + FORGED + rest)
        own = bytes.fromhex(result["interfaces"][2]["mac"].replace(":", ""))
        raw.send(destination + own + rest)  # the victim's address: its traffic would go to the attacker
        time.sleep(0.05)
        assert heard(listener) == []
    assert not learnt(host)
    assert attacker_has(host, result["interfaces"][2]["mac"], host.veth("net/c1/eth0")) == []


def attacker_has(host: Host, mac: str, port: str) -> list[str]:
    return [
        line for line in host.run("bridge fdb show").splitlines() if line.startswith(mac) and port in line
    ]


@pytest.mark.parametrize("subnets", [("10.1.0.0/24",), ("10.1.0.0/24", "fd01::/64"), ()], ids=str)
def test_none_passes_while_the_attachment_comes_and_goes(host: Host, subnets: tuple[str, ...]) -> None:
    """ADD, DEL and GC under a flood from inside: the check stands before the port does and falls after it."""
    net = host.network(bridge(host.data, *subnets, macspoofchk=True) if subnets else bridge(macspoofchk=True))
    victim, attacker = host.container("c0"), host.container("c1")
    net.add(victim)
    stop, sent = threading.Event(), [0]

    def flood() -> None:
        frame = BROADCAST + FORGED + b"\x22\xf0" + bytes(46)
        while not stop.is_set():
            try:
                with sender(attacker) as raw:
                    while not stop.is_set():
                        raw.send(frame)
                        sent[0] += 1
            except OSError:  # eth0 is not there, or down
                continue

    thread = threading.Thread(target=flood)
    with listener_of(victim) as listener:
        thread.start()
        try:
            for number in range(12):
                net.add(attacker)
                net.delete(attacker) if number % 2 else net.gc(victim)
                assert not learnt(host)
        finally:
            stop.set()
            thread.join()
        assert sent[0] > 100
        assert heard(listener) == []
