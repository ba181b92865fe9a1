"""The example configurations of conf/runtimes, naming the command under test."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.runtimes.plugin_directory import ROOT

EXAMPLES = ROOT / "conf" / "runtimes"
INSTALLED = "/usr/local/bin/cniwire"  # where the examples expect the command


class Command:
    """The `cniwire` command under test, as an executable file."""

    def __init__(self, plugins: Path, folder: Path):
        """plugins: the folder of the executables under test, which holds the command if it is a bundle's."""
        self.path = plugins / "cniwire"
        if not self.path.exists():
            self.path = folder / "cniwire"
            start = f"PYTHONPATH={ROOT} exec {sys.executable} -m launcher"
            self.path.write_text(f'#!/bin/sh\n{start} "$@"\n')
            self.path.chmod(0o755)

    def __call__(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """Run it and return its stdout, or stderr if it is expected to fail. Raises AssertionError."""
        done = subprocess.run(
            [self.path, *arguments], input=stdin, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == status, f"cniwire {shlex.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stderr if status else done.stdout

    def json(self, *arguments: str) -> Any:
        """What it says with --json."""
        return json.loads(self("--json", *arguments))

    def wired(self) -> dict[str, list[str]]:
        """What `cniwire ls` shows: the addresses of each attachment, by `network/container ID/ifname`."""
        return {
            f"{network['name']}/{each['containerID']}/{each['ifname']}": each["addresses"]
            for network in self.json("ls")["networks"]
            for each in network.get("attachments", [])
        }

    def example(self, name: str, into: Path) -> Path:
        """Copy the file *name* of conf/runtimes to the folder *into*; it names this command."""
        into.mkdir(parents=True, exist_ok=True)
        made = into / Path(name).name
        made.write_text((EXAMPLES / name).read_text().replace(INSTALLED, str(self.path)))
        made.chmod((EXAMPLES / name).stat().st_mode & 0o777)
        return made
