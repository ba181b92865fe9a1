"""What an installation puts outside of the folder of the versions: links, copies, texts.

Law: each appears by one rename, whole; several are put one behind the other, or all are taken back.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launcher.installation.versions import FRESH, target_of

OLD = ".old"  # what stood there, until all that belongs together has been put


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str
    hash = ""

    def make(self, path: Path) -> None:
        path.symlink_to(self.target)

    def is_at(self, path: Path) -> bool:
        return target_of(path) == self.target


@dataclass(frozen=True)
class Copy:
    """An executable of its own."""

    source: Path

    def make(self, path: Path) -> None:
        shutil.copyfile(self.source, path)
        path.chmod(0o755)

    def is_at(self, path: Path) -> bool:
        return not path.is_symlink() and hash_of(path) == self.hash

    @property
    def hash(self) -> str:
        """SHA-256 of what it holds."""
        return hash_of(self.source)


@dataclass(frozen=True)
class Text:
    """A file for people and runtimes to read."""

    text: str

    def make(self, path: Path) -> None:
        with open(path, "w") as file:
            file.write(self.text)
            file.flush()
            os.fsync(file.fileno())  # whole before it has its name, whenever the power fails
        path.chmod(0o644)

    def is_at(self, path: Path) -> bool:
        return not path.is_symlink() and hash_of(path) == self.hash

    @property
    def hash(self) -> str:
        """SHA-256 of what it holds."""
        return hashlib.sha256(self.text.encode()).hexdigest()


Thing = Link | Copy | Text


def hash_of(path: Path) -> str:
    """SHA-256 of a file, "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def beside(path: Path, ending: str) -> Path:
    """A hidden name in the same folder."""
    return path.with_name(f".{path.name}{ending}")


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Let *make* make something beside *path*, and put it there by one rename."""
    fresh = beside(path, FRESH)
    fresh.unlink(missing_ok=True)
    make(fresh)
    fresh.rename(path)
    fresh.unlink(missing_ok=True)  # where both were one file, rename(2) does nothing


def keep(path: Path, kept: Path) -> None:
    """Make *kept* the same file or link: another name for it, or a copy with its owner on another disk."""
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # another disk, or one without hard links
        shutil.copy2(path, kept, follow_symlinks=False)
        owner = path.lstat()
        os.chown(kept, owner.st_uid, owner.st_gid, follow_symlinks=False)


class Renames:
    """Things that are made beside their places first, and then put there; an error takes all of it back."""

    def __init__(self) -> None:
        self.staged: dict[Path, Path] = {}
        self.put: list[tuple[Path, Path | None]] = []

    def stage(self, path: Path, make: Callable[[Path], object]) -> None:
        """Do what needs room and may fail."""
        fresh = self.staged[path] = beside(path, FRESH)
        fresh.unlink(missing_ok=True)
        make(fresh)

    def carry_out(self) -> None:
        """Rename what is staged, in the order of staging. Raises OSError."""
        for path, fresh in list(self.staged.items()):
            old = beside(path, OLD) if os.path.lexists(path) else None
            if old:
                old.unlink(missing_ok=True)
                keep(path, old)
            self.put.append((path, old))
            fresh.rename(path)
            del self.staged[path]

    def take_back(self) -> None:
        """All is as it was before the first rename."""
        for path, old in reversed(self.put):
            is_done = not os.path.lexists(beside(path, FRESH))
            if old and is_done:
                old.rename(path)
            elif is_done:
                path.unlink(missing_ok=True)
            if old:
                old.unlink(missing_ok=True)  # also where both were one file, and rename(2) did nothing
        for fresh in self.staged.values():
            fresh.unlink(missing_ok=True)

    def finish(self) -> None:
        """What was there before is not needed any more."""
        for _, old in self.put:
            if old:
                old.unlink(missing_ok=True)


def clear(path: Path) -> None:
    """Take away what an installation left beside *path* that was killed."""
    for ending in (FRESH, OLD):
        beside(path, ending).unlink(missing_ok=True)
