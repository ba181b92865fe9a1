"""Running a foreign plugin: streams, signals, time, children that it leaves, binaries being replaced."""

import os
import signal
import subprocess
import sys
from errno import EBADF
from pathlib import Path
from threading import Timer
from time import monotonic, sleep

import pytest

from core.cni import process
from core.cni.process import execute

ROOT = Path(__file__).resolve().parents[2]
PATH = {"PATH": os.environ["PATH"]}


def script(folder: Path, text: str) -> str:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_stdin_stdout_stderr_and_exit_status_are_carried(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """S-99: stderr is forwarded to ours, too."""
    plugin = script(tmp_path, 'read line; echo "out $line $VALUE"; echo "err $1" >&2; exit 3')
    before = descriptors()
    assert execute(plugin, {**PATH, "VALUE": "v"}, b"in\n") == (3, b"out in v\n", b"err \n")
    assert capfd.readouterr() == ("", "err \n")
    assert descriptors() == before


@pytest.mark.parametrize("exit_code", [0, 1])
def test_stderr_is_forwarded_whether_it_fails_or_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], exit_code: int
) -> None:
    """S-99, S-101."""
    execute(script(tmp_path, f"echo hello >&2; exit {exit_code}"), PATH, b"")
    assert capfd.readouterr().err == "hello\n"


def test_a_stderr_that_nobody_reads_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-99."""
    plugin = script(tmp_path, "echo hello >&2")

    def closed(*_: object) -> int:
        raise OSError(EBADF, "Bad file descriptor")

    monkeypatch.setattr("core.cni.main.write_all", closed)
    assert execute(plugin, PATH, b"") == (0, b"", b"hello\n")


def test_streams_may_be_opened_again_by_name(tmp_path: Path) -> None:
    """S-99: shell scripts write to /dev/stderr, and more than once."""
    plugin = script(
        tmp_path, "cat /dev/stdin; echo a > /dev/stderr; echo b > /dev/stderr; echo c > /dev/stdout; echo d"
    )
    assert execute(plugin, PATH, b"in\n") == (0, b"in\nc\nd\n", b"a\nb\n")


def test_a_lot_of_output_is_read_while_it_is_written(tmp_path: Path) -> None:
    """S-99: more than a pipe holds, on both streams at once."""
    plugin = script(
        tmp_path, "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"
    )
    status, stdout, stderr = execute(plugin, PATH, b"")
    assert (status, len(stdout), len(stderr)) == (0, 600_000, 300_000)


def test_output_beyond_reason_is_dropped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """S-99."""
    status, stdout, stderr = execute(
        script(tmp_path, "head -c 9000000 /dev/zero; head -c 2000000 /dev/zero >&2"), PATH, b""
    )
    assert (status, len(stdout), len(stderr)) == (0, 1 << 20, 1 << 20)
    assert len(capfd.readouterr().err) == 1 << 20


def test_a_signal_is_a_negative_status(tmp_path: Path) -> None:
    """S-102."""
    assert execute(script(tmp_path, "kill -15 $$"), PATH, b"")[0] == -15


def test_a_child_that_it_leaves_behind_does_not_keep_us_waiting(tmp_path: Path) -> None:
    """S-99: although it holds the output open, and goes on writing."""
    plugin = script(tmp_path, 'yes & echo $! > "$0.child"; echo done >&2; exit 0')
    start = monotonic()
    status, _, stderr = execute(plugin, PATH, b"")
    assert (status, stderr) == (0, b"done\n")
    assert monotonic() - start < 5
    child = int(Path(f"{plugin}.child").read_text())
    for _ in range(200):  # nobody reads any more: it is killed by SIGPIPE
        if not Path("/proc", str(child)).exists():
            return
        sleep(0.02)
    pytest.fail("the child lives on")


def test_a_plugin_that_hangs_is_killed(tmp_path: Path) -> None:
    """S-102: and no descriptor or zombie stays."""
    plugin = script(tmp_path, 'echo $$ > "$0.pid"; echo some; exec sleep 100')
    before, start = descriptors(), monotonic()
    with pytest.raises(TimeoutError, match="did not end within 1 s and was killed"):
        execute(plugin, {**PATH, process.TIMEOUT_VARIABLE: "1"}, b"")
    assert 0.9 < monotonic() - start < 10
    assert descriptors() == before
    assert not Path("/proc", Path(f"{plugin}.pid").read_text().strip()).exists()


def test_a_plugin_that_prints_without_end_is_killed(tmp_path: Path) -> None:
    """S-102: and costs no memory meanwhile."""
    plugin = script(tmp_path, "exec cat /dev/zero")
    with pytest.raises(TimeoutError, match="did not end within 1 s"):
        execute(plugin, {**PATH, process.TIMEOUT_VARIABLE: "1"}, b"")


def test_an_interrupt_ends_the_plugin_too(tmp_path: Path) -> None:
    """S-102."""
    plugin = script(tmp_path, 'echo $$ > "$0.pid"; exec sleep 100')
    timer = Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        execute(plugin, PATH, b"")
    timer.join()
    assert not Path("/proc", Path(f"{plugin}.pid").read_text().strip()).exists()


@pytest.mark.parametrize(
    ("given", "seconds"), [("", 60), ("5", 5), ("x", 60), ("-1", 60), ("1e3", 60), ("9999999", 60), ("²", 60)]
)
def test_the_time_is_whole_seconds_from_the_environment(given: str, seconds: int) -> None:
    assert process._timeout_s({process.TIMEOUT_VARIABLE: given}) == seconds


@pytest.mark.parametrize(
    ("content", "mode", "error"),
    [
        (b"#!/bin/sh\n", 0o644, PermissionError),
        (b"\x7fELF rubbish", 0o755, OSError),
        (b"no shebang", 0o755, OSError),
        (b"#!/no/such/interpreter\n", 0o755, FileNotFoundError),
    ],
)
def test_a_plugin_that_cannot_be_started_is_an_error(
    tmp_path: Path, content: bytes, mode: int, error: type[OSError]
) -> None:
    """S-103."""
    plugin = tmp_path / "plugin"
    plugin.write_bytes(content)
    plugin.chmod(mode)
    before = descriptors()
    with pytest.raises(error):
        execute(str(plugin), PATH, b"")
    assert descriptors() == before


def test_a_binary_that_is_being_replaced_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-103: "Text file busy" is the kernel's own answer here."""
    plugin = script(tmp_path, "echo done")
    pauses: list[float] = []
    with open(plugin, "ab") as writer:

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                writer.close()

        monkeypatch.setattr(process, "sleep", pause)
        assert execute(plugin, PATH, b"") == (0, b"done\n", b"")
    assert pauses == [1.0, 1.0, 1.0]


def test_a_binary_that_stays_busy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-103: after six tries, one second apart."""
    plugin = script(tmp_path, "echo done")
    pauses: list[float] = []
    monkeypatch.setattr(process, "sleep", pauses.append)
    with open(plugin, "ab"), pytest.raises(OSError, match="Text file busy"):
        execute(plugin, PATH, b"")
    assert pauses == [1.0] * 5


def test_the_child_has_the_signals_of_a_fresh_process(tmp_path: Path) -> None:
    """S-99: Python ignores SIGPIPE and SIGXFSZ, its children should not."""
    plugin = script(tmp_path, "grep SigIgn /proc/self/status")
    ignored = int(execute(plugin, PATH, b"")[1].split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


def test_a_runtime_that_ignores_its_children_does_not_confuse_us(tmp_path: Path) -> None:
    """S-102: an inherited SIG_IGN for SIGCHLD makes the kernel throw exit statuses away."""
    plugin = script(tmp_path, "echo done; exit 3")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from core.cni.process import execute; "
    code += f"print(execute({plugin!r}, {PATH!r}, b''))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert (done.stdout, done.stderr) == ("(3, b'done\\n', b'')\n", "")
