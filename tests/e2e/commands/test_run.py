"""`cniwire run`, and the environment of commands."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.commands.plugins import SERVER, foreign, stable, waiting
from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.traffic import ask


def test_run_wires_the_command_and_leaves_nothing(cniwire: Cniwire) -> None:
    """ADD before, DEL after; what two containers share stays."""
    shown = cniwire("run", "demo", "--", "ip", "-json", "address", "show", "dev", "eth0")
    addresses = [item["local"] for item in json.loads(shown)[0]["addr_info"] if item["scope"] == "global"]
    assert addresses == ["10.9.0.2", "fd00:9::2"]
    before = stable(cniwire)
    assert cniwire("run", "demo", "--", "cat", "/sys/class/net/eth0/operstate") == "up\n", (
        "/sys shows the namespace"
    )
    assert stable(cniwire) == before


def test_run_returns_the_exit_code_of_the_command(cniwire: Cniwire) -> None:
    cniwire("run", "demo", "--", "sh", "-c", "exit 7", status=7)
    cniwire("run", "demo", "--", "sh", "-c", "kill -9 $$", status=137)
    assert "nonesuch: No such file" in cniwire("run", "demo", "--", "nonesuch", status=127)
    assert "/etc/passwd: Permission denied" in cniwire("run", "demo", "--", "/etc/passwd", status=126)
    assert cniwire.cached == []


def test_run_publishes_ports_until_it_is_told_to_stop(cniwire: Cniwire) -> None:
    """Real TCP through the published port.

    SIGTERM to the launcher ends the command and tears down: 128 + 15.
    """
    outside = cniwire.host.outside()
    outside.run("ip route add default via 192.0.2.1")
    name = cniwire.name("web")
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        with cniwire.popen(
            "run", "demo", "--name", name, "-p", "8080:80", "--", "python3", "-c", SERVER
        ) as process:
            waiting(process)
            assert ask(outside, "192.0.2.1", 8080).server == "web"
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
        assert process.returncode == code, stderr
        assert stable(cniwire) & {f"netns {name}", f"cache demo-{name}-eth0"} == set()
        with pytest.raises(OSError):  # refused or timed out: nobody listens
            ask(outside, "192.0.2.1", 8080, timeout_s=0.5)


def test_a_run_that_was_killed_is_cleaned_up_by_gc(cniwire: Cniwire) -> None:
    """SIGKILL takes the command with it; gc finds the rest, and what is shared and nobody needs any more."""
    cniwire("run", "demo", "-p", "8080:80", "--", "true")
    cniwire("gc")
    before = cniwire.host.state()
    with cniwire.popen(
        "run", "demo", "-p", "8080:80", "--", "sh", "-c", "echo ready; exec sleep 60"
    ) as process:
        waiting(process)
        process.kill()
        process.communicate(timeout=30)
    (name,) = cniwire.cached
    container_id = name.removeprefix("demo-").removesuffix("-eth0")
    planned = cniwire.json("gc", "--dry-run")
    assert planned["networks"][0]["stale"] == [{"containerID": container_id, "ifname": "eth0"}]
    assert container_id in planned["namespaces"]
    assert cniwire.cached == [name], "a dry run removes nothing"
    cniwire("gc")
    deadline = time.monotonic() + 5
    while cniwire.host.state() != before and time.monotonic() < deadline:
        time.sleep(0.1)  # the kernel removes the veth with the namespace, when it gets to it
    assert cniwire.host.state() == before
    assert cniwire.cached == []
    assert container_id not in named_namespaces()


def test_the_environment_of_the_command_is_ours(cniwire: Cniwire) -> None:
    with cniwire.popen(
        "run", "demo", "--", "env", env={**os.environ, "PYTHONPATH": str(Path.cwd()), "MARK": "here"}
    ) as process:
        stdout, _ = process.communicate(timeout=60)
    assert "MARK=here" in stdout
    assert "_PYI_" not in stdout
    assert "CNI_CONTAINERID" not in stdout


@pytest.mark.parametrize("command", [["run", "demo", "--"], ["exec", "NAME"], ["lab", "--"]])
@pytest.mark.parametrize("before", ["", "/own"])
def test_no_program_gets_what_a_bundles_start_put_into_the_environment(
    cniwire: Cniwire, command: list[str], before: str
) -> None:
    """Its libraries are for it alone; what LD_LIBRARY_PATH was before is back."""
    if foreign(cniwire):
        pytest.skip("it is the launcher that is tried here")
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    started = {
        "_PYI_ARCHIVE_FILE": "/bundle/cniwire",
        "_PYI_PARENT_PROCESS_LEVEL": "1",
        "LD_LIBRARY_PATH": "/bundle/lib",
    }
    environ = {**cniwire.environ(), **started, **({"LD_LIBRARY_PATH_ORIG": before} if before else {})}
    if len(cniwire.start) == 1:  # a bundle does all that itself
        environ = {**cniwire.environ(), **({"LD_LIBRARY_PATH": before} if before else {})}
    with cniwire.popen(*[web if word == "NAME" else word for word in command], "env", env=environ) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    theirs = [line for line in stdout.splitlines() if line.startswith(("_PYI", "LD_"))]
    assert theirs == ([f"LD_LIBRARY_PATH={before}"] if before else [])
    cniwire("down", web)
