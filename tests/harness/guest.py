"""Plays a virtual machine: carries frames between a tap device and a cable that leads to a namespace.

    python -m tests.harness.guest TAP CABLE

The kernel at the cable's other end is then the machine. Its frames need checksums, as a cable's do not:
`checksums(name)` has the sender of the cable make them.
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x00000017
ETH_P_ALL = 0x0003
LONGEST = 65535


def tap(name: str) -> int:
    """The machine's side of a tap device that is there."""
    handle = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return handle


def checksums(name: str) -> None:
    """Have the link's own kernel compute the checksums of what it sends."""
    import ctypes  # only here

    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, SIOCETHTOOL, struct.pack("16sQ16x", name.encode(), ctypes.addressof(value)))


def main(tap_name: str, cable_name: str) -> None:
    """Carry until killed. Frames that the cable itself sent are not carried back."""
    machine = tap(tap_name)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as cable:
        cable.bind((cable_name, ETH_P_ALL))
        while True:
            ready, _, _ = select.select([machine, cable.fileno()], [], [])
            if machine in ready:
                cable.send(os.read(machine, LONGEST))
            if cable.fileno() in ready:
                frame, sender = cable.recvfrom(LONGEST)
                if sender[2] != socket.PACKET_OUTGOING:
                    os.write(machine, frame)


if __name__ == "__main__":
    checksums(sys.argv[2]) if len(sys.argv) == 2 else main(sys.argv[1], sys.argv[2])
