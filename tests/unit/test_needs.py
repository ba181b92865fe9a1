"""`.ci/needs`: what is missing is named in one line, by the packages that bring it."""

import os
import subprocess
from pathlib import Path

import pytest

NEEDS = Path(__file__).resolve().parents[2] / ".ci" / "needs"
APT = {  # of a distribution, what `apt-cache depends python3` and `apt-cache pkgnames` say
    "bookworm": ("  Depends: python3.11", "python3.11"),
    "jammy": ("  Depends: python3.10", "python3.10\\npython3.11\\npython3.11-venv"),
    "bullseye": ("  Depends: python3.9", "python3.9"),
}
ELSEWHERE = "Debian 12 has one as python3, Ubuntu 22.04 as python3.11 with python3.11-venv"


def asked(folder: Path, *targets: str, apt: str, python: str = "") -> tuple[int, str]:
    """Exit code and text, on a machine that has only a shell's tools, and a Python of that version."""
    depends, names = APT[apt]
    programs = {"apt-cache": f"case $1 in depends) echo '{depends}' ;; pkgnames) printf '{names}\\n' ;; esac"}
    if python:
        programs["python3"] = f"echo {python}"
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    for name in ("cat", "sh", "grep", "sed", "sort", "tail", "head"):
        (folder / name).symlink_to(f"/bin/{name}" if os.path.exists(f"/bin/{name}") else f"/usr/bin/{name}")
    done = subprocess.run(
        [NEEDS, *targets],
        env={"PATH": str(folder), "PYTHON": f"{folder}/python3"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.replace(f"{folder}/", "")


def test_a_machine_without_python_is_told_what_its_distribution_has(tmp_path: Path) -> None:
    wanted = "make run needs system packages that are not here: apt-get install python3 python3.11-venv\n"
    assert asked(tmp_path, "run", apt="bookworm") == (1, wanted)


def test_make_test_asks_for_all_it_needs_at_once(tmp_path: Path) -> None:
    code, text = asked(tmp_path, "run", "bundle", "test", apt="bookworm")
    assert (code, text.count("\n")) == (1, 1)
    packages = "python3 python3.11-venv binutils libpython3.11 gcc"
    assert text.startswith(f"make test needs system packages that are not here: apt-get install {packages}")
    assert {"zlib1g-dev", "libexpat1-dev", "libpython3.11-dev"} <= {*text.split()}


@pytest.mark.parametrize(
    ("apt", "version", "says"),
    [
        ("jammy", "3.10", "apt-get install python3.11 python3.11-venv"),
        ("bullseye", "3.9", f"none is in apt's lists; {ELSEWHERE}"),
    ],
)
def test_a_python_that_is_too_old_is_told_with_its_version_and_what_is_newer(
    tmp_path: Path, apt: str, version: str, says: str
) -> None:
    wanted = f"cniwire needs Python 3.11 or newer, and python3 is {version}: {says}\n"
    assert asked(tmp_path, "run", "bundle", "test", apt=apt, python=version) == (1, wanted)
