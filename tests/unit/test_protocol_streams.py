"""main: file descriptors, exit codes, the bare call; all with real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from core.cni.main import REFERENCE
from core.cni.version import SUITE
from tests.harness.stub_plugin import config, environ

ROOT = Path(__file__).resolve().parents[2]
RESULT = b"""{
    "cniVersion": "1.1.0",
    "interfaces": [
        {
            "name": "eth0"
        }
    ]
}"""
PLUGIN = """
import os
from core.errors import CNIError
from core.cni.main import main

class Plugin:
    NAME = "stub"
    VERSIONS = ("1.0.0", "1.1.0")

def add(request):
    with open(os.environ["NOTES"], "w") as notes:  # takes the lowest free descriptor, and stays open
        globals()["kept"] = notes, os.dup(notes.fileno())
        return {"interfaces": [{"name": request.attachment.ifname}]}

def huge(request):
    return {"x": "y" * 300_000}

def fail(request):
    raise CNIError(11, "no")

Plugin.COMMANDS = {"ADD": add, "DEL": fail, "CHECK": lambda request: None, "GC": lambda request: os._exit(9)}
if "HUGE" in os.environ:
    Plugin.COMMANDS["ADD"] = huge
main(Plugin, {})
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Sequence[str]:
    script = tmp_path / "stub"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{PLUGIN}")
    return [sys.executable, "-I", "-S", str(script)]


def call(
    plugin: Sequence[str], environment: dict[str, str], **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    options = {"input": config(), "capture_output": True, **options}
    if "stdin" in options:
        del options["input"]
    return subprocess.run(
        plugin, env={"NOTES": str(Path(plugin[-1]).parent / "notes"), **environment}, timeout=30, **options
    )


def shell(plugin: Sequence[str], redirection: str) -> list[str]:
    return ["sh", "-c", f'exec "$@" {redirection}', "sh", *plugin]


def test_a_result_is_the_only_thing_on_stdout(plugin: Sequence[str]) -> None:
    """S-1, S-46."""
    done = call(plugin, environ())
    assert (done.returncode, done.stdout, done.stderr) == (0, RESULT, b"")


def test_an_error_is_the_only_thing_on_stdout(plugin: Sequence[str]) -> None:
    """S-44, S-46: exit code 1."""
    done = call(plugin, environ("DEL"))
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout) == {"cniVersion": "1.1.0", "code": 11, "msg": "no"}


def test_silence_is_success(plugin: Sequence[str]) -> None:
    """S-16."""
    done = call(plugin, environ("CHECK"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("command", [None, ""])
def test_a_bare_call_tells_what_it_is(plugin: Sequence[str], command: str | None) -> None:
    """S-39: on stderr, exit code 0, and stdin is left alone."""
    read, write = os.pipe()
    done = call(plugin, {} if command is None else {"CNI_COMMAND": ""}, stdin=read)
    os.close(read)
    os.close(write)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (
        done.stderr.decode()
        == f"CNI stub plugin v{REFERENCE}+cniwire.{SUITE}\nCNI protocol versions supported: 1.0.0, 1.1.0\n"
    )


def test_a_bare_call_with_a_closed_stderr_does_not_crash(plugin: Sequence[str]) -> None:
    """S-39, S-46."""
    done = call(shell(plugin, "2>&-"), {})
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("stdin", ["open", "closed", "garbage"])
def test_version_does_not_read_stdin(plugin: Sequence[str], stdin: str) -> None:
    """S-37."""
    read, write = os.pipe()
    line = shell(plugin, "<&-") if stdin == "closed" else plugin
    options: dict[str, Any] = {"input": b"\xff{" * 100_000} if stdin == "garbage" else {"stdin": read}
    done = call(line, {"CNI_COMMAND": "VERSION"}, **options)
    os.close(read)
    os.close(write)
    assert (done.returncode, json.loads(done.stdout)["supportedVersions"]) == (0, ["1.0.0", "1.1.0"])


@pytest.mark.parametrize("redirection", ["<&-", "0>/dev/null"])
def test_a_stdin_that_cannot_be_read_is_an_io_failure(plugin: Sequence[str], redirection: str) -> None:
    """S-41."""
    done = call(shell(plugin, redirection), environ())
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == 5
    assert json.loads(done.stdout)["msg"].endswith(": Bad file descriptor")
    assert not Path(plugin[-1]).with_name("notes").exists()


def test_a_directory_as_stdin_is_refused_by_the_interpreter_itself(plugin: Sequence[str]) -> None:
    """S-41: no code 5, as Python ends before our first line; still a failure, and stdout stays clean."""
    done = call(shell(plugin, "</"), environ())
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"is a directory, cannot continue" in done.stderr


def test_stdin_is_read_to_its_end_in_pieces(plugin: Sequence[str]) -> None:
    """S-1, S-41: also where the runtime's pipe does not block."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    with subprocess.Popen(plugin, env=environ("CHECK"), stdin=read, stdout=subprocess.PIPE) as child:
        os.close(read)
        for piece in (config()[:10], config()[10:]):
            sleep(0.1)
            os.write(write, piece)
        os.close(write)
        assert child.communicate(timeout=30)[0] == b""
    assert child.returncode == 0


def test_a_closed_stdout_is_a_failure_and_no_file_is_written_in_its_place(plugin: Sequence[str]) -> None:
    """S-46: an answer that could not be delivered."""
    done = call(shell(plugin, ">&-"), environ())
    assert (done.returncode, done.stderr) == (1, b"")
    assert Path(plugin[-1]).with_name("notes").read_bytes() == b""


def test_with_all_streams_closed_it_still_ends_in_order(plugin: Sequence[str]) -> None:
    """S-41, S-46."""
    assert call(shell(plugin, "<&- >&- 2>&-"), environ()).returncode == 1
    assert call(shell(plugin, ">&- 2>&-"), environ("CHECK")).returncode == 0


@pytest.mark.parametrize("redirection", [">/dev/full", ">/proc/self/mem", "</dev/null >/dev/full"])
def test_a_full_stdout_is_a_failure(plugin: Sequence[str], redirection: str) -> None:
    """S-46."""
    assert call(shell(plugin, redirection), environ()).returncode == 1


def test_a_reader_that_went_away_is_a_failure(plugin: Sequence[str]) -> None:
    """S-46: EPIPE, not death by signal."""
    read, write = os.pipe()
    os.close(read)
    done = call(plugin, environ(), capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_large_answer_is_written_whole(plugin: Sequence[str]) -> None:
    """S-46: also into a pipe that does not block."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    child = subprocess.Popen(plugin, env={**environ(), "HUGE": "1"}, stdin=subprocess.PIPE, stdout=write)
    os.close(write)
    assert child.stdin is not None
    child.stdin.write(config())
    child.stdin.close()
    with os.fdopen(read, "rb") as answer:
        assert json.loads(answer.read())["x"] == "y" * 300_000
    assert child.wait(30) == 0


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_bytes_in_the_environment_survive_every_locale(plugin: Sequence[str], locale: str) -> None:
    """S-46."""
    done = call(plugin, {**environ(CNI_IFNAME="é"), "LC_ALL": locale})
    assert json.loads(done.stdout)["interfaces"] == [{"name": "é"}]
    done = call(plugin, {**environ(CNI_IFNAME="\udcff"), "LC_ALL": locale})
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 4)
