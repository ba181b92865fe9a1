"""Values as nft puts them on the wire: big-endian numbers, plain data and verdicts. linux/netfilter/nf_tables.h. Pure."""

from __future__ import annotations

from core.netlink.message import attribute, pack, string

JUMP = -3  # NFT_JUMP


def u32(kind: int, value: int) -> bytes:
    """An attribute with a big-endian integer."""
    return pack("=HH", 8, kind) + pack(">I", value & 0xFFFFFFFF)


def value(kind: int, data: bytes) -> bytes:
    """A data attribute holding a plain value."""
    return attribute(kind, attribute(1, data))


def verdict(kind: int, code: int, chain: str = "") -> bytes:
    """A data attribute holding a verdict."""
    return attribute(kind, attribute(2, u32(1, code) + (string(2, chain) if chain else b"")))
