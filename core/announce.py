"""Telling the neighbours of a new container where its addresses are now.

A gratuitous ARP (RFC 5227 announcement) and an unsolicited neighbour advertisement (RFC 4861, 7.2.6) leave from the
container once its port forwards; the kernel's own, sent at link-up, leave too early.
"""

from __future__ import annotations

from core.message import pack

try:
    from _socket import AF_PACKET, SOCK_CLOEXEC, SOCK_DGRAM, socket
except ImportError:  # another Python: the public module has the same names
    from socket import AF_PACKET, SOCK_CLOEXEC, SOCK_DGRAM, socket  # type: ignore[assignment]

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
BROADCAST = b"\xff" * 6
ALL_NODES = b"\xff\x02" + bytes(13) + b"\x01"
ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
ICMPV6, NEIGHBOUR_ADVERTISEMENT, OVERRIDE, TARGET_LINK_ADDRESS = 58, 136, 0x20000000, 2


def open_socket() -> socket:
    """A packet socket in the current namespace. Raises OSError."""
    return socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)


def announce(packets: socket, ifname: str, mac: bytes, addresses: list[bytes]) -> None:
    """Send one announcement for each packed address. Raises OSError."""
    for address in addresses:
        if len(address) == 4:
            packets.sendto(arp_announcement(mac, address), (ifname, ETH_P_ARP, 0, 1, BROADCAST))
        else:
            packets.sendto(advertisement(mac, address), (ifname, ETH_P_IPV6, 0, 1, ALL_NODES_MAC))


def arp_announcement(mac: bytes, address: bytes) -> bytes:
    """An ARP request in which sender and target are *address*."""
    return pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + address


def advertisement(mac: bytes, address: bytes) -> bytes:
    """An IPv6 packet to all nodes: *address* is at *mac*, forget what you knew."""
    option = bytes([TARGET_LINK_ADDRESS, 1]) + mac
    message = pack(">BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, OVERRIDE) + address + option
    pseudo = address + ALL_NODES + pack(">II", len(message), ICMPV6)
    message = message[:2] + _checksum(pseudo + message) + message[4:]
    return pack(">IHBB", 6 << 28, len(message), ICMPV6, 255) + address + ALL_NODES + message


def _checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum([data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)])
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16) ^ 0xFFFF).to_bytes(2, "big")
