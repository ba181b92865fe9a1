"""Kernel settings below /proc/sys, addressed by their slash form because interface names contain dots."""

from __future__ import annotations

from core import system

ROOT = "/proc/sys/"
OUT_OF_REACH = (1, 2, 13, 30)  # EPERM, EACCES, EROFS: not ours to set; ENOENT: there is no IPv6


def read(key: str) -> str:
    """The value of "net/ipv4/ip_forward", without white space around it. Raises OSError."""
    descriptor = system.open(ROOT + key, system.O_RDONLY | system.O_CLOEXEC)
    try:
        return system.read(descriptor, 4096).decode("ascii", "replace").strip()
    finally:
        system.close(descriptor)


def value(key: str) -> str:
    """As read, "" where it cannot be read."""
    try:
        return read(key)
    except OSError:
        return ""


def may_write(key: str) -> bool:
    """Whether a setting is there and can be written: /proc/sys may be read-only."""
    return system.access(ROOT + key, system.W_OK)


def write(key: str, value: str) -> None:
    """Set a value. Raises OSError."""
    descriptor = system.open(ROOT + key, system.O_WRONLY | system.O_CLOEXEC)
    try:
        system.write(descriptor, value.encode())
    finally:
        system.close(descriptor)
