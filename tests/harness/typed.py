"""What a person types into a shell in a lab: the blocks of a page, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A person waits until the server is there that was started in the line before.
CURL = "--silent --retry 30 --retry-delay 1 --retry-connrefused"


def in_a_lab(plugins: Path, folder: Path, blocks: Sequence[str]) -> list[str]:
    """What each of *blocks* printed, stdout and stderr as they came, typed one after the other into one lab.

    plugins: the executables, of which `cniwire` is that of the bundle if it has one. folder: for
    programs, and where the shell stands, with conf/ and bin/ as in a checkout. Raises AssertionError.
    """
    environ = surroundings(plugins, folder)
    lines = "".join(f"echo '== {number}'\n{text}\n" for number, text in enumerate(blocks))
    done = subprocess.run(
        [folder / "tools" / "cniwire", "lab"],
        cwd=folder,
        env=environ,
        input=f"exec 2>&1\n{lines}echo '== end'\nkill $! 2>/dev/null\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    before, *parts = re.split(r"^== \w+\n", done.stdout, flags=re.MULTILINE)
    assert (before, len(parts)) == ("", len(blocks) + 1), done
    return parts[:-1]


def surroundings(plugins: Path, folder: Path) -> dict[str, str]:
    """The environment of that shell; the programs in it are written into *folder*."""
    tools = folder / "tools"
    tools.mkdir()
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / "bin").symlink_to(plugins)
    bundled = plugins / "cniwire"
    command = str(bundled) if bundled.exists() else f"{sys.executable} -m launcher"
    for name, text in (("cniwire", command), ("curl", f"{shutil.which('curl')} {CURL}")):
        (tools / name).write_text(f'#!/bin/sh\nexec {text} "$@"\n')
        (tools / name).chmod(0o755)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tools}:/usr/bin:/usr/sbin:/bin:/sbin",
        "CNI_PATH": str(plugins),
        "SHELL": "/bin/sh",
        "LC_ALL": "C.UTF-8",
    }
