"""The short forms of `make torture-crash`, `torture-faults` and `torture-power`: some points of each.

Also: they would find something, if something were wrong.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("torture", ["crash", "faults", "power"])
def test_torture_finds_nothing(torture: str, plugins: Path) -> None:
    """H-56 and its like for every plugin."""
    done = short(torture, "--plugins", str(plugins))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 with a leak or another fault" in done.stdout.splitlines()[-1], done.stdout


def test_torture_by_power_notices_a_store_that_does_not_sync() -> None:
    done = short("power", "--without-fsync")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lost: " in done.stdout
    assert "torn: " in done.stdout


def short(torture: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"tests.torture.{torture}", "--short", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
