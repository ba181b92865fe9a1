"""A plugin directory that holds our executables and nothing else.

The directories in which the system may have other plugins are empty as long as it is there. So whatever a
runtime finds, it is ours.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.lab import libc, mount, private

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(sorted(path.name for path in (ROOT / "bin").iterdir() if path.is_file()))
DIRECTORY = Path("/opt/cni/bin")  # where every runtime looks if not told otherwise
OTHERS = tuple(
    f"{prefix}/cni" for prefix in ("/usr/lib", "/usr/libexec", "/usr/local/lib", "/usr/local/libexec")
)
MNT_DETACH = 2


@contextmanager
def only_ours(plugins: Path) -> Iterator[Path]:
    """Fill /opt/cni/bin with links to the executables in the folder *plugins*; hide all other plugins.

    Only in a lab: what is mounted is seen by all of its processes until the end of the block.
    """
    mounted = [str(DIRECTORY.parent)]
    private(mounted[0], "755")
    try:
        DIRECTORY.mkdir()
        for name in OURS:
            (DIRECTORY / name).symlink_to(plugins / name)
        for other in filter(os.path.isdir, OTHERS):
            mount("tmpfs", other, "tmpfs")
            mounted.append(other)
        yield DIRECTORY
    finally:
        for path in reversed(mounted):
            libc.umount2(path.encode(), MNT_DETACH)


def witnessed(plugins: Path) -> str:
    """One line for the log: which plugins a runtime can find. Raises AssertionError if one is not ours.

    plugins: the folder of the executables under test.
    """
    found = {path.name: path.resolve() for path in DIRECTORY.iterdir()}
    assert found == {name: (plugins / name).resolve() for name in OURS}
    strangers = [path for other in OTHERS if os.path.isdir(other) for path in os.listdir(other)]
    assert strangers == []
    return f"{DIRECTORY} holds {' '.join(sorted(found))}; {', '.join(OTHERS)} hold none"
