"""A container is named alike wherever one is named: by name, pid, path, or ID.

And what a name means is told where it may be doubted.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.fake_plugin import FakePlugins
from tests.harness.host import Host

RESULT = {
    "cniVersion": "1.1.0",
    "interfaces": [{"name": "eth0", "sandbox": "x"}],
    "ips": [{"address": "10.0.0.2/24", "interface": 0}],
}


@pytest.fixture
def fakes(host: Host) -> FakePlugins:
    made = FakePlugins(host.folder / "fakes")
    made.make("main", ADD={"json": RESULT})
    return made


@pytest.fixture
def cniwire(host: Host, fakes: FakePlugins) -> Iterator[Cniwire]:
    made = Cniwire(host, fakes.folder)
    made.network("net", {"type": "main"}, version="1.1.0")
    yield made
    made.close()


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """A process with a network namespace of its own, and a number of more than three digits."""
    Path("/proc/sys/kernel/ns_last_pid").write_text("41000")
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def containers(cniwire: Cniwire, *arguments: str) -> list[str]:
    return [
        row["containerID"]
        for network in cniwire.json("ls", *arguments)["networks"]
        for row in network.get("attachments", [])
    ]


def test_every_command_takes_a_pid_a_path_and_an_id(
    cniwire: Cniwire, process: "subprocess.Popen[str]"
) -> None:
    """Of one process, attached under an ID of a runtime's kind, beside another container."""
    long, other = "4f2a8c" + "0" * 58, cniwire.name("other")
    cniwire("up", "net", other)
    texts = [str(process.pid), f"/proc/{process.pid}/ns/net", long, "4f2a8c"]
    for text in texts:
        cniwire("attach", "net", str(process.pid), "--id", long)
        assert [row["containerID"] for row in cniwire.json("check", text)["attachments"]] == [long]
        assert containers(cniwire, text) == [long]
        namespace = os.readlink(f"/proc/{process.pid}/ns/net")
        assert cniwire("exec", text, "readlink", "/proc/self/ns/net").strip() == namespace
        cniwire("down", text)
        assert cniwire.cached == [f"net-{other}-eth0"]
    cniwire("down", f"/run/netns/{other}")
    assert (cniwire.cached, named_namespaces(cniwire.mark)) == ([], [])


def test_a_second_attach_to_one_network_needs_again(
    cniwire: Cniwire, fakes: FakePlugins, process: "subprocess.Popen[str]"
) -> None:
    pid = str(process.pid)
    cniwire("attach", "net", pid)
    fakes.forget()
    message = cniwire("attach", "net", pid, status=1)
    assert "is attached to net already" in message
    assert "--again adds another interface" in message
    cniwire("attach", "net", f"/proc/{pid}/ns/net", status=1)
    cniwire("attach", "net", pid, "--id", "another", status=1)
    cniwire("attach", "net", pid, "--ifname", "eth1", status=1)
    assert fakes.calls == []
    cniwire("attach", "net", pid, "--again", "--ifname", "eth1")
    assert len(cniwire.cached) == 2
    cniwire("detach", "all", pid)
    assert cniwire.cached == []


def test_up_of_several_leaves_nothing_when_one_fails(cniwire: Cniwire, fakes: FakePlugins) -> None:
    a, b, there = cniwire.name("a"), cniwire.name("b"), cniwire.name("there")
    assert "named twice" in cniwire("up", "net", a, b, a, status=2)
    assert fakes.calls == []
    cniwire.host.run(f"ip netns add {there}")
    cniwire("up", "net", a, b, there, status=1)
    assert fakes.order == ["ADD main", "ADD main", "DEL main", "DEL main"]
    assert (cniwire.cached, named_namespaces(cniwire.mark)) == ([], [there])


def test_down_all_takes_what_up_made_and_nothing_of_others(
    cniwire: Cniwire, process: "subprocess.Popen[str]"
) -> None:
    a, b = cniwire.name("a"), cniwire.name("b")
    cniwire("up", "net", a, b)
    cniwire("attach", "net", str(process.pid))
    cniwire("down", a, "--all", status=2)
    cniwire("down", status=2)
    cniwire("down", "--all")
    assert named_namespaces(cniwire.mark) == []
    assert [name.split("-")[1] for name in cniwire.cached] == ["pid"]
    with cniwire.popen("down", "--all") as nothing:
        stdout, stderr = nothing.communicate(timeout=60)
    assert "nothing is up" in stdout + stderr
    cniwire("detach", "all", str(process.pid))


def test_attach_brings_the_loopback_up(cniwire: Cniwire, process: "subprocess.Popen[str]") -> None:
    cniwire("attach", "net", str(process.pid))
    assert "UP" in cniwire("exec", str(process.pid), "ip", "-brief", "link", "show", "lo").split("<")[1]


def test_exec_of_a_process_takes_no_files_of_a_namespace_called_net(
    cniwire: Cniwire, process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """/etc/netns/net is of the namespace `net`, and /proc/PID/ns/net is not that one."""
    (tmp_path / "netns" / "net").mkdir(parents=True)
    (tmp_path / "netns" / "net" / "passwd").write_text("strange\n")
    (tmp_path / "passwd").write_text(Path("/etc/passwd").read_text())
    script = f"mount --bind {tmp_path} /etc && "
    line = " ".join([*cniwire.start, *cniwire.options, "exec", str(process.pid), "cat", "/etc/passwd"])
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script + line],
        capture_output=True,
        text=True,
        env=cniwire.environ(),
    )
    assert done.returncode == 0, done.stderr
    assert "strange" not in done.stdout


def test_a_dry_run_says_when_there_is_nothing(cniwire: Cniwire) -> None:
    assert "nothing to remove" in cniwire("gc", "--dry-run")


def test_what_may_mean_several_things_is_told_or_asked(
    cniwire: Cniwire, process: "subprocess.Popen[str]"
) -> None:
    """A name of a namespace wins, and that is said.

    A pid that begins a container ID has to be written out.
    """
    pid = str(process.pid)
    long = pid + "0" * (64 - len(pid))
    container = cniwire.host.container("c1")
    cniwire("attach", "net", str(container.path), "--id", long)
    message = cniwire("check", pid, status=2)
    assert f"{pid} is a process, and the beginning of the container ID {long}" in message
    assert f"write /proc/{pid}/ns/net" in message
    cniwire.host.run(f"ip netns add {pid}")
    try:
        with cniwire.popen("attach", "net", pid) as attached:
            _, stderr = attached.communicate(timeout=60)
        assert attached.returncode == 0
        others = f"process {pid} is /proc/{pid}/ns/net, container {long} needs more of its ID"
        assert f"! {pid} is taken as the namespace of that name; {others}" in stderr
        cached = json.loads((cniwire.cache / "results" / f"net-{pid}-eth0").read_text())
        assert cached["netns"] == f"/run/netns/{pid}"
        cniwire("detach", "net", pid)
        cniwire("detach", "net", long)
    finally:
        cniwire.host.run(f"ip netns delete {pid}")
