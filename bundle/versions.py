"""The versions of the suite in one folder: tried before they are named, kept while they are in use.

A plugin finds its contents beside the file that was executed. So a running plugin needs the folder
of its version until it ends.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from core.cni.version import SUITE

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ("bridge", "host-local", "portmap", "loopback", "static", "tuning", "bandwidth", "firewall")
LAUNCHER = "cniwire"
STATIC = "cniwire-plugins"  # the one file of all plugins (make dist)
EXECUTABLES = (*PLUGINS, LAUNCHER)
CURRENT, LOCK, RECORD, REPLACED, FRESH = "current", "lock", "installed.json", "replaced", ".new"
OURS = (CURRENT, LOCK, RECORD, REPLACED, FRESH)  # of lib/cniwire; whatever else stands there is a version
UNVERSIONED = (*EXECUTABLES, "lib")  # files of a release that had no versions
OTHERS = ("share/conf", "share/completion")  # besides executables; both are for people
ANSWER_S = 20  # how long an executable may take to say its version
LONGEST_ANSWER = 300  # of what it says instead


class Refused(Exception):
    """What is said to the person who installs, in one line."""


def digest(folder: Path) -> str:
    """A hash of all that is in *folder*: names, modes, contents, targets of links."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
        content = os.readlink(path).encode() if stat.S_ISLNK(mode) else content
        whole.update(f"{path.relative_to(folder)}\0{mode:o}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:12]


def ask(folder: Path) -> None:
    """Start every executable in *folder*. Raises Refused unless each says which versions it speaks."""
    for name in OTHERS:
        if not (folder / name).exists():
            raise Refused(f"the new bundle has no {name}")
    for name in EXECUTABLES:
        command = [str(folder / name), *(["--help"] if name == LAUNCHER else [])]
        environ = {"CNI_COMMAND": "VERSION"}
        try:
            done = subprocess.run(
                command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S
            )
            if done.returncode == 0 and (name == LAUNCHER or json.loads(done.stdout)["supportedVersions"]):
                continue
            said = (done.stdout + done.stderr).decode(errors="replace")
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
            said = str(error)
        answer = " ".join(said.split())[:LONGEST_ANSWER] or "it says nothing"
        raise Refused(f"{name} of the new bundle does not answer: {answer}")


def deposit(bundle: Path, lib: Path) -> str:
    """Copy *bundle* into a folder of its own in *lib*, and return the folder's name. Raises Refused.

    Where an undamaged copy of it exists already, its name is returned instead.
    """
    fresh = lib / FRESH
    discard(fresh)  # of one that was interrupted
    try:
        try:
            shutil.copytree(bundle, fresh, symlinks=True)
        except shutil.Error as error:
            path, _, reason = error.args[0][0]  # of all that could not be copied, the first
            raise Refused(f"cannot copy {path}: {reason}") from None
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():  # readable by all, whoever built it under whatever umask
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        ask(fresh)
        content = digest(fresh)
        name, again = f"{SUITE}-{content}", 1
        while (lib / name).exists():
            if digest(lib / name) == content:
                return name
            again += 1  # damaged: it may still be in use
            name = f"{SUITE}-{content}-{again}"
        os.sync()  # whole before it has a name, whenever the power fails
        fresh.rename(lib / name)
        return name
    finally:
        discard(fresh)


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Let *make* make something beside *path*, and put it there by one rename."""
    fresh = path.with_name(f".{path.name}{FRESH}")
    fresh.unlink(missing_ok=True)
    make(fresh)
    fresh.rename(path)


def target_of(path: Path) -> str:
    """What the link says, "" where there is none."""
    return os.readlink(path) if path.is_symlink() else ""


def running(folders: Iterable[Path]) -> set[Path]:
    """Those of *folders* from which a process runs.

    A process that we may not look at counts as one of every folder, if it has the name of an executable
    of ours.
    """
    files = {}
    for each in folders:
        for path in (each / name for name in EXECUTABLES if (each / name).exists()):
            files[path.stat().st_dev, path.stat().st_ino] = each
    found: set[Path] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:  # by inode, because the file may have another path in the mounts of the process
            executable = (process / "exe").stat()
            folder = files.get((executable.st_dev, executable.st_ino))
            found.update([folder] if folder else [])
        except PermissionError:
            try:
                found.update(files.values() if (process / "comm").read_text().strip() in EXECUTABLES else ())
            except OSError:
                continue  # it has ended
        except OSError:
            continue  # it has ended, or is a kernel thread
    return found


def sweep(lib: Path, keep: Iterable[str]) -> list[str]:
    """Remove all versions but those to *keep*; returns those that stay because something runs from them.

    "" is the name of the files that have no version.
    """
    folders = [path for path in lib.iterdir() if path.is_dir()]
    versions = {path.name: [path] for path in folders if path.name not in (*OURS, *UNVERSIONED)}
    versions[""] = [lib / name for name in UNVERSIONED if os.path.lexists(lib / name)]
    alive = {"" if folder == lib else folder.name for folder in running(lib / name for name in versions)}
    for name, paths in versions.items():
        for path in paths if name not in (*keep, *alive) else ():
            path.rename(lib / FRESH)
            discard(lib / FRESH)
    return sorted(alive & versions.keys())


def discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
