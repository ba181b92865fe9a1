"""README's section "By hand", line by line as it stands there.

`sudo` and `cniwire` are found on PATH, as they are where cniwire is installed.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.host import Host
from tests.harness.traffic import ask_http

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## By hand\n\n(.*?)\n\n", re.MULTILINE | re.DOTALL)
LINES: list[str] = [
    line.partition("#")[0].strip()
    for line in SECTION.findall((ROOT / "README.md").read_text())[0].splitlines()
]


class Shell:
    """A person's terminal in the checkout: sudo is a program that executes what follows it."""

    def __init__(self, host: Host, folder: Path):
        self.tools = folder / "tools"
        self.tools.mkdir()
        bundled = host.plugins / "cniwire"
        command = str(bundled) if bundled.exists() else f"{sys.executable} -m launcher"
        for name, text in (("sudo", 'exec "$@"'), ("cniwire", f'exec {command} "$@"')):
            (self.tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.tools / name).chmod(0o755)
        plugins = host.plugins
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{self.tools}:/usr/bin:/usr/sbin:/bin:/sbin",
            "CNI_PATH": str(plugins),
        }

    def start(self, line: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            shlex.split(line), cwd=ROOT, env=self.environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def __call__(self, line: str, stdin: str = "") -> str:
        with self.start(line) as process:
            said = "".join(process.communicate(stdin, timeout=60))
        assert process.returncode == 0, f"{line}: {said}"
        return said


@pytest.fixture
def shell(host: Host, tmp_path: Path) -> Shell:
    return Shell(host, tmp_path)


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process in a network namespace of its own."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def the_line(word: str) -> str:
    return next(line for line in LINES if f"cniwire {word}" in line)


def test_every_line_of_the_section_is_tried_here() -> None:
    assert [re.findall(r"cniwire (\w+)", line) for line in LINES] == [
        ["up"],
        ["run"],
        ["attach"],
        ["ls"],
        ["lab"],
    ]


def test_up_and_ls(shell: Shell) -> None:
    """And `down web`, as the comment says."""
    try:
        shell(the_line("up"))
        assert "web" in shell(the_line("ls"))
    finally:
        shell("cniwire down web")


def test_run(shell: Shell, host: Host) -> None:
    process = shell.start(the_line("run"))
    try:
        answer = ""
        for _ in range(100):
            try:
                answer = ask_http(host, "127.0.0.1", 8080, "/")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                signal.sigtimedwait([], 0.1)
        assert "Directory listing" in answer
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_attach(shell: Shell, stranger: int) -> None:
    line = the_line("attach")
    assert line.endswith(" 4711")
    shell(line.replace("4711", str(stranger)))
    shell(f"cniwire detach conf/10-bridge.conflist {stranger}")


def test_lab(shell: Shell) -> None:
    shell.environ["SHELL"] = "/bin/sh"
    assert shell(the_line("lab"), stdin="ls /sys/class/net\n").split() == ["lo"]
