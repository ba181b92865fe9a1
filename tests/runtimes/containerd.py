"""containerd of the distribution, unmodified, as docs/runtimes/containerd.md configures it."""

import subprocess
from pathlib import Path
from typing import Self

from tests.runtimes import images
from tests.runtimes.daemon import Daemon
from tests.runtimes.documents import blocks

PAGE = "containerd"
CONFIG = "/etc/containerd/config.toml"
NETWORK, STORAGE = "/etc/cni/net.d/10-cniwire.conflist", "/etc/cni/net.d/20-storage.conflist"
PAUSE = "localhost/pause:latest"  # what a sandbox runs: here a web server

# What the fake host needs besides: folders of its own, an image that is there, and neither control groups
# with controllers nor the right to change the score of the kernel's out-of-memory killer.
TOP = 'root = "{folder}/root"\nstate = "{folder}/state"\n'
REST = """
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:latest"
  disable_cgroup = true
  restrict_oom_score_adj = true
"""
SOCKET = Path("/run/containerd/containerd.sock")  # the usual one: a lab has its own /run


class Containerd:
    """A containerd in a control *group* that keeps its files in *folder*."""

    def __init__(self, group: Path, folder: Path):
        self.group, self.folder = group, folder
        folder.mkdir()
        self.config = folder / "config.toml"
        self.config.write_text((TOP + blocks(PAGE)[CONFIG] + REST).replace("{folder}", str(folder)))
        self.daemon = self.start()

    def __enter__(self) -> Self:
        for name, command in ((images.NAME, ("sh",)), (PAUSE, images.SERVE)):
            archive = str(images.archive(self.folder, name, command))
            for namespace in ("default", "k8s.io"):
                self.ctr("--namespace", namespace, "images", "import", archive)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop containerd itself: what runs in shims ends with the control group."""
        self.daemon.kill()

    def start(self) -> Daemon:
        """Start it, and wait until it answers."""
        daemon = Daemon(
            self.group, ["containerd", "--config", str(self.config)], self.folder / "containerd.log"
        )
        daemon.until(lambda: SOCKET.exists() and self.run("version").returncode == 0, "containerd answers")
        return daemon

    def knows(self, setting: str) -> bool:
        """Whether this version has a *setting*."""
        done = subprocess.run(["containerd", "config", "default"], capture_output=True, text=True)
        return setting in done.stdout

    def configure(self, more: str) -> None:
        """Put a line *more* behind those of the page, which end in the table of plugins; start anew."""
        self.config.write_text(self.config.read_text().replace(REST, more + REST))
        self.daemon.kill()
        self.restart()

    def restart(self) -> None:
        """Start it again, after it was killed."""
        self.daemon = self.start()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["ctr", *arguments], capture_output=True, text=True, timeout=60)

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        command = ["ctr", *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def ctr(self, *arguments: str) -> str:
        """Run ctr and return what it prints. Raises AssertionError with its stderr when it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()


def processes(group: Path, name: str) -> list[int]:
    """Return the processes of a control *group*, its own groups among them, whose name begins with *name*."""
    pids = [int(pid) for file in group.rglob("cgroup.procs") for pid in file.read_text().split()]
    return [pid for pid in pids if named(pid).startswith(name[:15])]


def named(pid: int) -> str:
    """Return the first 15 letters of a process's name, "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
