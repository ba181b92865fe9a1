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
from collections.abc import Iterable
from pathlib import Path

from launcher.installation.suites import origin

PLUGINS = ("bridge", "host-local", "portmap", "loopback", "static", "tuning", "bandwidth", "firewall")
LAUNCHER = "cniwire"
STATIC = "cniwire-plugins"  # the one file of all plugins (make dist)
EXECUTABLES = (*PLUGINS, LAUNCHER)
CURRENT, LOCK, RECORD, REPLACED, FRESH = "current", "lock", "installed.json", "replaced", ".new"
OURS = (CURRENT, LOCK, RECORD, REPLACED, FRESH)  # beside the versions; whatever else stands there is one
UNVERSIONED = (*EXECUTABLES, "lib")  # files of a release that had no versions
OTHERS = ("share/conf", "share/completion")  # besides executables; both are for people
MEMBERS = (*EXECUTABLES, "lib", "share", STATIC, f"{STATIC}.licenses")  # of a suite; nothing else is copied
SHARED = {  # below a prefix, and what it is below the current version
    f"bin/{LAUNCHER}": LAUNCHER,
    "share/cniwire/conf": "share/conf",
    "share/bash-completion/completions/cniwire": "share/completion/cniwire.bash",
    "share/zsh/site-functions/_cniwire": "share/completion/_cniwire",
    "share/fish/vendor_completions.d/cniwire.fish": "share/completion/cniwire.fish",
}
MODULES = "lib/cniwire.modules"  # without which a plugin of `make bundle` cannot start
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


def ask(folder: Path, whole: bool = True) -> None:
    """Start every executable in *folder*. Raises Refused unless each says which versions it speaks.

    whole: the launcher and what is for people must be there, too.
    """
    told = "the new bundle" if folder.name == FRESH or whole else folder.name
    for name in OTHERS if whole else ():
        if not (folder / name).exists():
            raise Refused(f"{told} has no {name}")
    for name in EXECUTABLES if whole or (folder / LAUNCHER).exists() else PLUGINS:
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
        raise Refused(f"{name} of {told} does not answer: {answer}")


def deposit(bundle: Path, lib: Path, whole: bool = True) -> tuple[str, bool]:
    """Copy *bundle* into a folder of its own in *lib*; the folder's name, and whether it is new.

    Where an undamaged copy of it exists already, its name is returned instead. whole: as for `ask`.
    Raises Refused.
    """
    fresh = lib / FRESH
    discard(fresh)  # of one that was interrupted
    try:
        copy_members(bundle, fresh)
        ask(fresh, whole)
        version = origin(fresh / PLUGINS[0]).version or "unknown"
        content = digest(fresh)
        name, again = f"{version}-{content}", 1
        while (lib / name).exists():
            if digest(lib / name) == content:
                return name, False
            again += 1  # damaged: it may still be in use
            name = f"{version}-{content}-{again}"
        os.sync()  # whole before it has a name, whenever the power fails
        fresh.rename(lib / name)
        return name, True
    finally:
        discard(fresh)


def copy_members(bundle: Path, fresh: Path) -> None:
    """Copy what belongs to a suite, to be read by all, whatever umask it was built under. Raises Refused."""
    found = [bundle / name for name in MEMBERS if os.path.lexists(bundle / name)]
    if not found:
        raise Refused(f"there are no plugins in {bundle}")
    fresh.mkdir()
    try:
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, fresh / path.name, symlinks=True)
            else:
                shutil.copy2(path, fresh / path.name, follow_symlinks=False)
    except shutil.Error as error:
        path, _, reason = error.args[0][0]  # of all that could not be copied, the first
        raise Refused(f"cannot copy {path}: {reason}") from None
    except OSError as error:
        raise Refused(f"cannot copy {error.filename or bundle}: {error.strerror}") from None
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def is_whole(folder: Path) -> bool:
    """Whether a version is as it was when it got its name."""
    return digest(folder) in folder.name.split("-")


def is_static(folder: Path) -> bool:
    """Whether each plugin is a file that needs no other."""
    return not (folder / MODULES).exists()


def target_of(path: Path) -> str:
    """What the link says, "" where there is none."""
    return os.readlink(path) if path.is_symlink() else ""


def running(folders: Iterable[Path]) -> set[Path]:
    """Those of *folders* from which a process runs, this one aside.

    A process that we may not look at counts as one of every folder, if it has the name of an executable
    of ours.
    """
    files = {}
    for each in folders:
        for path in (each / name for name in EXECUTABLES if (each / name).exists()):
            files[path.stat().st_dev, path.stat().st_ino] = each
    found: set[Path] = set()
    others = (path for path in Path("/proc").glob("[0-9]*") if path.name != str(os.getpid()))
    for process in others:
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
    discard(lib / FRESH)  # of one that was interrupted
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
