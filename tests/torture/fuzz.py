"""`make fuzz`: random environments, configurations, results, files and netlink replies, in process; a million in the long form.

Whatever comes in: no exception, one JSON document or none, an error exactly when the exit code says so,
an error that was foreseen, and after an error nothing has changed. An input is known by target and number and
can be had again: `--target files --first 4711 --inputs 1`.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from core.cni import delegate
from core.cni.protocol import respond
from core.nft.names import Chain, Map, Table
from core.plan.records import (
    HOST,
    Bridge,
    Gateway,
    NoAdvertisements,
    PortVlans,
    Promiscuous,
    Sysctl,
    Up,
    VlanGateway,
)
from ipam import host_local
from launcher import lab
from plugins import bridge, portmap
from tests.harness.fake_kernel import World
from tests.harness.requests import BIN, SIBLINGS
from tests.torture import decoders
from tests.torture.inputs import Inputs
from tests.torture.wire import Recorder, Wire, Wired

MS_RDONLY, MS_REMOUNT = 1, 32
PLUGINS: dict[str, Any] = {"bridge": bridge, "portmap": portmap, "host-local": host_local}
VERBS = ("ADD", "ADD", "ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION")
# Stays after a failed ADD: others may use it by now
SHARED = (Bridge, Gateway, NoAdvertisements, Promiscuous, PortVlans, VlanGateway, Table)
HIDDEN = ("lock", ".index")
GOING_ON = ("DEL", "GC")  # they do what they can, and then report
UNFORESEEN = 999
LONG, SHORT = 1_000_000, 5_000
LONGEST_S = 20  # that one input may take
Target = Callable[["Bench", Inputs], None]
Answer = tuple[int, bytes]


class Broken(AssertionError):
    """An answer that breaks a law."""


class Bench:
    """A scratch directory, and a fake world in which c0 is attached, to begin every input with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "networks"
        self.data.mkdir(parents=True)
        os.chdir(folder)
        sys._cniwire_executable = str(BIN / "bridge")  # type: ignore[attr-defined]
        self.config = {"name": "net", "cniVersion": "1.1.0", **self.chain("10.1.0.0/24")}
        self.ports = {
            "name": "net",
            "cniVersion": "1.1.0",
            "type": "portmap",
            "runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 80}]},
        }
        self.world = World()
        self.result = self.good(bridge, self.config)
        self.good(portmap, {**self.ports, "prevResult": self.result})
        self.base = (self.world.records, self.world.links, self.world.pairs)
        self.files = self.read_files()
        self.payloads: dict[tuple[int, int], list[bytes]] = {}

    def chain(self, subnet: str) -> dict[str, Any]:
        ipam = {"type": "host-local", "dataDir": "networks", "ranges": [[{"subnet": subnet}]]}
        return {
            "type": "bridge",
            "bridge": "br0",
            "isGateway": True,
            "ipMasq": True,
            "macspoofchk": True,
            "ipam": ipam,
        }

    def good(self, plugin: Any, config: dict[str, Any]) -> Any:
        variables = {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": "c0",
            "CNI_NETNS": "/netns/c0",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(BIN),
        }
        code, output = respond(
            plugin, variables, lambda: json.dumps(config).encode(), SIBLINGS, self.world.kernel
        )
        assert code == 0, output
        return json.loads(output)

    def read_files(self) -> dict[str, bytes]:
        """Every file of host-local with its content, but for the lock and the index."""
        found = {}
        for folder in os.listdir(self.data):
            for name in os.listdir(self.data / folder):
                if name not in HIDDEN:
                    path = f"{self.data}/{folder}/{name}"
                    with open(path, "rb") as file:
                        found[path] = file.read()
        return found

    def reset(self) -> None:
        """The world and the files as in the beginning."""
        self.world.records, self.world.links, self.world.pairs = (dict(part) for part in self.base)
        found = self.read_files()
        if found != self.files:
            for path in found.keys() - self.files.keys():
                os.unlink(path)
            for other in set(os.listdir(self.data)) - {"net"}:
                shutil.rmtree(self.data / other)
            for path, content in self.files.items():
                if found.get(path) != content:
                    Path(path).write_bytes(content)

    def state(self) -> object:
        """All that an attachment owns."""
        # A hint
        files = {name: content for name, content in self.read_files().items() if "last_reserved" not in name}
        return (
            {key: record for key, record in self.world.records.items() if not is_shared(record)},
            self.owned_links(),
            files,
        )

    def owned_links(self) -> list[tuple[str, str]]:
        return sorted(where for where, link in self.world.links.items() if link.alias or where[0] != HOST)


def is_shared(record: object) -> bool:
    if isinstance(record, (Up, Sysctl)):
        return record.place == HOST or "/lo/" in getattr(record, "key", "")
    return isinstance(record, (*SHARED, Map, Chain))


def judge(command: str, answer: Answer, allowed: tuple[str, ...] = ()) -> Any:
    """Hold an answer to the protocol; the document, None if there is none. Raises Broken.

    allowed: what the message of code 999 may begin with.
    """
    code, output = answer
    document: Any
    try:
        document = json.loads(output) if output else None
    except ValueError as error:
        raise Broken(f"no JSON document: {error}: {output[:200]!r}") from None
    if code not in (0, 1) or not output.isascii():
        raise Broken(f"exit code {code}, output {output[:200]!r}")
    if code:
        if not is_error(document):
            raise Broken(f"no error object: {output[:200]!r}")
        if document["code"] == UNFORESEEN and not document["msg"].startswith(allowed):
            raise Broken(f"unforeseen: {document['msg']}")
    elif document is not None and (command not in ("ADD", "VERSION") or is_error(document)):
        raise Broken(f"success with {output[:200]!r}")
    return document


def is_error(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and type(document.get("code")) is int
        and document["code"] > 0
        and isinstance(document.get("msg"), str)
    )


# -- the targets -----------------------------------------------------------------------------------


def protocol(bench: Bench, inputs: Inputs) -> None:
    """A plugin with a spoiled configuration, result and environment, on a fake kernel."""
    kind = inputs.one(tuple(PLUGINS))
    command = inputs.one(VERBS) if inputs.chance(0.98) else inputs.text()
    config = inputs.config("networks", kind)
    if command in ("CHECK", "DEL") or kind == "portmap" or inputs.chance(0.05):
        config["prevResult"] = bench.result
    if command == "GC":
        config["cni.dev/valid-attachments"] = [
            {"containerID": inputs.one(("c0", "c1")), "ifname": "eth0"} for _ in inputs.some(2)
        ]
    config = inputs.spoiled(config, inputs.one((0, 0, 1, 1, 2, 4)))
    stdin = inputs.document(config)
    environ = inputs.environ(command, str(BIN))
    bench.reset()
    before = bench.state()
    answer = respond(PLUGINS[kind], environ, lambda: stdin, SIBLINGS, bench.world.kernel)
    judge(environ.get("CNI_COMMAND", ""), answer)
    if (
        answer[0] and command not in GOING_ON or command in ("CHECK", "STATUS", "VERSION")
    ) and bench.state() != before:
        raise Broken(f"{command} ended with {answer[1][:200]!r} and changed the state")


def delegation(bench: Bench, inputs: Inputs) -> None:
    """bridge with an IPAM plugin that prints anything and ends anyhow."""
    command = inputs.one(VERBS[:-1])
    config = {
        **bench.config,
        "cniVersion": inputs.one(("1.1.0", "1.0.0", "0.4.0", "0.3.1", "0.2.0", "")),
        "ipam": {"type": "fake"},
    }
    address = {
        "address": inputs.one(("10.1.0.7/24", "fd01::7/64")),
        "gateway": inputs.one(("10.1.0.1", "fd01::1")),
    }
    route = {"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1400, "table": 7}
    usual: dict[str, Any] = {
        "cniVersion": inputs.one(("1.1.0", "0.4.0", "0.2.0", "")),
        "ips": [address],
        "routes": [route],
        "dns": {"domain": "x"},
    }
    older: dict[str, Any] = {
        "ip4": {"ip": "10.1.0.7/24", "gateway": "10.1.0.1", "routes": [{"dst": "10.0.0.0/8"}]},
        "ip6": {"ip": "fd01::7/64"},
    }
    error: dict[str, Any] = {
        "code": inputs.one((0, 1, 11, 103, 999, -1, 2**40)),
        "msg": inputs.text(),
        "details": inputs.text(),
    }
    outputs = [
        inputs.document(inputs.spoiled(inputs.one((usual, usual, older, error)), inputs.below(4)))
        for _ in range(2)
    ]
    codes = [inputs.one((0, 0, 0, 1, -9, 255)) for _ in range(2)]
    bench.reset()
    before = bench.state()
    before_call = delegate._executed, delegate.find
    delegate._executed = lambda *_: (codes.pop(), outputs.pop(), inputs.blob(4)) if codes else (0, b"", b"")
    delegate.find = lambda *_: "/nowhere/fake"
    try:
        variables = {**inputs.environ(command, str(BIN)), "CNI_COMMAND": command}
        answer = respond(
            bridge,
            variables,
            lambda: json.dumps({**config, "prevResult": bench.result}).encode(),
            {},
            bench.world.kernel,
        )
    finally:
        delegate._executed, delegate.find = before_call
    document = judge(command, answer, ("",) if error["code"] == UNFORESEEN else ())
    if (
        command == "ADD"
        and not answer[0]
        and not document.get("ips", document.get("ip4", document.get("ip6")))
    ):
        raise Broken(f"success without an address: {answer[1]!r}")
    if answer[0] and command == "ADD" and bench.state() != before:
        raise Broken(f"{command} ended with {answer[1][:200]!r} and changed the state")


def files(bench: Bench, inputs: Inputs) -> None:
    """host-local in a directory with spoiled reservations, index and hints: nobody's address is given away or lost."""
    folder = bench.data / "net"
    bench.reset()
    mess(folder, inputs)
    before = bench.read_files()
    container_id, ifname = inputs.one(("c0", "c1", "c2")), inputs.one(("eth0", "eth1"))
    command = inputs.one(VERBS[:-1])
    config: dict[str, Any] = {
        "name": "net",
        "cniVersion": "1.1.0",
        "type": "x",
        "ipam": {"dataDir": "networks", "ranges": [[{"subnet": "10.1.0.0/28"}], [{"subnet": "fd01::/125"}]]},
    }
    if command == "GC":
        config["cni.dev/valid-attachments"] = [{"containerID": "c0", "ifname": "eth0"}]
    variables = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_IFNAME": ifname,
        "CNI_NETNS": "/netns/x",
        "CNI_PATH": "/x",
    }
    answer = respond(host_local, variables, lambda: json.dumps(config).encode())
    document = judge(command, answer)
    after = bench.read_files()
    mine = (f"{container_id}\r\n{ifname}".encode(), container_id.encode())
    for path in before.keys() - after.keys():
        content = before[path].strip()
        if os.path.basename(path) == ".new" or not content.strip(b"\0 \r\n\t"):
            continue
        if command == "DEL" and content in mine or command == "GC" and content not in (b"c0\r\neth0", b"c0"):
            continue
        raise Broken(f"{command} removed {path} with {before[path]!r}: {answer}")
    changed = [path for path in after if before.get(path) != after[path] and "last_reserved" not in path]
    wanted = (
        [str(folder / ip["address"].partition("/")[0]) for ip in document["ips"]]
        if command == "ADD" and not answer[0]
        else []
    )
    if sorted(changed) != sorted(wanted) or any(after[path] != mine[0] for path in wanted):
        raise Broken(f"{command} wrote {changed}, its answer is {answer}")


def mess(folder: Path, inputs: Inputs) -> None:
    """What crashes, other programs and administrators leave in a directory of reservations."""
    owners = (
        b"c0\r\neth0",
        b"c1\r\neth0",
        b"c1\r\neth1",
        b"c2",
        b"c1\r\neth0\n",
        b"",
        b"\0" * 9,
        b"#keep",
        b"c1\r\n",
        b"\r\neth0",
    )
    names = (
        "10.1.0.2",
        "10.1.0.3",
        "10.1.0.4",
        "10.1.0.14",
        "fd01::2",
        "fd01::3",
        "fd01::7",
        ".new",
        "10.01.0.2",
        "fd01::0002",
        "rubbish",
        "10.1.0.99",
    )
    many = inputs.chance(0.05)
    for name in (
        [f"10.1.0.{host}" for host in range(2, 15)] if many else [inputs.one(names) for _ in inputs.some(5)]
    ):
        (folder / name).write_bytes(inputs.one(owners) if inputs.chance(0.9) else inputs.blob())
    for number in (0, 1):
        if inputs.chance(0.3):
            last = (
                inputs.one((b"10.1.0.2", b"10.1.0.14", b"fd01::7", b"", b"::", b"10.9.9.9", b"rubbish"))
                if inputs.chance(0.9)
                else inputs.blob()
            )
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


def replies(bench: Bench, inputs: Inputs) -> None:
    """bridge and portmap with the real codec, on a kernel that says anything."""
    command = inputs.one(VERBS[:-1])
    config: dict[str, Any] = dict(inputs.one((bench.config, bench.ports)))
    config |= {"prevResult": bench.result, "cni.dev/valid-attachments": []}
    config |= {key: True for key in ("promiscMode", "enabledad", "isDefaultGateway") if inputs.chance(0.1)}
    config |= {"vlan": 100} if inputs.chance(0.1) else {}
    environ = {
        "CNI_CONTAINERID": "c1",
        "CNI_IFNAME": "eth9",
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_NETNS_OVERRIDE": "1",
        "CNI_PATH": str(BIN),
    }
    bench.reset()
    with Wired(lambda number: Wire(inputs, bench.payloads, number)):
        answer = respond(
            PLUGINS[config["type"]],
            {**environ, "CNI_COMMAND": command},
            lambda: json.dumps(config).encode(),
            SIBLINGS,
        )
    # A torn reply, and none where there is always one
    judge(command, answer, ("ValueError: want ", "IndexError: list index"))


def decoding(bench: Bench, inputs: Inputs) -> None:
    """Each decoder of netlink replies by itself, and the parsers of text."""
    decoders.decode(inputs, bench.payloads)


TARGETS: dict[str, tuple[Target, float]] = {  # and its part of all inputs
    "protocol": (protocol, 0.25),
    "delegation": (delegation, 0.15),
    "files": (files, 0.1),
    "replies": (replies, 0.15),
    "decoding": (decoding, 0.35),
}


# -- running ---------------------------------------------------------------------------------------


def record(bench: Bench) -> None:
    """Collect what the real kernel replies to a few calls."""
    environ = {
        "CNI_CONTAINERID": "c1",
        "CNI_IFNAME": "eth9",
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_NETNS_OVERRIDE": "1",
        "CNI_PATH": str(BIN),
    }
    with Recorder() as recorder:
        for config in (bench.config, {**bench.ports, "prevResult": bench.result}):
            for command in ("ADD", "CHECK", "STATUS"):
                stdin = json.dumps({**config, "prevResult": bench.result, "forceAddress": True}).encode()
                respond(
                    PLUGINS[str(config["type"])],
                    {**environ, "CNI_COMMAND": command},
                    partial(bytes, stdin),
                    SIBLINGS,
                )
    bench.payloads = recorder.payloads


def overdue(_: int, __: object) -> None:
    raise TimeoutError(f"took longer than {LONGEST_S} s")


def run(target: str, numbers: range, bench: Bench, seed: int = 0) -> tuple[int, dict[str, str]]:
    """Try inputs; how many, and the findings, one example of each kind."""
    random = Random()
    found: dict[str, str] = {}
    signal.signal(signal.SIGALRM, overdue)
    for number in numbers:
        random.seed(f"{seed}/{target}/{number}")
        signal.alarm(LONGEST_S)
        try:
            TARGETS[target][0](bench, Inputs(random))
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            text = f"{type(error).__name__}: {error}"
            found.setdefault(text[:60], f"{target} {number}: {text}")
    signal.alarm(0)
    return len(numbers), found


def guard(folder: Path) -> None:
    """Make the machine's files read-only for this process: an input may name any path. Raises OSError."""
    lab.call(lab.libc.unshare, lab.CLONE_NEWNS | lab.CLONE_NEWNET)
    lab.mount("none", "/", flags=lab.MS_REC | lab.MS_PRIVATE)
    folder.mkdir(parents=True)
    lab.mount("tmpfs", str(folder), "tmpfs")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point, kind = line.split()[1:3]
        if kind not in (
            "proc",
            "sysfs",
            "tmpfs",
            "devtmpfs",
            "devpts",
            "nsfs",
            "mqueue",
            "cgroup2",
            "cgroup",
        ):
            lab.mount("none", point, flags=MS_REMOUNT | lab.MS_BIND | MS_RDONLY)


def work(target: str, numbers: range, seed: int, folder: Path, outlet: int) -> None:
    """One process's part: findings and count as JSON to *outlet*."""
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 2)  # what plugins tell
    guard(folder)
    bench = Bench(folder / "bench")
    record(bench)
    count, found = run(target, numbers, bench, seed)
    os.write(outlet, json.dumps([target, count, found]).encode() + b"\n")


def fuzz(
    total: int, first: int = 0, seed: int = 0, only: str = "", workers: int = 2, tell: bool = True
) -> tuple[Counter[str], dict[str, str]]:
    """*total* inputs by *workers* processes; how many of each target, and the findings."""
    parts = [(name, round(total * part)) for name, (_, part) in TARGETS.items() if not only] or [
        (only, total)
    ]
    jobs = [
        (name, range(first + start, first + min(start + size, count)))
        for name, count in parts
        for size in (-(-count // workers),)
        for start in range(0, count, size)
    ]
    counts: Counter[str] = Counter()
    findings: dict[str, str] = {}
    running: dict[int, tuple[int, str]] = {}
    while jobs or running:
        while jobs and len(running) < workers:
            target, numbers = jobs.pop(0)
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    work(target, numbers, seed, Path(f"/dev/shm/fuzz-{os.getpid()}"), writer)
                except BaseException as error:  # noqa: BLE001  the parent shall know
                    os.write(
                        writer,
                        json.dumps(
                            [target, 0, {"worker": f"{target}: {type(error).__name__}: {error}"}]
                        ).encode(),
                    )
                finally:
                    os._exit(0)
            os.close(writer)
            running[reader] = child, target
        reader = next(iter(running))
        with os.fdopen(reader, closefd=True) as pipe:
            said = pipe.read()
        child, target = running.pop(reader)
        os.waitpid(child, 0)
        name, count, found = json.loads(said) if said else (target, 0, {"worker": f"{target}: died"})
        counts[name] += count
        findings |= found
        if tell:
            print(f"{name:12} {counts[name]:>8} inputs", *found.values(), sep="\n  ", flush=True)
    return counts, findings


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=LONG)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, default="")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    began = time.monotonic()
    total = SHORT if wanted.short else wanted.inputs
    counts, findings = fuzz(total, wanted.first, wanted.seed, wanted.target, wanted.workers)
    print(
        f"fuzz: {sum(counts.values())} inputs in {time.monotonic() - began:.0f} s, {len(findings)} findings"
    )
    return bool(findings) or sum(counts.values()) != total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
