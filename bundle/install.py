"""Install the bundle on a running node, and uninstall it: python -m bundle.install FOLDER --prefix ...

Law: a call made meanwhile finds a complete suite, either the old or the new one. So each bundle gets
a folder of its own, `lib/cniwire/VERSION-DIGEST`, which gets this name when it is complete, on disk,
and its executables have answered VERSION. `lib/cniwire/current` is a link to it, which one rename(2)
switches. All else is links to files below `current`, which stay the same from one version to the next.

The version before the current one is always kept; older ones are removed when nothing runs from them.

A file in the place of one of our links is first copied to `lib/cniwire/replaced`, and brought back when the
suite is uninstalled.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.versions import (
    CURRENT,
    FRESH,
    LAUNCHER,
    LOCK,
    PLUGINS,
    RECORD,
    REPLACED,
    Refused,
    deposit,
    put,
    sweep,
    target_of,
)

SHARED = {  # below the prefix, and what it is below the current version
    f"bin/{LAUNCHER}": LAUNCHER,
    "share/cniwire/conf": "share/conf",
    "share/bash-completion/completions/cniwire": "share/completion/cniwire.bash",
    "share/zsh/site-functions/_cniwire": "share/completion/_cniwire",
    "share/fish/vendor_completions.d/cniwire.fish": "share/completion/cniwire.fish",
}
PATIENCE_S = 2  # for calls that were under way when the links went


class Place:
    """Where things go. Paths are those on the node; `real` puts DESTDIR before them, for packagers."""

    def __init__(self, destdir: str, prefix: str, bindir: str):
        for name, path in (("PREFIX", prefix), ("BINDIR", bindir)):
            if not os.path.isabs(path):
                raise Refused(f"{name}={path}: an absolute path, please: links will name it")
        self.destdir = destdir
        self.prefix, self.bindir = os.path.normpath(prefix), os.path.normpath(bindir)
        self.lib = f"{self.prefix}/lib/cniwire"
        if f"{self.bindir}/".startswith(f"{self.lib}/"):
            raise Refused(f"BINDIR={bindir}: the suite itself goes there, as one folder a version")

    def real(self, path: str) -> Path:
        return Path(f"{os.path.abspath(self.destdir)}{path}" if self.destdir else path)

    def links(self) -> dict[str, str]:
        """Each link outside of lib/cniwire, and its target.

        Targets are absolute, because the folder of a link may be a link itself.
        """
        current = f"{self.lib}/{CURRENT}"
        plugins = {f"{self.bindir}/{name}": f"{current}/{name}" for name in PLUGINS}
        shared = {f"{self.prefix}/{path}": f"{current}/{target}" for path, target in SHARED.items()}
        return {**plugins, **shared}

    def is_ours(self, path: str) -> bool:
        """Whether what stands at *path* is a link into lib/cniwire."""
        real = self.real(path)
        if not real.is_symlink():
            return False
        target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(real)))
        return target.startswith(f"{self.lib}/")


class Record:
    """A file with what an installation has made outside of lib/cniwire: links, and new folders."""

    def __init__(self, file: Path):
        self.file = file
        self.links: list[str] = []
        self.folders: list[str] = []
        if file.exists():
            told = json.loads(file.read_text())
            self.links, self.folders = told["links"], told["folders"]

    def write(self) -> None:
        fresh = self.file.with_name(f"{self.file.name}{FRESH}")
        values = {"links": sorted(set(self.links)), "folders": sorted(set(self.folders))}
        fresh.write_text(json.dumps(values, indent=1))
        fresh.rename(self.file)


@contextmanager
def alone(lib: Path) -> Iterator[None]:
    """Hold the lock of *lib* for the block, so that no other installation runs. Raises Refused."""
    with open(lib / LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{lib}: somebody else is installing there") from None
        yield


def copy(source: Path, target: Path) -> None:
    """A file or link, with its owner."""
    shutil.copy2(source, target, follow_symlinks=False)
    owner = source.lstat()
    os.chown(target, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_folder(path: str, place: Place) -> list[str]:
    """Make a folder and those above it; returns those that were not there. Raises Refused."""
    missing: list[str] = []
    while not place.real(path).is_dir():
        if os.path.lexists(place.real(path)):
            raise Refused(f"{path} is there, and is no folder")
        missing.insert(0, path)
        path = os.path.dirname(path)
    for each in missing:
        place.real(each).mkdir()
    return missing


def remove_folders(paths: Iterable[str], place: Place) -> None:
    """Remove the folders that are empty, the deepest first."""
    for path in sorted(paths, key=len, reverse=True):
        try:
            place.real(path).rmdir()
        except OSError:
            continue  # somebody put something there


def link(path: str, target: str, place: Place) -> None:
    """Put a link at *path*; what somebody else has there is kept aside."""
    real = place.real(path)
    if os.path.lexists(real) and not place.is_ours(path):
        kept = Path(f"{place.real(place.lib)}/{REPLACED}{path}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        put(kept, lambda fresh: copy(real, fresh))
        kept_in = f"{place.lib}/{REPLACED}"
        print(f"{path} was there before: kept in {kept_in}, and brought back by `make uninstall`")
    if target_of(real) != target:
        put(real, lambda fresh: fresh.symlink_to(target))


def install(bundle: Path, place: Place) -> None:
    """Put *bundle* in place of what is there. Raises Refused, OSError; the old one is current then."""
    lib, links = place.real(place.lib), place.links()
    for path in links:
        if place.real(path).is_dir() and not place.real(path).is_symlink():
            raise Refused(f"{path} is a folder, and should be a link: nothing was installed")
    made = make_folder(place.lib, place)
    try:
        with alone(lib):
            try:
                name, before = deposit(bundle, lib), target_of(lib / CURRENT)
            except Refused as error:
                raise Refused(f"{error}: nothing was installed") from None
            put(lib / CURRENT, lambda fresh: fresh.symlink_to(name))
            record = Record(lib / RECORD)
            for path, target in links.items():
                record.folders += [*made, *make_folder(os.path.dirname(path), place)]
                record.links.append(path)
                record.write()
                link(path, target, place)
            sweep(lib, {name, before})
    except BaseException:
        if not os.path.lexists(lib / CURRENT):
            (lib / LOCK).unlink(missing_ok=True)
            remove_folders(made, place)
        raise
    print(f"{place.lib}/{name}, and links to it in {place.bindir} and {place.prefix}")


def uninstall(place: Place, keep: bool = False) -> None:
    """Take all of it away, and bring back what was replaced. Raises Refused, OSError.

    keep: only the plugins go from BINDIR; `cniwire` stays, with plugins of its own beside it.
    """
    lib = place.real(place.lib)
    if not lib.is_dir():
        raise Refused(f"{place.lib}: nothing is installed there (PREFIX=, DESTDIR=)")
    with alone(lib):
        record = Record(lib / RECORD)
        stays = [path for path in record.links if keep and os.path.dirname(path) != place.bindir]
        for path in [each for each in record.links if each not in stays]:
            real, kept = place.real(path), Path(f"{lib}/{REPLACED}{path}")
            if os.path.lexists(real) and not place.is_ours(path):
                print(f"{path} is somebody else's by now: left alone")
            elif os.path.lexists(kept):
                put(real, lambda fresh, kept=kept: copy(kept, fresh))  # type: ignore[misc]
            else:
                real.unlink(missing_ok=True)
        record.links = stays
        record.write()
        if keep:
            print(
                f"the plugins are gone from {place.bindir}; cniwire stays until `make uninstall` without KEEP"
            )
            return
        patience = time.monotonic() + PATIENCE_S
        while (alive := sweep(lib, ())) and time.monotonic() < patience:
            time.sleep(0.05)
        if alive:
            runs = f"{', '.join(alive)} in {place.lib} still runs"
            raise Refused(f"the links are gone, but {runs}: once more, please, when it has ended")
        shutil.rmtree(lib)
    remove_folders(record.folders, place)
    print(f"{place.lib} and the links to it are gone")


def main() -> int:
    about = "Install the bundle in FOLDER, or take away what was installed."
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", help="the bundle; none: uninstall")
    for option in ("--destdir", "--prefix", "--bindir"):
        parser.add_argument(option, default="")
    parser.add_argument("--keep", action="store_true", help="uninstall: the command cniwire stays")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        place = Place(options.destdir, options.prefix, options.bindir)
        install(options.folder, place) if options.folder else uninstall(place, options.keep)
    except (Refused, OSError) as error:
        print(f"{'install' if options.folder else 'uninstall'}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
