"""Files as a value: what goes into an archive, a package or an image, before any of them is made.

Modes say only whether something is executable; owners and times are none of a tree's business.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class File:
    """A file with its content, or a symbolic link with its target."""

    content: bytes = b""
    executable: bool = False
    target: str = ""

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644


Tree = Mapping[str, File]  # by path, relative and with slashes


def link(target: str) -> File:
    return File(target=target)


def text(*lines: str) -> File:
    return File("".join(f"{line}\n" for line in lines).encode())


def read(path: Path) -> File:
    """A file as it is; a link is followed."""
    return File(path.read_bytes(), os.access(path, os.X_OK))


def below(folder: Path, prefix: str = "") -> dict[str, File]:
    """All files in *folder*, with *prefix* before their paths; links stay links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = f"{prefix}{path.relative_to(folder).as_posix()}"
        if path.is_symlink():
            found[name] = link(os.readlink(path))
        elif path.is_file():
            found[name] = read(path)
    return found


def moved(tree: Tree, prefix: str) -> dict[str, File]:
    return {f"{prefix}{path}": file for path, file in tree.items()}


def folders(tree: Tree) -> Iterator[str]:
    """Every folder that a file of *tree* lies in, the outer before the inner."""
    found = {str(each) for path in tree for each in PurePosixPath(path).parents}
    yield from sorted(found - {"."})


def write(tree: Tree, folder: Path, epoch: int) -> None:
    """Make the files of *tree* in *folder*, all of them with the time *epoch*."""
    for name in (".", *folders(tree)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, file in tree.items():
        path = folder / name
        if file.target:
            path.symlink_to(file.target)
        else:
            path.write_bytes(file.content)
            path.chmod(file.mode)
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
