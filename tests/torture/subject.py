"""What is tortured: each plugin alone and the chain, on a fake node, driven as by a runtime."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

from ipam.host_local import boot, index, reservation
from ipam.host_local.files import Directory
from tests.harness import configs, plugin
from tests.harness.host import Container, Host
from tests.harness.state import State

Config = dict[str, Any]
Command = Callable[[Path], Sequence[str | Path]]  # executable -> the command line that runs it, tampered with

ROOT = Path(__file__).resolve().parents[2]
NETWORK, VERSION = "net", "1.1.0"
IPV4, IPV6 = "10.9.0.0/24", "fd00:9::/64"
TIMEOUT_S = 60
# What host-local may leave in its directory beside reservations.
VISIBLE = ("lock", ".index", "last_reserved_ip.")
RANDOM_MAC = re.compile(r"(?<=host link br0 bridge )[0-9a-f:]+")


class Subject(NamedTuple):
    """One thing to torture.

    plugins: from the folder of the reservations, its chain; prepared: how many of them only stand before it.
    executed: whether host-local is somebody else's for bridge, and so is executed as a process of its own,
    which is not tortured.
    """

    name: str
    plugins: Callable[[Path], tuple[Config, ...]]
    prepared: int = 0
    executed: bool = False


def wired(data: Path, **keys: Any) -> Config:
    return configs.bridge(data, IPV4, IPV6, **keys)


def tuned(data: Path) -> Config:
    """tuning, of what goes with the container's end of a bridge: GC knows of no namespace."""
    sysctl = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.neigh.IFNAME.app_solicit": "2"}
    link = {"mac": "02:00:00:00:00:42", "mtu": 1400, "promisc": True, "txQLen": 7}
    return {"type": "tuning", "dataDir": str(data / "tuning"), "sysctl": sysctl, **link}


CONDITIONED = {**configs.PORTMAP, "conditionsV4": ["ip", "saddr", "!=", "192.0.2.7"]}
LIMITED = {
    "type": "bandwidth",
    "ingressRate": 8_000_000,
    "ingressBurst": 800_000,
    "egressRate": 16_000_000,
    "egressBurst": 1_600_000,
}
BY_IPTABLES = (
    {**configs.PORTMAP, "backend": "iptables"},
    {"type": "firewall", "backend": "iptables", "ingressPolicy": "same-bridge"},
)
SUBJECTS = (
    Subject(
        "host-local", lambda data: ({"type": "host-local", "ipam": configs.host_local(data, IPV4, IPV6)},)
    ),
    Subject(
        "bridge-l2",
        lambda data: (configs.bridge(hairpinMode=True, portIsolation=True, mtu=1400, macspoofchk=True),),
    ),
    Subject("bridge", lambda data: (wired(data),)),
    Subject("bridge-all", lambda data: (wired(data, ipMasq=True, macspoofchk=True, enabledad=True),)),
    Subject("bridge-executed", lambda data: (wired(data),), executed=True),
    Subject("portmap", lambda data: (wired(data), configs.PORTMAP), prepared=1),
    Subject("portmap-conditions", lambda data: (wired(data), {**CONDITIONED, "snat": False}), prepared=1),
    Subject("tuning", lambda data: (configs.bridge(), tuned(data))),
    Subject("bandwidth", lambda data: (wired(data), LIMITED), prepared=1),
    Subject(
        "firewall",
        lambda data: (wired(data), {"type": "firewall", "ingressPolicy": "isolated"}),
        prepared=1,
    ),
    Subject(
        "by-iptables",
        lambda data: (wired(data, ipMasq=True, ipMasqBackend="iptables"), *BY_IPTABLES),
    ),
    Subject("chain", lambda data: (wired(data, ipMasq=True, macspoofchk=True), configs.PORTMAP)),
)
BY_NAME = {subject.name: subject for subject in SUBJECTS}
PORTS = {
    "c0": [configs.mapping(9080), configs.mapping(9053, 53, "udp")],
    "c1": [
        configs.mapping(8080),
        configs.mapping(8053, 53, "udp"),
        configs.mapping(8443, 443, hostIP="127.0.0.1"),
    ],
}


class Outcome(NamedTuple):
    """How one plugin ended. exit_code: -N when signal N ended it."""

    plugin: str
    verb: str
    exit_code: int
    stdout: bytes
    stderr: str

    def __str__(self) -> str:
        printed = f"{self.stdout.decode(errors='replace')!r} {self.stderr!r}"
        return f"{self.plugin} {self.verb}: exit {self.exit_code} {printed}"


class Node:
    """A fake host with the container `c1`.

    steady: everything shared exists, because the neighbour `c0` is attached and `c1` has been. Fresh:
    nobody was here before.
    """

    def __init__(self, subject: Subject, executables: Path, steady: bool):
        self.subject, self.executables, self.steady = subject, executables, steady
        self.cached: dict[str, Any] = {}  # container -> the result of its whole ADD, as a runtime keeps it
        self.latest: dict[str, Any] = {}  # container -> the result of the last plugin that was called for it
        self.timeout_s = 0  # the budget that a verb gets, 0 for its own
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        self.host = self.stack.enter_context(Host(self.executables, folder))
        self.data = self.host.data
        self.configs = self.subject.plugins(self.data)
        self.search_path = self.executables
        if self.subject.executed:
            self.search_path = folder / "others"
            self.search_path.mkdir()
            script = self.search_path / "host-local"
            script.write_text(f"#!/bin/sh\nexec {self.executables}/host-local\n")
            script.chmod(0o755)
        self.containers = {name: self.host.container(name) for name in ("c0", "c1")}
        for container in self.containers.values():  # duplicate detection that takes no second
            container.sysctl("net/ipv6/conf/default/dad_transmits", 0)
            container.sysctl("net/ipv6/conf/default/router_solicitation_delay", 0)
        if self.steady:
            self.undisturbed("ADD", "c0", everything=True)
        self.prepare()
        if self.steady:
            self.undisturbed("ADD", "c1")
            self.undisturbed("DEL", "c1")
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def prepare(self) -> None:
        """Run the plugins that only stand before the subject."""
        for number in range(self.subject.prepared):
            outcome = self.step("ADD", number, "c1", self.latest)
            assert outcome.exit_code == 0, str(outcome)

    @property
    def container(self) -> Container:
        return self.containers["c1"]

    def undisturbed(self, verb: str, name: str = "c1", everything: bool = False) -> None:
        """Run *verb* without torture. Raises AssertionError when it fails."""
        outcomes = self.run(verb, name, everything=everything)
        assert all(outcome.exit_code == 0 for outcome in outcomes), "; ".join(map(str, outcomes))

    def run(
        self,
        verb: str,
        name: str = "c1",
        tamper: Mapping[int, Command] | None = None,
        everything: bool = False,
    ) -> list[Outcome]:
        """Run *verb* for a container as a runtime does, until a plugin fails.

        tamper: number of a plugin in the chain -> its command line.
        """
        numbers = list(range(0 if everything else self.subject.prepared, len(self.configs)))
        results = dict(self.latest) if verb == "ADD" else self.cached
        outcomes: list[Outcome] = []
        for number in reversed(numbers) if verb == "DEL" else numbers:
            outcomes.append(self.step(verb, number, name, results, (tamper or {}).get(number)))
            if outcomes[-1].exit_code != 0:
                return outcomes
        if verb == "ADD":
            self.cached[name] = results[name]
        elif verb == "DEL":
            self.cached.pop(name, None)
        return outcomes

    def retreat(self, number: int) -> None:
        """Undo the plugins of the chain that came before *number*, as what follows a failed ADD.

        Raises AssertionError.
        """
        for earlier in reversed(range(self.subject.prepared, number)):
            outcome = self.step("DEL", earlier, "c1", {})
            assert outcome.exit_code == 0, str(outcome)

    def step(
        self, verb: str, number: int, name: str, results: dict[str, Any], tampered: Command | None = None
    ) -> Outcome:
        """Run one plugin of the chain. results: container -> its result so far, which ADD adds to."""
        stdin: Config = {**self.configs[number], "name": NETWORK, "cniVersion": VERSION}
        if "capabilities" in stdin:
            stdin["runtimeConfig"] = {"portMappings": PORTS[name]}
        if name in results and (verb in ("DEL", "CHECK") or (verb == "ADD" and number)):
            stdin["prevResult"] = results[name]
        if verb == "GC":
            stdin["cni.dev/valid-attachments"] = (
                [{"containerID": "c0", "ifname": "eth0"}] if self.steady else []
            )
        executable = self.executables / stdin["type"]
        done = subprocess.run(
            [*(tampered(executable) if tampered else (executable,))],
            env={**self.environ(verb, name), "PATH": plugin.PATH},
            input=json.dumps(stdin).encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        if verb == "ADD" and done.returncode == 0:
            results[name] = json.loads(done.stdout)
        return Outcome(
            stdin["type"], verb, done.returncode, done.stdout, done.stderr.decode(errors="replace")
        )

    def environ(self, verb: str, name: str) -> dict[str, str]:
        netns = str(self.containers[name].path)
        common = {"CNI_COMMAND": verb, "CNI_PATH": str(self.search_path)}
        if self.timeout_s:
            common["CNIWIRE_TIMEOUT"] = str(self.timeout_s)
        if verb in ("GC", "STATUS"):
            return common
        return {**common, "CNI_CONTAINERID": name, "CNI_NETNS": netns, "CNI_IFNAME": "eth0"}

    def state(self) -> State:
        """All that plugins may change, with what is wrong with the reservations' directory."""
        seen = self.host.state(*self.containers.values())
        return frozenset(RANDOM_MAC.sub("MAC", line) for line in (*seen, *self.complaints()))

    def complaints(self) -> Iterator[str]:
        """What is wrong with the reservations' directory: files that are torn or forgotten, a wrong index."""
        path = self.data / NETWORK
        if not path.is_dir():
            return
        for name in os.listdir(path):
            if reservation.packed(name) is None and not name.startswith(VISIBLE):
                yield f"unsound: {name} was left behind"
        directory = Directory(str(path))
        try:
            unreadable: list[OSError] = []
            entries = dict(directory.scan(unreadable))
            yield from (f"unsound: {error}" for error in unreadable)
            for packed, content in entries.items():
                if reservation.owner(content or b"") is None:
                    yield f"unsound: {packed.hex()} says {content!r}"
            yield from disagreement(directory, entries)
        finally:
            directory.close()


def disagreement(directory: Directory, entries: Mapping[bytes, bytes | None]) -> Iterator[str]:
    """What an index that would be believed gets wrong."""
    believed = index.load(directory, boot.boot_id())
    if believed is None:
        return
    try:
        for content in {content for content in entries.values() if content is not None}:
            held, found = (
                sorted(packed for packed, other in entries.items() if other == content),
                believed.candidates(content),
            )
            if found is not None and sorted(found) != held:
                yield f"unsound: the index has {found} for {content!r}"
        taken = believed.count(0, 2**128 - 1, 16)
        if taken != len(entries):
            yield f"unsound: the index counts {taken} of {len(entries)} reservations"
    finally:
        believed.close()
