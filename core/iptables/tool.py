"""The programs iptables-save and iptables-restore, and those of ip6tables: one run reads, one run writes.

For every table, whoever asks: save() is all chains with their rules, restore() carries out commands, of one
table all or none of them, and waits for the lock of iptables no longer than the verb may last.
Whether the program of that name is iptables-legacy or iptables-nft is the host's choice; a variant can be
asked for.

Law: restore() never flushes what it does not name (--noflush), and makes chains by -N, which is refused where
there is one. So whoever decided by what is out of date is refused, and looks again.
"""

from __future__ import annotations

from errno import EAGAIN, EBUSY, EIO, ENOENT

from core import deadline, system
from core.cni.process import run
from core.iptables.text import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.iptables.text import Saved

PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
LEGACY = "-legacy"
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_S = 60  # for one run, where the verb has no budget
MARGIN_S = 1  # of that, in which the program can still say that the lock is held
MOST_BYTES = 1 << 28  # of a rule set; kube-proxy writes some 10 MB on a large node
LOCKED, BUSY = b"xtables lock", b"temporarily unavailable"  # how the program says what a retry may cure
COMPLAINT_BYTES = 500


def program(family: str, does: str, variant: str = "") -> str:
    """The path of iptables-save or iptables-restore of a family, "" for none.

    does: "save" or "restore". variant: LEGACY, where the usual name may stand for another one; a host that
    has only one variant may not have its longer name.
    """
    path = system.environment().get("PATH") or USUAL_PATH
    names = [f"{PROGRAMS[family]}{each}-{does}" for each in dict.fromkeys([variant, ""])]
    found = [system.first_file(path.split(":"), name) for name in names]
    return next(filter(None, found), "")


def save(family: str, variant: str = "") -> Saved:
    """All tables that are there. Raises OSError, FileNotFoundError where there is no program."""
    printed = _run(family, "save", variant, [], b"").decode(errors="surrogateescape")
    try:
        return tables(printed)
    except ValueError as error:
        raise OSError(EIO, f"{PROGRAMS[family]}-save did not print all: {error}") from None


def restore(family: str, commands: Mapping[str, list[str]], variant: str = "") -> None:
    """Carry out commands (`-A CHAIN RULE`) on tables; those on one as a whole or not at all.

    Raises OSError, EBUSY where the lock is held.
    """
    lines = [line for table, each in commands.items() if each for line in (f"*{table}", *each, "COMMIT")]
    text = "".join([f"{line}\n" for line in lines])
    wait_s = max(1, int(deadline.left(LONGEST_S)) - MARGIN_S)
    arguments = ["--noflush", "-w", str(wait_s)]
    _run(family, "restore", variant, arguments, text.encode(errors="surrogateescape"))


def _run(family: str, does: str, variant: str, arguments: list[str], stdin: bytes) -> bytes:
    name = f"{PROGRAMS[family]}-{does}"
    path = program(family, does, variant)
    if not path:
        raise OSError(ENOENT, f"there is no {name} in PATH")
    environ = {key: value for key, value in system.environment().items() if key.startswith("XTABLES_")}
    environ["PATH"] = USUAL_PATH  # for the modprobe that it may need
    try:
        status, printed, told = run(
            [path, *arguments], environ, stdin, deadline.left(LONGEST_S) or MARGIN_S, MOST_BYTES
        )
    except TimeoutError as late:
        raise OSError(EBUSY, f"{name} {late}") from None
    if status:
        complaint = " ".join(told[:COMPLAINT_BYTES].decode(errors="replace").split())
        number = EBUSY if LOCKED in told else EAGAIN if BUSY in told else EIO
        raise OSError(number, f"{name}: {complaint or f'exit status {status}'}")
    return printed
