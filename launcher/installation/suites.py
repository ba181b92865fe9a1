"""Whose an executable is, by what it says of itself when it is started without a command."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

OURS, REFERENCE, UNKNOWN = "cniwire", "CNI reference plugins", "unknown"
REFERENCES = (
    *("bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback"),
    *("macvlan", "portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf"),
)
ABOUT = re.compile(r"CNI (\S+) plugin (?:version )?(\S+)")
MARK = "+cniwire."  # in our version, behind the release of the reference that it follows
ANSWER_S = 5  # how long an executable may take to say what it is
LONGEST = 80  # characters that are quoted of somebody unknown


@dataclass(frozen=True)
class Origin:
    """Whose an executable is. version: "" where it tells none. says: the first line of somebody unknown."""

    suite: str
    version: str = ""
    says: str = ""

    def __str__(self) -> str:
        return f"{self.suite} {self.version}".rstrip()


def origin(executable: Path) -> Origin:
    """Start *executable* without any variable, and read what it says; every suite prints its version then."""
    try:
        done = subprocess.run(
            [executable], env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S
        )
    except subprocess.TimeoutExpired:
        return Origin(UNKNOWN, says=f"it says nothing for {ANSWER_S} s")
    except OSError as error:
        return Origin(UNKNOWN, says=f"cannot be executed: {error.strerror}")
    return told((done.stderr + done.stdout).decode(errors="replace"))


def told(text: str) -> Origin:
    """The suite that prints *text*. Versions that are no number, such as Debian's "unknown", are left out."""
    first = (text.strip().splitlines() or [""])[0]
    found = ABOUT.match(first)
    if not found:
        return Origin(UNKNOWN, says=first[:LONGEST])
    name, version = found.groups()
    if MARK in version:
        return Origin(OURS, version.partition(MARK)[2])
    if name in REFERENCES:
        return Origin(REFERENCE, version if any(map(str.isdigit, version)) else "")
    return Origin(UNKNOWN, says=first[:LONGEST])
