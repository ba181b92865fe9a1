"""`cniwire oci-hook` as a runtime calls it; tests/runtimes has the runtimes themselves."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands.plugins import foreign, process_in_a_namespace, stable
from tests.harness.cniwire import Cniwire

ASKED = {"cniwire.networks": "demo"}


def called(cniwire: Cniwire, *options: str, text: str = "", **state: Any) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the hook for that state; *text* is written in its place."""
    state = {"ociVersion": "1.0.2", "id": "c1", "bundle": "/nowhere", "annotations": ASKED} | state
    with cniwire.popen("oci-hook", *options, stdin=subprocess.PIPE) as process:
        stdout, stderr = process.communicate(text or json.dumps(state), timeout=60)
        return process.returncode, stdout, stderr


def test_the_state_decides_what_is_done_and_nothing_is_said(cniwire: Cniwire) -> None:
    """The Go bridge leaves its masquerading where the namespace is gone, as it is when a runtime says so."""
    cniwire("run", "demo", "--", "true")
    before = stable(cniwire)
    with process_in_a_namespace() as process:
        assert called(cniwire, status="creating", pid=process.pid) == (0, "", "")
        assert cniwire.cached == ["demo-c1-eth0"]
        assert "eth0" in cniwire.host.run(f"nsenter --target {process.pid} --net ip -brief link")
    assert called(cniwire, status="stopped", pid=0) == (0, "", "")
    assert cniwire.cached == []
    assert stable(cniwire) == before or foreign(cniwire)
    assert called(cniwire, status="stopped") == (0, "", ""), "once more"


@pytest.mark.parametrize("cniwire", ["ours"], indirect=True)
def test_json_tells_what_was_done_and_what_was_wrong(cniwire: Cniwire) -> None:
    with process_in_a_namespace() as process:
        code, stdout, stderr = called(cniwire, "--json", status="created", pid=process.pid)
        assert (code, stderr) == (0, "")
        (made,) = json.loads(stdout)["attachments"]
        assert (made["containerID"], made["ifname"]) == ("c1", "eth0")
    assert json.loads(called(cniwire, "--json", status="stopped")[1]) == {"detached": "c1"}
    code, stdout, stderr = called(cniwire, "--json", status="unheard-of")
    assert (code, stderr) == (1, "")
    assert "status: want creating, created, running or stopped" in json.loads(stdout)["msg"]


@pytest.mark.parametrize("cniwire", ["ours"], indirect=True)
@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"status": "created"}, "the state on stdin: pid: want the number of a process, found null"),
        ({"text": "{"}, "the state on stdin: want a JSON object: "),
        ({"status": "created", "pid": 4194303}, "container c1: no process 4194303"),
        ({"status": "created", "pid": os.getpid()}, "container c1 is in the host's network namespace"),
        (
            {"status": "created", "pid": 1, "annotations": {"cniwire.ip": "10.9.0.9"}},
            "cniwire.networks: missing",
        ),
        ({"status": "created", "pid": 1, "annotations": {"cniwire.networks": "nowhere"}}, ""),
    ],
)
def test_what_is_wrong_is_one_line_and_changes_nothing(
    cniwire: Cniwire, state: dict[str, Any], says: str
) -> None:
    before = stable(cniwire)
    code, stdout, stderr = called(cniwire, **state)
    assert (code != 0, stdout, stderr.count("\n")) == (True, "", 1)
    assert stderr.startswith("cniwire: ")
    assert says in stderr
    assert stable(cniwire) == before


@pytest.mark.parametrize("cniwire", ["ours"], indirect=True)
def test_a_rootless_hook_is_told_so_and_removes_nothing(cniwire: Cniwire) -> None:
    """Root of a user namespace that does not own this network: poststop has nothing to do then."""
    humble = ["unshare", "--user", "--map-root-user", *cniwire.start, *cniwire.options, "oci-hook"]
    with process_in_a_namespace() as process:
        for status, code, says in (("created", 1, "a rootless runtime's hook may not"), ("stopped", 0, "")):
            state = {"id": "c1", "status": status, "pid": process.pid, "annotations": ASKED}
            settings: Any = {"capture_output": True, "text": True, "env": cniwire.environ(), "timeout": 60}
            done = subprocess.run(humble, input=json.dumps(state), **settings)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", code)
            assert says in done.stderr


@pytest.mark.parametrize("cniwire", ["ours"], indirect=True)
def test_a_person_who_calls_the_hook_is_told_who_does(cniwire: Cniwire) -> None:
    shown = cniwire.at_terminal(80, "oci-hook")
    assert "oci-hook reads the state of a container from stdin" in " ".join(shown.lines)
    with cniwire.popen("oci-hook", stdin=None, preexec_fn=lambda: os.close(0)) as process:
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (
        1,
        "cniwire: the state on stdin: want a JSON object, found nothing\n",
    )


def test_a_delete_never_enters_the_process_that_got_the_pid(cniwire: Cniwire) -> None:
    """The Go plugins delete eth0 in the namespace that they are given."""
    with process_in_a_namespace() as other:
        cniwire("attach", "demo", str(other.pid), "--id", "other")
        with process_in_a_namespace() as process:
            cniwire("attach", "demo", str(process.pid), "--id", "c1")
        file = Path(cniwire.cache) / "results" / "demo-c1-eth0"
        file.write_text(file.read_text().replace(f"/proc/{process.pid}/", f"/proc/{other.pid}/"))
        cniwire("detach", "demo", "c1", "--id", "c1")
        assert cniwire.cached == ["demo-other-eth0"]
        assert "eth0" in cniwire.host.run(f"nsenter --target {other.pid} --net ip -brief link")
        cniwire("detach", "demo", "other", "--id", "other")
