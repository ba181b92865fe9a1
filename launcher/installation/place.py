"""The place of an installation: a folder of versions, what lies outside of it, and the record of both."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launcher.installation.things import Text, Thing, hash_of, put
from launcher.installation.versions import CURRENT, LOCK, OURS, RECORD, REPLACED, Refused, discard, target_of

Say = Callable[[str], None]


class Place:
    """Names are paths below *base*, or absolute ones.

    lib: absolute path of the folder with the versions. undo: what takes the installation away again.
    """

    def __init__(self, lib: str, base: str, undo: str) -> None:
        self.lib, self.base, self.undo = lib, base, undo

    def real(self, name: str) -> Path:
        """Where *name* is."""
        return Path(self.named(name))

    def named(self, name: str) -> str:
        """What *name* is called on the node, and by people."""
        return os.path.normpath(os.path.join(self.base, name))

    @property
    def home(self) -> Path:
        """Where the folder of the versions is."""
        return self.real(self.lib)

    @property
    def current(self) -> str:
        """The name of the current version, "" where there is none."""
        return target_of(self.home / CURRENT)

    def kept(self, name: str) -> Path:
        """Where that is kept which *name* has replaced; no name leads out of the folder."""
        inside = "/".join(part for part in name.split("/") if part not in ("", ".."))
        return self.home / REPLACED / inside

    def things(self, version: str) -> Mapping[str, Thing]:
        """What belongs outside of the folder while *version* is the current one, by name."""
        raise NotImplementedError

    def stays(self, record: "Record") -> set[str]:
        """Names that a version leaves alone which does not want them."""
        return set()

    def replaced(self, names: list[str]) -> list[str]:
        """What is said of files that were set aside."""
        kept = f"kept in {self.lib}/{REPLACED}, and brought back by {self.undo}"
        return [f"{self.named(name)} was there before: {kept}" for name in names]

    def is_ours(self, name: str, record: "Record") -> bool:
        """Whether what stands at *name* is a link into the folder, or a file that an installation made."""
        real = self.real(name)
        if not real.is_symlink():
            return bool(record.hashes) and hash_of(real) in record.hashes
        folder = os.path.dirname(self.named(name))
        return os.path.normpath(os.path.join(folder, os.readlink(real))).startswith(f"{self.lib}/")


class Record:
    """A file with what an installation has made outside of its folder, and what was asked for.

    names: of links and files. folders: new ones. history: the versions that were current, the newest last.
    hashes: of files that are no links. options: for the next version.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        told: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self.names: list[str] = told.get("links", [])
        self.folders: list[str] = told.get("folders", [])
        self.history: list[str] = told.get("history", [])
        self.hashes: list[str] = told.get("hashes", [])
        self.options: dict[str, Any] = told.get("options", {})

    def text(self) -> str:
        """JSON; what is empty is left out."""
        values = {"links": sorted(set(self.names)), "folders": sorted(set(self.folders))}
        more = {"history": self.history, "hashes": sorted(set(self.hashes)), "options": self.options}
        return json.dumps({**values, **{key: value for key, value in more.items() if value}}, indent=1)

    def write(self) -> None:
        put(self.file, Text(self.text()).make)

    def before(self, current: str) -> str:
        """The version that was current before *current*, "" without one that is still there."""
        at = self.history.index(current) if current in self.history else 0
        return next((name for name in reversed(self.history[:at]) if (self.file.parent / name).is_dir()), "")

    def follow(self, current: str, name: str) -> None:
        """*name* is current after *current*; what came after that is forgotten."""
        if name != current or not self.history:
            at = self.history.index(current) + 1 if current in self.history else 0
            others = [each for each in self.history[:at] or [current] if each not in ("", name)]
            self.history = [*others[-2:], name]


def record_of(place: Place) -> Record:
    """What is known of an installation. Raises Refused if it cannot be read."""
    try:
        return Record(place.home / RECORD)
    except (ValueError, TypeError, AttributeError) as error:
        damaged = f"{place.lib}/{RECORD} is damaged ({error})"
        raise Refused(f"{damaged}: remove it, and install again") from None


@contextmanager
def occupied(place: Place) -> Iterator[list[str]]:
    """Hold the lock of a place for the block, so that no other installation runs there. Raises Refused.

    Gives the folders that were made for it. Where nothing is installed at the end, they are gone again.
    """
    made = make_folder(place.lib, place)
    lock = place.home / LOCK
    with open(lock, "w") as file:
        busy = Refused(f"{place.lib}: somebody else is installing there")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not lock.exists() or not os.path.samestat(lock.stat(), os.fstat(file.fileno())):
                raise busy  # that one has ended, and took the folder away
        except BlockingIOError:
            raise busy from None
        try:
            yield made
        except BaseException:
            if not os.path.lexists(place.home / CURRENT):
                for name in OURS:
                    discard(place.home / name)
                remove_folders(made, place)
            raise


def make_folder(name: str, place: Place) -> list[str]:
    """Make a folder and those above it; returns those that were not there. Raises Refused."""
    missing: list[str] = []
    while not place.real(name).is_dir():
        if os.path.lexists(place.real(name)):
            raise Refused(f"{place.named(name)} is there, and is no folder")
        missing.insert(0, name)
        if name == os.path.dirname(name):
            break  # DESTDIR itself
        name = os.path.dirname(name)
    for each in missing:
        place.real(each).mkdir(parents=True, exist_ok=True)
    return missing


def remove_folders(names: list[str], place: Place) -> None:
    """Remove the folders that are empty, the deepest first."""
    for name in sorted(names, key=lambda each: len(place.named(each)), reverse=True):
        try:
            place.real(name).rmdir()
        except OSError:
            continue  # somebody put something there
