"""One suite of plugins on one fake node: calls as a runtime makes them, and what each cost.

Law: whatever is not the plugin itself (JSON, files, namespaces) is prepared before the clock starts.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.harness.namespace import Namespace, entered

BUSYBOX = "/bin/busybox"
KIB_PER_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024  # busybox takes the kernel's KiB for pages
VERSION = "1.0.0"  # the newest that both suites speak
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Json = dict[str, Any]


class CallFailed(Exception):
    """A plugin did not do what was asked: the benchmark means nothing."""


class Sample(NamedTuple):
    """What one call, or several in a row, cost. peak_kib: 0 where it was not weighed."""

    wall_ms: float
    cpu_ms: float
    peak_kib: int = 0

    def __add__(self, other: "Sample") -> "Sample":  # type: ignore[override]
        return Sample(
            self.wall_ms + other.wall_ms, self.cpu_ms + other.cpu_ms, max(self.peak_kib, other.peak_kib)
        )


class Suite(NamedTuple):
    """A folder of plugins, and keys that its bridge and portmap want in their configuration."""

    name: str
    folder: Path
    bridge_keys: Mapping[str, Any] = {}
    portmap_keys: Mapping[str, Any] = {}
    checks_portmap: bool = True  # Go's v1.1.1 cannot, by a mistake of its own


class Attachment(NamedTuple):
    container_id: str
    netns: str
    ifname: str = "eth0"


class Node:
    """A host namespace for one suite, with its reservations and its containers."""

    def __init__(self, suite: Suite, folder: Path):
        self.suite = suite
        self.folder = folder / suite.name
        self.data = self.folder / "networks"
        self.host = Namespace(self.folder / "netns" / "host")
        self.spaces = [self.host]
        self.count = 0
        self.weigh = False
        self.prefix: list[str] = []  # of every command: a tracer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for space in self.spaces:
            space.close()

    def container(self) -> Attachment:
        """A new container in a namespace of its own."""
        self.count += 1
        name = f"c{self.count:05}"
        space = Namespace(self.folder / "netns" / name)
        self.spaces.append(space)
        return Attachment(name, str(space.path))

    def successor(self, attachment: Attachment) -> Attachment:
        """Another container, in the namespace that *attachment* has left clean."""
        self.count += 1
        return attachment._replace(container_id=f"c{self.count:05}")

    def call(
        self, command: str, config: Mapping[str, Any], attachment: Attachment, previous: Json | None = None
    ) -> tuple[Sample, Json]:
        """Run one plugin; returns the cost and the result, {} if it printed none. Raises CallFailed."""
        request = {
            "cniVersion": VERSION,
            "name": "bench",
            **config,
            **({"prevResult": previous} if previous else {}),
        }
        identity = {
            "CNI_CONTAINERID": attachment.container_id,
            "CNI_NETNS": attachment.netns,
            "CNI_IFNAME": attachment.ifname,
        }
        environ = {"PATH": PATH, "CNI_COMMAND": command, "CNI_PATH": str(self.suite.folder), **identity}
        executable = str(self.suite.folder / config["type"])
        files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
        try:
            os.pwrite(files[0], json.dumps(request).encode(), 0)
            with entered(self.host.path):
                sample, status = (self.weighed if self.weigh else timed)(
                    [*self.prefix, executable], environ, files
                )
            stdout, stderr = (os.pread(file, 1 << 20, 0).decode(errors="replace") for file in files[1:])
        finally:
            for file in files:
                os.close(file)
        if status:
            raise CallFailed(
                f"{executable} {command} {json.dumps(request)}: status {status}: {stdout}{stderr}"
            )
        return sample, json.loads(stdout) if stdout.strip() else {}

    def weighed(
        self, command: list[str], environ: Mapping[str, str], files: Sequence[int]
    ) -> tuple[Sample, int]:
        """As timed(), and with the peak of memory, below a parent that is smaller than any plugin."""
        told = self.folder / "peak"
        sample, status = timed([BUSYBOX, "time", "-f", "%M", "-o", str(told), *command], environ, files)
        return sample._replace(peak_kib=int(told.read_text().split()[-1]) // KIB_PER_PAGE), status

    def run(self, command: str) -> None:
        """Run a shell *command* in the host's namespace, untimed. Raises CalledProcessError."""
        with entered(self.host.path):
            subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def timed(command: list[str], environ: Mapping[str, str], files: Sequence[int]) -> tuple[Sample, int]:
    """Spawn to exit. files: descriptors for stdin, stdout and stderr."""
    actions = [(os.POSIX_SPAWN_DUP2, file, target) for target, file in enumerate(files)]
    started = time.perf_counter_ns()
    child = os.posix_spawn(command[0], command, environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall_ms = (time.perf_counter_ns() - started) / 1e6
    return Sample(wall_ms, (usage.ru_utime + usage.ru_stime) * 1e3), os.waitstatus_to_exitcode(status)
