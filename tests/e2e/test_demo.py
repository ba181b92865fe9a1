"""`make run`, as root and as somebody without any rights, and when something is wrong."""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import lab

ROOT = Path(__file__).resolve().parents[2]


def demo(plugins: Path, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the demo on the executables in *plugins*, from outside of any lab as it seems to it."""
    environ = {key: value for key, value in os.environ.items() if key != lab.MARK}
    environ |= {"CNI_PATH": str(plugins), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "launcher.demo"]
    return subprocess.run(
        command, env=environ, cwd="/", user=user, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_the_demo_does_all_that_it_says(plugins: Path, user: str) -> None:
    """It wires two containers, sends packets of both families and protocols, checks, draws, cleans up."""
    if user != "root" and "4294967295" not in Path("/proc/self/uid_map").read_text():
        pytest.skip("the tests run without root themselves, so the other run is this one")
    if subprocess.run(
        ["/usr/bin/test", "-x", sys.executable, "-a", "-r", ROOT], user=pwd.getpwnam(user).pw_uid
    ).returncode:
        pytest.skip(f"{user} may not execute {sys.executable}")
    done = demo(plugins, user)
    assert (done.returncode, done.stderr.count("✘")) == (0, 0), done.stdout + done.stderr
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert len(re.findall(r"✔ ICMP .* ms", said)) == 8
    assert len(re.findall(r"✔ (TCP|UDP) .* web sees .* ms", said)) == 10
    assert "db/eth0  10.77.0.3/24  fd00:77::3/64" in said
    assert re.search(r"nft elements +0 +\d+ +0$", said, re.MULTILINE)
    assert "nothing that belonged to a container is left" in said


def test_the_demo_fails_when_a_step_fails(tmp_path: Path) -> None:
    """Without plugins there is nothing to show: exit code 1, and the step is named."""
    done = demo(tmp_path)
    assert (done.returncode, "cniwire up ended with" in done.stdout) == (1, True)
