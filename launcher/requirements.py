"""What the kernel of this node lacks that the plugins need."""

import os
import re
from errno import EAFNOSUPPORT, EINVAL, EOPNOTSUPP, EPROTONOSUPPORT

from core.netlink.message import Message
from core.nft import values as nft
from launcher.packet_filter import netfilter

OLDEST = (5, 4)
ABSENT = (EAFNOSUPPORT, EINVAL, EOPNOTSUPP, EPROTONOSUPPORT)  # the kernel knows no netfilter, or no nftables
MODULES = {  # what each is for
    "bridge": "bridges",
    "veth": "veth pairs",
    "nf_nat": "masquerade and published ports",
    "sch_tbf": "bandwidth",
    "ifb": "bandwidth",
}
FOLDERS = ("/lib/modules", "/usr/lib/modules")


def missing() -> list[str]:
    """One line for each thing that is missing; what cannot be told counts as there."""
    release = os.uname().release
    found = []
    if version(release) < OLDEST:
        found.append(f"the kernel is Linux {release}: want {'.'.join(map(str, OLDEST))} or newer")
    if not has_nftables():
        found.append(f"the kernel (Linux {release}) has no nftables: published ports and masquerade need it")
    lacked = [name for name in MODULES if not has_module(name, release)]
    if lacked:
        used = dict.fromkeys(MODULES[name] for name in lacked)
        found.append(f"no kernel module {', '.join(lacked)} for Linux {release}: {', '.join(used)} need it")
    return found


def version(release: str) -> tuple[int, ...]:
    """The two numbers that a kernel's release begins with; (0, 0) without."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def has_nftables() -> bool:
    """Whether the kernel answers; true where we may not ask."""
    try:
        with netfilter() as reader:
            reader.ask(Message(nft.NFT_MSG_GETGEN, 0, nft.head()))
    except OSError as error:
        return error.errno not in ABSENT
    return True


def has_module(name: str, release: str) -> bool:
    """Whether a module is loaded, built in or can be loaded; true where there are no lists of modules."""
    if os.path.isdir(f"/sys/module/{name}"):
        return True
    told = False
    for path in (f"{folder}/{release}/modules.{kind}" for folder in FOLDERS for kind in ("dep", "builtin")):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if re.search(rf"/{name}\.ko\b", file.read()):
                    return True
        except OSError:
            continue
        told = told or path.endswith(".dep")
    return not told
