"""A plugin directory as `cniwire install` finds it, and suites that are short scripts."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.installation.node import HIDDEN
from launcher.installation.versions import PLUGINS, STATIC
from tests.e2e.install.node import ROOT, Node
from tests.harness.pseudo_terminal import Screen, screen

GO = Path("/usr/lib/cni")
SCRIPT = """#!/bin/sh
name=${0##*/}
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.1.0", "supportedVersions": ["1.1.0"]}' ;;
*) echo "CNI $name plugin v1.9.1+cniwire.VERSION" >&2 ;;
esac
"""


class Directory(Node):
    """A node's /opt/cni/bin and /etc/cni/net.d, and the command.

    start: the launcher under test.
    """

    def __init__(self, folder: Path, start: Sequence[str]) -> None:
        super().__init__(folder)
        self.conf = folder / "etc" / "cni" / "net.d"
        self.start = start
        self.home = self.bindir / HIDDEN
        for path in (self.bindir, self.conf):
            path.mkdir(parents=True)

    def command(self, *words: str) -> list[str]:
        """With the node's directories, unless others are named."""
        named = {"--bin-dir": self.bindir, "--conf-dir": self.conf}
        known = [word for key, path in named.items() if key not in words for word in (key, str(path))]
        return [*self.start, *words, *known]

    def __call__(self, *words: str, status: int = 0, before: Sequence[str] = ()) -> str:
        """What the command says, stdout before stderr; *before* is a wrapper's command line."""
        done = self.run(*words, before=before)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, *words: str, before: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*before, *self.command(*words)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)

    def json(self, *words: str, status: int = 0) -> Any:
        """The document on its stdout."""
        done = self.run("--json", *words)
        assert (done.returncode, done.stderr) == (status, "")
        return json.loads(done.stdout)

    def at_terminal(self, columns: int, *words: str) -> Screen:
        wanted = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        return screen(self.command(*words), columns, wanted)

    def refused(self, *words: str, status: int = 1, before: Sequence[str] = ()) -> str:
        """The one line that the command says while all stays as it was, without the hint below it."""
        tree = self.tree()
        said = self(*words, status=status, before=before)
        assert self.tree() == tree
        lines = [line for line in said.splitlines() if "→" not in line]
        assert len(lines) == 1, said
        return lines[0].lstrip("✘ ")

    def says(self) -> dict[str, str]:
        """The first line that each executable prints that runtimes see."""
        names = sorted(name for name in os.listdir(self.bindir) if not name.startswith("."))
        return {name: first_line(self.bindir / name) for name in names}


def first_line(executable: Path) -> str:
    done = subprocess.run([executable], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return (done.stderr + done.stdout).partition("\n")[0]


def ours(version: str) -> dict[str, str]:
    """What `says` gives where all plugins are of that version."""
    return {name: f"CNI {name} plugin v1.9.1+cniwire.{version}" for name in sorted(PLUGINS)}


def suite(folder: Path, version: str) -> Path:
    """A suite of the static kind: one file, links to it. It answers VERSION, and tells its own version."""
    folder.mkdir()
    (folder / STATIC).write_text(SCRIPT.replace('VERSION" >&2', f'{version}" >&2'))
    (folder / STATIC).chmod(0o755)
    for name in PLUGINS:
        (folder / name).symlink_to(STATIC)
    return folder


def theirs(directory: Directory, *names: str) -> None:
    """Plugins of the Go suite, as files."""
    for name in names:
        shutil.copy2(GO / name, directory.bindir / name)


def launcher(plugins: Path) -> list[str]:
    """The command that starts the launcher: of the bundle if the plugins are the bundle's."""
    bundled = plugins / "cniwire"
    return [str(bundled)] if bundled.exists() else [sys.executable, "-m", "launcher"]
