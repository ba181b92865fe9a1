"""Podman and Buildah of the distribution, unmodified, as docs/runtimes configures them.

What they need besides, in a fake host, is here: folders of their own, so that tests may run beside each
other, no sysctls and no limits. crun wants any file system where control groups would be. A container of an
unprivileged lab cannot mount a devpts with the usual group 5, so it borrows /dev/pts everywhere.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.runtimes import images
from tests.runtimes.documents import blocks
from tests.runtimes.images import SERVE
from tests.runtimes.reach import Found, Site

CONFIG = "/etc/containers/containers.conf"
# Of containers.conf, whatever the networks: no limits, nothing that asks systemd.
SETTINGS = """
[containers]
cgroups = "{cgroups}"
default_sysctls = []
log_driver = "k8s-file"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "{runtime}"
tmp_dir = "{folder}/tmp"
"""
STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


class Tool:
    """A command that reads containers.conf, with files of its own in *folder*.

    page: of docs/runtimes. prefix: what stands before the command.
    """

    def __init__(self, page: str, folder: Path, *, runtime: str, cgroups: str, prefix: Sequence[str] = ()):
        self.name, self.folder, self.prefix = page, folder, prefix
        (folder / "home").mkdir(parents=True)
        given = {"folder": folder, "runtime": runtime, "cgroups": cgroups}
        (folder / "containers.conf").write_text(blocks(page)[CONFIG] + SETTINGS.format(**given))
        (folder / "storage.conf").write_text(STORAGE.format(**given))

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it in a session of its own."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": f"{self.folder}/home",
            "XDG_RUNTIME_DIR": f"{self.folder}/run",
            "CONTAINERS_CONF": f"{self.folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self.prefix, self.name, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run it, return what it prints, or what it says on stderr if it is expected to fail.

        Raises AssertionError with its stderr on another exit code.
        """
        with self.popen(*arguments) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == status, f"{self.name} {' '.join(arguments)}: {stderr}"
        return (stderr if status else stdout).strip()


class Podman(Tool):
    """The podman command."""

    def __init__(self, folder: Path):
        super().__init__("podman", folder, runtime="crun", cgroups="disabled")

    def load(self) -> None:
        """Load the image `localhost/box`."""
        self("load", "--quiet", "--input", str(images.archive(self.folder)))

    def obstacle(self) -> str:
        """Return what it says if it was built without CNI, as newer ones are; else nothing."""
        with self.popen("network", "ls") as process:
            said = process.communicate(timeout=60)[1].strip().rpartition("\n")[2]
        return said if "cni support is not enabled" in said else ""

    def run(self, name: str, *options: str, command: Sequence[str] = SERVE) -> Found:
        """Start a container in the background, a web server; return its network namespace."""
        self(*self.starting(name, *options, command=command))
        return self.inside(name)

    @staticmethod
    def starting(name: str, *options: str, command: Sequence[str] = SERVE) -> list[str]:
        """Return the arguments that start a container."""
        devices = ("--volume", "/dev/pts:/dev/pts")
        return ["run", "--detach", "--name", name, *devices, *options, "localhost/box", *command]

    def inside(self, name: str) -> Found:
        """Return the network namespace of a container, in /run/netns or below XDG_RUNTIME_DIR."""
        return Found(self("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", name))

    def site(self, name: str, host_port: int = 0, peer: str = "") -> Site:
        """Return the container *name*, with all addresses that Podman tells of it."""
        networks = json.loads(self("inspect", "--format", "{{json .NetworkSettings.Networks}}", name))
        keys = ("IPAddress", "GlobalIPv6Address")
        addresses = [network[key] for network in networks.values() for key in keys if network[key]]
        return Site(self.inside(name), tuple(addresses), host_port, self.inside(peer) if peer else None)

    def container_id(self, name: str) -> str:
        return self("inspect", "--format", "{{.Id}}", name)

    def conmon(self, name: str) -> int:
        """Return the process that looks after a container."""
        return int(Path(self("inspect", "--format", "{{.ConmonPidFile}}", name)).read_text())

    def remove(self, *names: str) -> None:
        self("rm", "--force", "--time", "0", *names)
