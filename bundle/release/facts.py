"""What all forms of a release share: version, commit and its time, machine, and how a program is run.

Law: a form has the same bytes whenever and wherever it is made from the same commit with the same tools. So
its only time is that of the commit, and all that has an order is sorted.
"""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.cni.version import SUITE
from launcher.installation.versions import Refused

ROOT = Path(__file__).resolve().parents[2]
MACHINE = platform.machine()
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}  # Debian's names of machines, and those of images
PURPOSE = "CNI plugins for containers, and a command that plays the container runtime"


@dataclass(frozen=True)
class Facts:
    """commit: its hash, "" where there is no git. epoch: its time, in seconds since 1970."""

    commit: str
    epoch: int
    version: str = SUITE
    machine: str = MACHINE

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.epoch, UTC)

    @property
    def label(self) -> str:
        """What the names of files end in."""
        return f"{self.version}-linux-{self.machine}"


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    """Run a program, and return what it prints. Raises Refused with the last line of its complaint.

    Its umask is a usual one: some write the modes of files that they made into what they make of them.
    """
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **variables}
    try:
        done = subprocess.run(command, cwd=cwd, env=environ, umask=0o022, capture_output=True, text=True)
    except OSError as error:
        raise Refused(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()[-1]
        raise Refused(f"{Path(command[0]).name} failed: {said}")
    return done.stdout


def facts() -> Facts:
    """Those of the checkout. Raises Refused without git, unless SOURCE_DATE_EPOCH says the time."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        said = run("git", "-c", f"safe.directory={ROOT}", "log", "-1", "--format=%H %ct", cwd=ROOT)
        commit, seconds = said.split()
    except Refused as error:
        if told is None:
            raise Refused(f"the time of the commit is not known: {error}") from None
        commit, seconds = "", told
    return Facts(commit, int(told or seconds))
