"""The short forms of `make torture-model`, `make fuzz` and `make soak` run, and find nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.torture.fuzz import decoders
from tests.torture.fuzz.inputs import Inputs

ROOT = Path(__file__).resolve().parents[2]
IN_PROCESS = ("fuzz",)  # whoever's executables are tested


@pytest.mark.parametrize(
    ("torture", "result"),
    [("model", ", 0 differences"), ("fuzz", " 0 findings"), ("soak", "soak: 0 differences from the start")],
)
def test_torture_finds_nothing(torture: str, result: str, plugins: Path) -> None:
    """S-42 and its like for every input, every order of calls, and a node at work."""
    options = ["--short"] if torture in IN_PROCESS else ["--short", "--plugins", str(plugins)]
    if torture in IN_PROCESS and plugins != ROOT / "bin":
        pytest.skip("runs in process: the executables make no difference")
    done = subprocess.run(
        [sys.executable, "-m", f"tests.torture.{torture}", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert result in done.stdout.splitlines()[-1], done.stdout


@given(st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_no_decoder_fails_in_an_undocumented_way(random: object) -> None:
    """S-42: the same inputs as in `make fuzz`, which Hypothesis can shrink."""
    here = Path.cwd()
    os.chdir("/dev/shm")  # of the lab
    try:
        decoders.decode(Inputs(random), {})  # type: ignore[arg-type]
    finally:
        os.chdir(here)
