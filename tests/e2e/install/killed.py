"""Kill an installation at each of its steps: killed.py links|copies FOLDER. Prints how many steps there were.

A step is a system call that changes a directory, or opens a file to be written. Plugins are texts, and there
are two of them: what is proven is the order of steps, which is the same for each name. A process of its own,
because it forks.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launcher.installation import node, switching, versions
from launcher.installation.node import PluginDirectory
from launcher.installation.suites import OURS as CNIWIRE
from launcher.installation.suites import Origin
from launcher.installation.things import Text

NAMES = ("bridge", "host-local")
CHANGING = ("os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
THEIRS, OURS = "theirs", ("first", "second")
COPIES = "copies" in sys.argv


class Killed(Exception):
    """The step at which a process was killed, and what was wrong then."""


def silent(text: str) -> None:
    """What would be told."""


def suite(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(f"{text} {name}")
        (folder / name).chmod(0o755)
    return folder


def place(root: Path) -> PluginDirectory:
    return PluginDirectory(str(root / "bin"), COPIES)


def install(root: Path, text: str) -> None:
    found = place(root)
    also = {found.relative(str(root / "net.d" / "10.conflist")): Text(text)}
    options = {"configuration": next(iter(also))}
    switching.install(root.parent / text, found, silent, whole=False, also=also, options=options)


def rollback(root: Path) -> None:
    switching.rollback(place(root), silent)


def uninstall(root: Path) -> None:
    switching.uninstall(place(root), silent)


def started(root: Path) -> None:
    """A node with another suite's bridge, and its network."""
    (root / "bin").mkdir(parents=True)
    (root / "net.d").mkdir()
    (root / "bin" / "bridge").write_text(f"{THEIRS} bridge")
    (root / "net.d" / "10.conflist").write_text(THEIRS)


Steps = tuple[Callable[[Path], None], ...]
FIRST: Steps = (started, lambda root: install(root, "first"))
SECOND: Steps = (*FIRST, lambda root: install(root, "second"))
# What is done before, what is killed, and whose executables may stand there then.
SCENES: dict[str, tuple[Steps, Callable[[Path], None], tuple[str, ...]]] = {
    "first": (FIRST[:1], FIRST[1], (THEIRS, "first")),
    "upgrade": (FIRST, SECOND[2], OURS),
    "rollback": (SECOND, rollback, OURS),
    "again": ((*SECOND, rollback), SECOND[2], OURS),
    "uninstall": (SECOND, uninstall, (THEIRS, "second")),
}


def killed_at(step: int, act: Callable[[Path], None], root: Path) -> bool:
    """Whether *act* was killed at its *step*th step, or came to its end before."""
    child = os.fork()
    if not child:
        left = [step]

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
            if writes or event in CHANGING:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            act(root)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def look(root: Path, allowed: tuple[str, ...], before: dict[str, str]) -> None:
    """Each name that was there leads to a whole file of one of the suites. Raises Killed."""
    for name in NAMES:
        path = root / "bin" / name
        if not path.exists():
            if f"bin/{name}" in before and not (THEIRS in allowed and name == "host-local"):
                raise Killed(f"{name} leads nowhere")
            continue
        if path.read_text() not in [f"{text} {name}" for text in allowed]:
            raise Killed(f"{name} is {path.read_text()!r}")
    if (root / "net.d" / "10.conflist").read_text() not in (THEIRS, *OURS):
        raise Killed("the configuration is not whole")


def try_all(scene: str, work: Path) -> int:
    """Kill at each step; afterwards an installation and an uninstallation leave what there was at first."""
    steps, act, allowed = SCENES[scene]
    ready = work / "ready"
    for each in steps:
        each(ready)
    original = work / "original"
    started(original)
    step = 0
    while True:
        step += 1
        root = work / "node"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(ready, root, symlinks=True)
        before = tree(root)
        was_killed = killed_at(step, act, root)
        try:
            look(root, allowed, before)
            if step % 2:
                install(root, "second")
                look(root, ("second",), before)
                if left := [path for path in root.rglob(".*") if path.name != node.HIDDEN]:
                    raise Killed(f"left behind: {left}")
            if place(root).home.is_dir():
                uninstall(root)
            if tree(root) != tree(original):
                raise Killed(f"not as at first: {tree(root)}")
        except Exception as error:
            raise Killed(f"{scene}, killed at step {step}: {error!r}") from error
        if not was_killed:
            shutil.rmtree(ready)
            shutil.rmtree(original)
            return step - 1


def main() -> None:
    """Without what takes time and changes nothing."""
    setattr(node, "PLUGINS", NAMES)  # noqa: B010
    for module in (versions, switching):
        setattr(module, "ask", lambda *_, **__: None)  # noqa: B010
    setattr(versions, "origin", lambda _: Origin(CNIWIRE, "1"))  # noqa: B010
    os.sync = lambda: None
    folder = Path(sys.argv[2])
    for text in OURS:
        suite(folder / text, text)
    for scene in SCENES:
        print(scene, try_all(scene, folder))


if __name__ == "__main__":
    main()
