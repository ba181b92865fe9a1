"""The `cniwire` command as a test runs it: its configuration and cache are inside the test's host."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness.host import Host
from tests.harness.plugin import PATH
from tests.harness.pseudo_terminal import Screen, screen

ROOT = Path(__file__).resolve().parent.parent.parent
COUNTER = itertools.count()


class Cniwire:
    """The launcher under test: of the bundle if the plugins are the bundle's, else of the source tree.

    plugins: folder of the plugin executables that it is told to use.
    """

    def __init__(self, host: Host, plugins: Path) -> None:
        self.host = host
        self.conf = host.folder / "net.d"
        self.cache = host.folder / "cache"
        self.conf.mkdir(exist_ok=True)
        bundled = host.plugins / "cniwire"
        self.start = [str(bundled)] if bundled.exists() else [sys.executable, "-m", "launcher"]
        self.options = [
            "--conf-dir",
            str(self.conf),
            "--cache-dir",
            str(self.cache),
            "--plugin-dir",
            str(plugins),
        ]
        self.mark = f"t{os.getpid()}-{next(COUNTER)}"
        self.names: list[str] = []

    def name(self, text: str) -> str:
        """Return a namespace name that no other test uses; the namespace goes with the test."""
        name = f"{self.mark}-{text}"
        self.names.append(name)
        return name

    def network(self, name: str, *plugins: Mapping[str, Any], version: str = "1.0.0", **keys: Any) -> Path:
        """Write a configuration list and return its file."""
        path = self.conf / f"{name}.conflist"
        path.write_text(json.dumps({"cniVersion": version, "name": name, "plugins": plugins, **keys}))
        return path

    def popen(self, *arguments: str, **settings: Any) -> "subprocess.Popen[str]":
        """Start the command with stdout and stderr piped."""
        pipe = subprocess.PIPE
        settings = {
            "stdin": subprocess.DEVNULL,
            "stdout": pipe,
            "stderr": pipe,
            "text": True,
            "env": self.environ(),
            **settings,
        }
        return subprocess.Popen([*self.start, *self.options, *arguments], **settings)

    @staticmethod
    def environ() -> dict[str, str]:
        """The environment of the command."""
        # A plain python3 is found first.
        return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{PATH}:{os.environ.get('PATH', '')}"}

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run the command and return its stdout, or stderr if it is expected to fail.

        Raises AssertionError on another exit code.
        """
        with self.popen(*arguments) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == status, (
            f"cniwire {' '.join(arguments)}: exit {process.returncode}\n{stdout}{stderr}"
        )
        return stdout if status == 0 else stderr

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run the command with --json and return the document on its stdout."""
        with self.popen("--json", *arguments) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == status, (
            f"cniwire {' '.join(arguments)}: exit {process.returncode}\n{stdout}{stderr}"
        )
        return json.loads(stdout)

    def at_terminal(self, columns: int, *arguments: str, bare: bool = False, **environ: str) -> Screen:
        """Run the command at a terminal of that width; 0 is one that does not tell its size.

        bare: without any further option.
        """
        plain = {
            key: value
            for key, value in self.environ().items()
            if key not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
        }
        return screen([*self.start, *([] if bare else self.options), *arguments], columns, plain | environ)

    @property
    def cached(self) -> list[str]:
        """File names of the result cache."""
        folder = self.cache / "results"
        return sorted(os.listdir(folder)) if folder.exists() else []

    def close(self) -> None:
        """Remove the namespaces that the test named."""
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def named_namespaces(mark: str = "") -> list[str]:
    """Names in /run/netns that start with *mark*."""
    folder = Path("/run/netns")
    return sorted(name for name in os.listdir(folder) if name.startswith(mark)) if folder.exists() else []
