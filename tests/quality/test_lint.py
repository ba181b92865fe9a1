"""ruff and mypy --strict over everything, as pyproject.toml configures them."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def passes(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    passes("ruff", "check", "--quiet", ".")


def test_ruff_would_format_nothing_anew() -> None:
    passes("ruff", "format", "--check", "--quiet", ".")


def test_mypy_finds_nothing() -> None:
    passes("mypy")


def test_mypy_finds_nothing_in_the_executables() -> None:
    passes("mypy", *(str(path) for path in sorted((ROOT / "bin").iterdir())))


def test_tests_run_no_program_that_make_test_does_not_ask_for() -> None:
    """Those of procps are on most machines, and on a minimal one not: /proc tells the same."""
    in_shells = r"""(?:^|["';&|(]\s?|\bexec )(?:sysctl|ps|pgrep|pkill|killall|free) -"""
    calls = re.compile(rf"""{in_shells}|\["(?:pgrep|pkill|killall)", """, re.MULTILINE)
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if calls.search(path.read_text())
    ]
    assert found == []
