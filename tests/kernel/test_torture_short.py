"""The short forms of `make torture-crash` and `make torture-faults`: some points of each, to know that they still bite and find nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("torture", ["crash", "faults"])
def test_torture_finds_nothing(torture: str, plugins: Path) -> None:
    """H-56 and its like for every plugin."""
    command = [sys.executable, "-m", f"tests.torture.{torture}", "--short", "--plugins", str(plugins)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 with a leak or another fault" in done.stdout.splitlines()[-1], done.stdout
