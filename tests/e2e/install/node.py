"""A node on which the bundle is installed, and calls of plugins meanwhile."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Node:
    """A machine's file system, as far as an installation goes: PREFIX and BINDIR below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.prefix, self.bindir = folder / "usr", folder / "opt" / "cni" / "bin"
        self.lib = self.prefix / "lib" / "cniwire"

    def install(self, bundle: Path, succeeds: bool = True) -> str:
        """What it says."""
        return self._run(
            str(bundle), "--prefix", str(self.prefix), "--bindir", str(self.bindir), succeeds=succeeds
        )

    def uninstall(self, *options: str, succeeds: bool = True) -> str:
        return self._run(
            "--prefix", str(self.prefix), "--bindir", str(self.bindir), *options, succeeds=succeeds
        )

    @staticmethod
    def _run(*arguments: str, succeeds: bool) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bundle.install", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def versions(self) -> set[str]:
        return {
            path.name
            for path in self.lib.iterdir()
            if path.is_dir() and not path.is_symlink() and path.name[0].isdigit()
        }

    def tree(self) -> dict[str, tuple[int, str]]:
        """All that is there: modes and contents."""
        return {str(path): (path.lstat().st_mode, content(path)) for path in sorted(self.folder.rglob("*"))}


def content(path: Path) -> str:
    return os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_bytes().hex()


def changed(bundle: Path, folder: Path) -> Path:
    """A copy of *bundle* that is not the same: another version, as far as an installation knows."""
    shutil.copytree(bundle, folder, symlinks=True)
    (folder / "share" / "changed").write_text(folder.name)
    return folder


def version(executable: Path) -> str:
    """The newest version that *executable* speaks, called with no environment at all."""
    done = subprocess.run(
        [executable], env={"CNI_COMMAND": "VERSION"}, cwd="/", capture_output=True, check=True
    )
    return str(json.loads(done.stdout)["cniVersion"])


@contextmanager
def calling(*calls: Callable[[], object]) -> Iterator[list[str]]:
    """Each call over and over, each in a thread of its own.

    The list that is given holds how often each succeeded, or what it raised.
    """
    stop, told = threading.Event(), [""] * len(calls)

    def again(index: int) -> None:
        made = 0
        try:
            while not stop.is_set():
                calls[index]()
                made += 1
        except Exception as error:  # noqa: BLE001
            told[index] = f"call {made}: {error!r} {getattr(error, 'stdout', '')!r}"

    threads = [threading.Thread(target=again, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join()
