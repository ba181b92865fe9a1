"""One folder, one case: an executable is called, its answer and the files that it leaves are compared.

    plugin         name of the executable
    env            its environment, KEY=VALUE a line; no PATH and nothing else but what the interpreter needs
    stdin.json     standard input; none: closed at once
    exit           exit code; none: 0
    stdout.json    standard output, to the byte; none: nothing
    stderr         standard error, likewise
    before, after  files of $TMP/n1, before (last changed in 1970) and after the call; no after: as before.
                   Hidden files are the plugin's own affair

In all of them $TMP is the case's scratch folder and $VERSION our version.
"""

import os
import subprocess
from pathlib import Path

import pytest

from core.cni.version import SUITE

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/plugin"))
INTERPRETER = {"PATH": os.environ["PATH"]}


def content(path: Path, folder: Path) -> bytes:
    """What a file of the case says, empty when there is none."""
    if not path.exists():
        return b""
    return path.read_bytes().replace(b"$TMP", os.fsencode(folder)).replace(b"$VERSION", SUITE.encode())


def files(folder: Path) -> dict[str, bytes]:
    """Name and content of the files that are not hidden."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")} if folder.is_dir() else {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_the_recorded_one(case: Path, plugins: Path, tmp_path: Path) -> None:
    """S-35, S-36, S-39, S-42, S-43, S-46, S-51, S-55, S-67, H-1, H-24: the golden samples, byte for byte."""
    store = tmp_path / "n1"
    before = files(case / "before")
    if before:
        store.mkdir()
    for name, data in before.items():
        (store / name).write_bytes(data)
        os.utime(store / name, (0, 0))
    environ = dict(line.split("=", 1) for line in content(case / "env", tmp_path).decode().splitlines())
    done = subprocess.run(
        [plugins / content(case / "plugin", tmp_path).decode().strip()],
        env={**INTERPRETER, **environ},
        input=content(case / "stdin.json", tmp_path),
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.decode() == content(case / "stdout.json", tmp_path).decode()
    assert done.stderr.decode() == content(case / "stderr", tmp_path).decode()
    assert done.returncode == int(content(case / "exit", tmp_path) or 0)
    assert files(store) == (files(case / "after") or before)


def test_there_are_cases() -> None:
    assert len(CASES) > 20
