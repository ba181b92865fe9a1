"""What a new container tells its neighbours, taken apart by hand; and the conntrack requests, by pyroute2's names."""

import socket
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from core import announce, conntrack
from core.address import parse
from core.message import Message, attribute, attributes, nest, pack
from tests.harness.oracle import read

MAC = bytes.fromhex("020000000001")
macs = st.binary(min_size=6, max_size=6)


@given(macs, st.binary(min_size=4, max_size=4))
def test_a_gratuitous_arp_is_a_request_for_oneself(mac: bytes, address: bytes) -> None:
    """B-70: RFC 5227: sender and target are the same address, the target's MAC is nobody's."""
    fields = struct.unpack("!HHBBH6s4s6s4s", announce.arp_announcement(mac, address))
    assert fields == (1, 0x0800, 6, 4, 1, mac, address, bytes(6), address)


@given(macs, st.binary(min_size=16, max_size=16))
def test_an_unsolicited_advertisement_is_for_all_nodes(mac: bytes, address: bytes) -> None:
    """B-70: RFC 4861 4.4: hop limit 255, override set, the target's link-layer address behind it, the checksum right."""
    packet = announce.advertisement(mac, address)
    first, length, next_header, hop_limit, source, destination = struct.unpack_from("!IHBB16s16s", packet)
    body = packet[40:]
    assert (first >> 28, first & 0xFFFFFFF, length, next_header, hop_limit) == (6, 0, len(body), 58, 255)
    assert (source, destination) == (address, socket.inet_pton(socket.AF_INET6, "ff02::1"))
    kind, code, _, flags, target, option, words, link_address = struct.unpack("!BBHI16sBB6s", body)
    assert (kind, code, flags, target, option, words, link_address) == (136, 0, 0x20000000, address, 2, 1, mac)
    pseudo = source + destination + struct.pack("!II", len(body), 58)
    assert ones_complement_sum(pseudo + body) == 0xFFFF


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes: 0xFFFF where the checksum in them is right."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def test_each_address_has_its_own_packet() -> None:
    """To the broadcast address for IPv4, to all nodes for IPv6, out of the container's interface."""
    sent: list[Any] = []

    class Packets:
        def sendto(self, data: bytes, to: Any) -> None:
            sent.append((len(data), to))

    announce.announce(Packets(), "eth0", MAC, [parse("10.1.0.2"), parse("fd01::2")])  # type: ignore[arg-type]
    assert sent == [(28, ("eth0", 0x0806, 0, 1, b"\xff" * 6)), (72, ("eth0", 0x86DD, 0, 1, bytes.fromhex("333300000001")))]


def flow(port: int, protocol: int = 17, zone: bool = False) -> bytes:
    """A conntrack entry as the kernel lists it: addresses and ports of both directions, an id."""
    addresses = nest(1, attribute(1, parse("10.1.0.9")), attribute(2, parse("192.0.2.1")))
    ports = nest(2, attribute(1, bytes([protocol])), attribute(2, pack(">H", 40000)), attribute(3, pack(">H", port)))
    reply = nest(2, addresses, ports)
    return pack(">BBH", 2, 0, 0) + nest(1, addresses, ports) + reply + (attribute(18, b"\0\7") if zone else b"") + attribute(12, b"\1\2\3\4")


def test_a_flow_is_known_by_protocol_and_original_port() -> None:
    """P-36"""
    assert conntrack._target(attributes(flow(53), 4)) == (17, 53)
    assert conntrack._target(attributes(flow(80, 6), 4)) == (6, 80)
    assert conntrack._target({}) == (0, 0)


def test_a_flow_is_deleted_by_its_whole_tuple_and_id() -> None:
    """P-36: so that one which has taken its place meanwhile stays; with its zone, where it has one."""
    found = attributes(flow(53), 4)
    assert attributes(conntrack._identity(found)) == {1: found[1], 12: b"\1\2\3\4"}
    assert set(attributes(conntrack._identity(attributes(flow(53, zone=True), 4)))) == {1, 12, 18}


def test_the_kernels_filter() -> None:
    """P-49: UDP, and the port where there is one only; flags name what of the original tuple counts."""
    head = pack(">BBH", conntrack.FAMILIES[4], 0, 0)
    assert read(Message(conntrack.GET, 0, head + conntrack._filter({53})), nfct_msg) == {
        "nfgen_family": 2,
        "CTA_TUPLE_ORIG": {"CTA_TUPLE_PROTO": {"CTA_PROTO_NUM": 17, "CTA_PROTO_DST_PORT": 53}},
        "CTA_FILTER": {"CTA_FILTER_ORIG_FLAGS": 1 << 3 | 1 << 5, "CTA_FILTER_REPLY_FLAGS": 0},
    }
    one, many = attributes(conntrack._filter({53})), attributes(conntrack._filter({53, 54}))
    assert attributes(attributes(one[1])[2]) == {1: b"\x11", 3: b"\0\x35"}
    assert attributes(one[25]) == {1: pack("=I", 1 << 3 | 1 << 5), 2: bytes(4)}
    assert attributes(attributes(many[1])[2]) == {1: b"\x11"}
    assert attributes(many[25]) == {1: pack("=I", 1 << 3), 2: bytes(4)}


@given(st.binary(max_size=200))
def test_whatever_bytes_come_a_flow_is_decoded_to_something(payload: bytes) -> None:
    protocol, port = conntrack._target(attributes(payload, 4))
    assert protocol >= 0
    assert port >= 0
