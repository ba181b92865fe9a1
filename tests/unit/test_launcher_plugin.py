"""Finding and calling one plugin executable."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.environment import outer_environ
from launcher.failures import Failure, Interrupted, PluginFailed, PluginMissing, TimedOut
from launcher.plugin import Call, Deadline, call, find
from tests.harness.fake_plugin import FakePlugins


@pytest.fixture
def fakes(tmp_path: Path) -> FakePlugins:
    return FakePlugins(tmp_path / "plugins")


def script(folder: Path, text: str) -> str:
    path = folder / "plug"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_find_takes_the_first_regular_file(tmp_path: Path) -> None:
    """S-98: several directories, first hit; a directory is no executable."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "bridge").mkdir()
    (tmp_path / "b" / "bridge").write_text("")
    (tmp_path / "c" / "bridge").write_text("")
    assert find("bridge", [str(tmp_path / name) for name in "abc"]) == str(tmp_path / "b" / "bridge")


@pytest.mark.parametrize("name", ["", "a/b", "../bridge"])
def test_find_refuses_what_is_no_name(tmp_path: Path, name: str) -> None:
    """S-98: empty, or with a separator."""
    with pytest.raises(PluginMissing, match="type: want the name of a plugin executable"):
        find(name, [str(tmp_path)])


def test_find_without_directories_is_an_error() -> None:
    """S-98."""
    with pytest.raises(PluginMissing, match="plugin 'bridge' not found; searched no directory"):
        find("bridge", [])


def test_call_returns_what_was_printed(fakes: FakePlugins) -> None:
    """S-99: stdin and environment are passed."""
    path = fakes.make("plug", ADD={"stdout": "out", "stderr": "err"})
    assert call(str(path), "ADD", {"CNI_IFNAME": "eth0"}, {"key": "ä"}, Deadline(10)) == (b"out", b"err")
    (made,) = fakes.calls
    assert (made.command, made.config, made.environ) == (
        "ADD",
        {"key": "ä"},
        {"CNI_COMMAND": "ADD", "CNI_IFNAME": "eth0"},
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"json": {"code": 7, "msg": "bad", "details": "why"}, "exit": 1}, (7, "bad", "why")),
        ({"json": {"code": 7, "msg": "bad"}, "stderr": "noise", "exit": 1}, (7, "bad", "")),
        ({"stderr": "it broke\n", "exit": 1}, (999, "it broke", "")),
        ({"exit": 3}, (999, "no error message, exit status 3", "")),
        ({"signal": signal.SIGKILL}, (999, "no error message, killed by signal 9", "")),
    ],
)
def test_call_reports_the_plugins_error(
    fakes: FakePlugins, answer: dict[str, object], expected: tuple[int, str, str]
) -> None:
    """S-100, S-101, S-102: its JSON, else stderr, else how it ended."""
    path = fakes.make("plug", ADD=answer)
    with pytest.raises(PluginFailed) as caught:
        call(str(path), "ADD", {}, {}, Deadline(10))
    code, msg, details = expected
    assert (caught.value.code, caught.value.msg, caught.value.details) == (
        code,
        f"plugin plug failed (ADD): {msg}",
        details,
    )


@pytest.mark.parametrize("stdout", ["rubbish", "[1]", '{"code": "x"}', '{"code": 1'])
def test_call_quotes_an_error_that_is_none(fakes: FakePlugins, stdout: str) -> None:
    """S-100: unparsable stdout."""
    path = fakes.make("plug", ADD={"stdout": stdout, "exit": 1})
    with pytest.raises(PluginFailed, match="it printed no valid error") as caught:
        call(str(path), "ADD", {}, {}, Deadline(10))
    assert stdout in caught.value.msg


def test_call_of_what_cannot_be_executed_is_an_error(tmp_path: Path) -> None:
    """S-103."""
    (tmp_path / "plug").write_text("#!/nowhere/python\n")
    with pytest.raises(Failure, match="cannot execute plugin .*/plug: Permission denied"):
        call(str(tmp_path / "plug"), "ADD", {}, {}, Deadline(10))
    (tmp_path / "plug").chmod(0o755)
    with pytest.raises(Failure, match="cannot execute plugin .*/plug: No such file"):
        call(str(tmp_path / "plug"), "ADD", {}, {}, Deadline(10))


def test_call_retries_an_executable_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-103: "text file busy" passes."""
    path = script(tmp_path, "echo '{}'")
    monkeypatch.setattr("launcher.plugin.BUSY_PAUSE", 0.05)
    writer = open(path, "r+b")  # noqa: SIM115 - the timer closes it, as an installation would
    threading.Timer(0.12, writer.close).start()
    assert call(path, "ADD", {}, {}, Deadline(10))[0] == b"{}\n"
    assert writer.closed


def test_call_does_not_retry_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-103."""
    path = script(tmp_path, "echo '{}'")
    monkeypatch.setattr("launcher.plugin.BUSY_PAUSE", 0.01)
    with open(path, "r+b"), pytest.raises(Failure, match="cannot execute plugin .*: Text file busy"):
        call(path, "ADD", {}, {}, Deadline(10))


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone soon: on a busy machine the kernel takes its time."""
    patience = time.monotonic() + 5
    while time.monotonic() < patience:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_call_ends_the_whole_process_group_at_the_deadline(tmp_path: Path) -> None:
    """R-17: children of the plugin too, even if they ignore SIGTERM."""
    child = f"sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; sleep 60; sleep 60'"
    path = script(tmp_path, f"trap '' TERM; {child} & wait; sleep 60")
    start = time.monotonic()
    with pytest.raises(TimedOut, match=r"plugin plug did not answer within 0.5 s \(DEL\)"):
        call(path, "DEL", {}, {}, Deadline(0.5))
    assert time.monotonic() - start < 6
    assert ends(int((tmp_path / "pid").read_text()))


def test_call_ends_the_plugin_when_a_signal_interrupts_us(tmp_path: Path) -> None:
    """R-17: Ctrl-C leaves nothing running."""
    path = script(tmp_path, f"echo $$ > {tmp_path}/pid; sleep 60")

    def interrupt(number: int, _: object) -> None:
        raise Interrupted(number)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(Interrupted):
            call(path, "ADD", {}, {}, Deadline(30))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_plugin_that_does_not_read_its_input_is_fine(tmp_path: Path) -> None:
    big = {"key": "x" * 1_000_000}
    assert call(script(tmp_path, "exec <&-; echo '{}'"), "ADD", {}, big, Deadline(10))[0] == b"{}\n"


def test_the_observer_sees_each_call(fakes: FakePlugins) -> None:
    path = fakes.make("plug", ADD={"stdout": "out"})
    seen: list[object] = []

    class Recorder:
        calling: Callable[..., None] = staticmethod(
            lambda verb, plugin_type, environ: seen.append((verb, plugin_type))
        )
        called: Callable[..., None] = staticmethod(seen.append)

    call(str(path), "ADD", {}, {"a": 1}, Deadline(10), Recorder())
    begin, end = seen
    assert begin == ("ADD", "plug")
    assert isinstance(end, Call)
    assert (end.verb, end.path, end.stdin, end.code, end.stdout) == ("ADD", str(path), b'{"a":1}', 0, b"out")


def test_other_programs_do_not_inherit_a_bundles_environment() -> None:
    """What the bundle's start-up sets is taken away, what it saved is put back."""
    bundled = {
        "PATH": "/bin",
        "LD_LIBRARY_PATH": "/bundle",
        "_PYI_ARCHIVE_FILE": "/bundle/cniwire",
        "_PYI_PARENT": "1",
    }
    assert outer_environ(bundled) == {"PATH": "/bin"}
    assert outer_environ({**bundled, "LD_LIBRARY_PATH_ORIG": "/own"}) == {
        "PATH": "/bin",
        "LD_LIBRARY_PATH": "/own",
    }
    assert outer_environ({"LD_LIBRARY_PATH": "/own"}) == {"LD_LIBRARY_PATH": "/own"}
    assert outer_environ() == dict(os.environ)
