"""host-local as `make fuzz` calls it: in a directory that others have spoiled.

They are crashes, other programs and administrators.
"""

import json
import os
from pathlib import Path
from typing import Any

from core.cni.protocol import respond
from ipam import host_local
from tests.torture.fuzz.inputs import Inputs
from tests.torture.fuzz.scratch import Bench, Broken, judge

COMMANDS = ("ADD", "ADD", "ADD", "CHECK", "DEL", "GC", "STATUS")
RANGES = [[{"subnet": "10.1.0.0/28"}], [{"subnet": "fd01::/125"}]]
CONFIG = {
    "name": "net",
    "cniVersion": "1.1.0",
    "type": "x",
    "ipam": {"dataDir": "networks", "ranges": RANGES},
}
OWNERS = (
    *(b"c0\r\neth0", b"c1\r\neth0", b"c1\r\neth1", b"c2", b"c1\r\neth0\n", b"", b"\0" * 9, b"#keep"),
    *(b"c1\r\n", b"\r\neth0"),
)
FILES = (
    *("10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.14", "fd01::2", "fd01::3", "fd01::7", ".new"),
    *("10.01.0.2", "fd01::0002", "rubbish", "10.1.0.99"),
)
HINTS = (b"10.1.0.2", b"10.1.0.14", b"fd01::7", b"", b"::", b"10.9.9.9", b"rubbish")


def files(bench: Bench, inputs: Inputs) -> None:
    """host-local in a directory with spoiled files: nobody's address is given away or lost."""
    folder = bench.data / "net"
    bench.reset()
    mess(folder, inputs)
    before = bench.read_files()
    container_id, ifname = inputs.one(("c0", "c1", "c2")), inputs.one(("eth0", "eth1"))
    command = inputs.one(COMMANDS)
    config: dict[str, Any] = dict(CONFIG)
    if command == "GC":
        config["cni.dev/valid-attachments"] = [{"containerID": "c0", "ifname": "eth0"}]
    identity = {"CNI_CONTAINERID": container_id, "CNI_IFNAME": ifname, "CNI_NETNS": "/netns/x"}
    variables = {"CNI_COMMAND": command, "CNI_PATH": "/x", **identity}
    answer = respond(host_local, variables, lambda: json.dumps(config).encode())
    document = judge(command, answer)
    after = bench.read_files()
    mine = (f"{container_id}\r\n{ifname}".encode(), container_id.encode())
    for path in before.keys() - after.keys():
        if not may_remove(command, path, before[path].strip(), mine):
            raise Broken(f"{command} removed {path} with {before[path]!r}: {answer}")
    changed = [path for path in after if before.get(path) != after[path] and "last_reserved" not in path]
    given = document["ips"] if command == "ADD" and not answer[0] else []
    wanted = [str(folder / ip["address"].partition("/")[0]) for ip in given]
    if sorted(changed) != sorted(wanted) or any(after[path] != mine[0] for path in wanted):
        raise Broken(f"{command} wrote {changed}, its answer is {answer}")


def may_remove(command: str, path: str, content: bytes, mine: tuple[bytes, bytes]) -> bool:
    """Whether a command may remove a file with this *content*; *mine*: what files of the attachment say."""
    if os.path.basename(path) == ".new" or not content.strip(b"\0 \r\n\t"):
        return True
    return command == "DEL" and content in mine or command == "GC" and content not in (b"c0\r\neth0", b"c0")


def mess(folder: Path, inputs: Inputs) -> None:
    """What crashes, other programs and administrators leave in a directory of reservations."""
    many = inputs.chance(0.05)
    names = [f"10.1.0.{host}" for host in range(2, 15)]
    for name in names if many else [inputs.one(FILES) for _ in inputs.some(5)]:
        (folder / name).write_bytes(inputs.one(OWNERS) if inputs.chance(0.9) else inputs.blob())
    for number in (0, 1):
        if inputs.chance(0.3):
            last = inputs.one(HINTS) if inputs.chance(0.9) else inputs.blob()
            (folder / f"last_reserved_ip.{number}").write_bytes(last)
    index = folder / ".index"
    if inputs.chance(0.5) and index.exists():
        stamps = index.stat().st_mtime_ns, folder.stat().st_mtime_ns
        data = index.read_bytes()
        cut = 64 if inputs.chance(0.5) else 0  # the body alone: the header says that all is well
        index.write_bytes(data[:cut] + (inputs.torn(data[cut:]) if inputs.chance(0.8) else inputs.blob(200)))
        if inputs.chance(0.9):  # and so do the times
            os.utime(index, ns=(stamps[0], stamps[0]))
            os.utime(folder, ns=(stamps[1], stamps[1]))
