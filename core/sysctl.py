"""Kernel settings below /proc/sys, addressed by their slash form because interface names contain dots."""

from __future__ import annotations

import os

ROOT = "/proc/sys/"


def read(key: str) -> str:
    """The value of "net/ipv4/ip_forward", without white space around it. Raises OSError."""
    descriptor = os.open(ROOT + key, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)


def write(key: str, value: str) -> None:
    """Set a value. Raises OSError."""
    descriptor = os.open(ROOT + key, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
