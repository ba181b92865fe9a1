"""Make the image of a started interpreter: the executable, with its memory as two seeds agree on it.

Law: nothing of the run in which an image was made is in it. So the seed (image.c) runs twice, under
circumstances that differ in all that a process can be given, and the two images are compared. Where they
differ is libc's own, which it sets at each start, and becomes nothing; anything else refuses the build.
"""

import os
import resource
import shutil
import signal
import struct
import subprocess
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bundle.static.source import Refused

SEED = "cniwire-seed"
# musl's own variables, which its start sets before main(): process ID, stack guard, addresses on the stack.
SET_BY_LIBC = (
    *("__environ", "__hwcap", "__libc", "__stack_chk_guard", "__sysinfo", "builtin_tls"),
    *("program_invocation_name", "program_invocation_short_name"),
)
# Of these even what two seeds agree on, since another machine would not.
THE_MACHINES = ("__hwcap", "__sysinfo")
WORD = 8
PT_LOAD, PF_W = 1, 2  # elf(5)
HEADER, SEGMENT = struct.Struct("<32xQQ6xHH6x"), struct.Struct("<IIQQQQQQ")
FOREIGN = {
    "LC_ALL": "de_DE.UTF-8",
    "TZ": "Asia/Tokyo",
    "PYTHONHASHSEED": "1",
    "CNI_COMMAND": "ADD",
    "A": "=" * 999,
}


class Data(NamedTuple):
    """The segment that is written to, of an executable: where it is in the file and in memory, in bytes."""

    offset: int
    address: int


class Circumstances(NamedTuple):
    """What one seed is given.

    folder: where its executable lies. disturbed: whether signals, limits and umask differ from the usual.
    """

    folder: Path
    variables: dict[str, str]
    arguments: tuple[str, ...]
    working: str
    disturbed: bool


def data_of(image: bytes) -> Data:
    """Where the data of an executable is. Raises Refused."""
    first, _, size, count = HEADER.unpack_from(image)
    for number in range(count):
        kind, flags, offset, address, *_ = SEGMENT.unpack_from(image, first + number * size)
        if kind == PT_LOAD and flags & PF_W:
            return Data(offset, address)
    raise Refused("the executable has no segment that is written to")


def usual(folder: Path) -> Circumstances:
    return Circumstances(folder, {}, (), "/", disturbed=False)


def _disturb() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o77)
    os.nice(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 22, 1 << 22))
    os.dup2(os.open("/dev/null", os.O_RDONLY), 40)


def sown(started: Path, given: Circumstances) -> bytes:
    """The image of a seed that runs under these circumstances, in its folder. Raises Refused."""
    given.folder.mkdir(parents=True)
    executable, target = given.folder / started.name, given.folder / "image"
    shutil.copy(started, executable)
    done = subprocess.run(
        [SEED, target, *given.arguments],
        executable=executable,
        env=given.variables,
        cwd=given.working,
        capture_output=True,
        close_fds=not given.disturbed,
        preexec_fn=_disturb if given.disturbed else None,
    )
    if done.returncode:
        raise Refused(f"the seed ends with {done.returncode}: {(done.stdout + done.stderr).decode()[-1000:]}")
    return target.read_bytes()


def symbols(started: Path) -> list[tuple[int, int, str]]:
    """Address, size and name of each variable of an executable, by address. Raises CalledProcessError."""
    listed = subprocess.run(["nm", "-P", started], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    found = [(int(row[2], 16), int(row[3], 16) if row[3:] else 0, row[0]) for row in rows if row[2:]]
    return sorted(each for each in found if each[0])


def differences(one: bytes, other: bytes) -> Iterator[int]:
    """The offsets of words in which two images differ. Raises Refused where their sizes do."""
    if len(one) != len(other):
        raise Refused(f"two seeds leave images of {len(one)} and {len(other)} bytes")
    for page in range(0, len(one), 4096):
        if one[page : page + 4096] != other[page : page + 4096]:
            words = range(page, min(page + 4096, len(one)), WORD)
            yield from (at for at in words if one[at : at + WORD] != other[at : at + WORD])


def agreed(one: bytes, other: bytes, known: list[tuple[int, int, str]]) -> bytes:
    """What two images agree on. Raises Refused for what belongs to a run and is not libc's own."""
    data, result = data_of(one), bytearray(one)
    starts = [address for address, _, _ in known]
    for at in differences(one, other):
        address = at - data.offset + data.address
        begin, size, name = known[max(0, bisect(starts, address) - 1)]
        inside = at >= data.offset and begin <= address < begin + size
        if not inside or name not in SET_BY_LIBC:
            where = f"{name} + {address - begin}" if inside else f"the address {address:#x}"
            raise Refused(f"something of the run is in the image: two seeds differ at {where}")
        result[at : at + WORD] = bytes(WORD)
    for begin, size, name in known:
        if name in THE_MACHINES:
            at = begin - data.address + data.offset
            result[at : at + size] = bytes(size)
    return bytes(result)


def make(started: Path, target: Path, folder: Path) -> None:
    """Write the image of an executable that can start; *folder* is scratch. Raises Refused."""
    shutil.rmtree(folder, ignore_errors=True)
    other = Circumstances(folder / "another" / "folder", FOREIGN, ("further",), str(folder), disturbed=True)
    image = agreed(sown(started, usual(folder / "one")), sown(started, other), symbols(started))
    target.write_bytes(image)
    target.chmod(0o755)
    shutil.rmtree(folder)
