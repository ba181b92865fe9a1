"""The commands of `cniwire` with real plugins: ours, and the distribution's Go ones."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.host import Host
from tests.harness.traffic import ask

DISTRIBUTION = Path("/usr/lib/cni")
SERVER = """
import socket
server = socket.create_server(("", 80))
print("ready", flush=True)
while True:
    connection, caller = server.accept()
    connection.sendall(f"web {caller[0]}".encode())
    connection.close()
"""


@pytest.fixture(params=["ours", "distribution"])
def cniwire(request: pytest.FixtureRequest, host: Host) -> Iterator[Cniwire]:
    """The launcher with a network `demo`: bridge, host-local and portmap."""
    ours = request.param == "ours"
    if not ours and not (DISTRIBUTION / "bridge").exists():
        pytest.skip("the distribution's plugins are not installed")
    made = Cniwire(host, host.plugins if ours else DISTRIBUTION)
    backend = {"backend": "nftables"} if ours else {}
    masquerade = {"ipMasqBackend": "nftables"} if ours else {}
    portmap = {"type": "portmap", **backend, "capabilities": {"portMappings": True}}
    made.network(
        "demo",
        bridge(host, "br0", "10.9.0.0/24", "fd00:9::/64", ipMasq=True, **masquerade),
        portmap,
        version="1.1.0" if ours else "1.0.0",
    )
    yield made
    made.close()


def bridge(host: Host, name: str, *subnets: str, **keys: Any) -> dict[str, Any]:
    ipam = {
        "type": "host-local",
        "dataDir": str(host.data),
        "ranges": [[{"subnet": subnet}] for subnet in subnets],
    }
    return {"type": "bridge", "bridge": name, "isDefaultGateway": True, "ipam": ipam, **keys}


def foreign(cniwire: Cniwire) -> bool:
    """Whether the plugins are the distribution's."""
    return str(DISTRIBUTION) in cniwire.options


def stable(cniwire: Cniwire) -> frozenset[str]:
    """The host's state without what IPv6 does by itself, and the launcher's."""
    lines = {f"cache {name}" for name in cniwire.cached} | {
        f"netns {name}" for name in named_namespaces(cniwire.mark)
    }
    return cniwire.host.state() | lines


def waiting(process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
    """*process*, once it has said `ready` on stdout."""
    assert process.stdout
    line = process.stdout.readline()
    assert line == "ready\n", f"{line}{process.stderr.read() if process.stderr else ''}"
    return process


@contextlib.contextmanager
def process_in_a_namespace() -> "Iterator[subprocess.Popen[str]]":
    """A process with a network namespace of its own, as Docker, LXC or `unshare` make it.

    It ends with the block.
    """
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield waiting(process)
        finally:
            process.kill()


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


def test_up_makes_namespaces_that_ip_netns_knows(cniwire: Cniwire) -> None:
    """up, exec, ls, down."""
    cniwire("run", "demo", "--", "true")
    before = stable(cniwire)
    web, db = cniwire.name("web"), cniwire.name("db")
    attached = cniwire.json("up", "demo", web, db)["attachments"]
    assert [item["containerID"] for item in attached] == [web, db]
    address = attached[1]["result"]["ips"][0]["address"].split("/")[0]
    assert web in cniwire.host.run("ip netns list")
    assert "lo UNKNOWN" in " ".join(cniwire.host.run(f"ip netns exec {web} ip -brief link").split())
    cniwire("exec", web, "busybox", "ping", "-c", "1", "-W", "2", address)
    cniwire("exec", db, "sh", "-c", "exit 5", status=5)
    picture = cniwire.json("ls")
    (network,) = picture["networks"]
    assert [bridge["name"] for bridge in network["bridges"]] == ["br0"]
    assert network["bridges"][0]["addresses"] == ["10.9.0.1/24", "fd00:9::1/64"]
    rows = {item["containerID"]: item for item in network["attachments"]}
    assert {row["state"] for row in rows.values()} == {"up"}
    assert rows[db]["addresses"] == [item["address"] for item in attached[1]["result"]["ips"]]
    assert rows[db]["port"].startswith("veth")
    drawing = cniwire("ls")
    assert f"── {web}/eth0  {rows[web]['addresses'][0]}" in drawing
    assert "bridge br0  10.9.0.1/24" in drawing
    cniwire("down", web, db)
    assert stable(cniwire) == before


def test_up_of_a_name_that_exists_is_refused_and_changes_nothing(cniwire: Cniwire) -> None:
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    before = stable(cniwire)
    assert f"namespace {web} exists already" in cniwire("up", "demo", web, status=1)
    assert stable(cniwire) == before


def test_down_of_nothing_is_an_error(cniwire: Cniwire) -> None:
    assert "no namespace and no attachment is called 'nobody'" in cniwire("down", "nobody", status=1)


def test_up_again_after_a_reboot(cniwire: Cniwire) -> None:
    """The namespace is gone, cache and reservation are not: the leftovers are deleted first."""
    if foreign(cniwire):
        pytest.skip("the Go bridge forgets its masquerade rules when the namespace is gone")
    web = cniwire.name("web")
    cniwire("up", "demo", web, "-p", "8080:80")
    cniwire.host.run(f"ip netns delete {web}")
    cniwire("up", "demo", web, "-p", "8080:80")
    assert sorted(file.name for file in (cniwire.host.data / "demo").glob("10.9.0.*")) == ["10.9.0.3"]
    cniwire("down", web)


@pytest.mark.parametrize("kind", ["pid", "path", "name"])
def test_attach_wires_what_somebody_else_made(cniwire: Cniwire, kind: str) -> None:
    """A process of `unshare` (as of Docker or LXC), a path, a name of `ip netns`.

    A second attach takes the next free name.
    """
    cniwire("run", "demo", "--", "true")
    before = stable(cniwire)
    name = cniwire.name("box")
    with process_in_a_namespace() as process:
        cniwire.host.run(f"ip netns add {name}")
        container = cniwire.host.container("c1")
        subject = {"pid": str(process.pid), "path": str(container.path), "name": name}[kind]
        enter = {
            "pid": f"nsenter --target {process.pid} --net",
            "path": f"nsenter --net={container.path}",
            "name": f"ip netns exec {name}",
        }[kind]
        # the Go bridge names its chains after network and container alone, so a second interface makes DEL
        # of the first fail
        for ifname in ("eth0",) if foreign(cniwire) else ("eth0", "eth1"):
            again = ["--again"] if ifname == "eth1" else []
            (made,) = cniwire.json("attach", "demo", subject, *again)["attachments"]
            assert made["ifname"] == ifname
            assert made["result"]["ips"][0]["address"] in cniwire.host.run(
                f"{enter} ip address show dev {ifname}"
            )
        cniwire("attach", "demo", subject, "--ifname", "eth0", status=1)
        if not foreign(cniwire):
            cniwire("detach", "demo", subject, "--ifname", "eth1")
        assert "eth1" not in cniwire.host.run(f"{enter} ip -brief link")
        cniwire("detach", "all", subject)
    cniwire.host.run(f"ip netns delete {name}")
    assert stable(cniwire) == before


def test_detach_works_when_the_process_has_ended(cniwire: Cniwire) -> None:
    """By the pid that it had."""
    with process_in_a_namespace() as process:
        cniwire("attach", "demo", str(process.pid))
    assert len(cniwire.cached) == 1
    cniwire("detach", "demo", str(process.pid))
    assert cniwire.cached == []
    assert list((cniwire.host.data / "demo").glob("10.9.0.*")) == []


def test_detach_of_what_is_not_attached_is_fine(cniwire: Cniwire) -> None:
    """R-12: a DEL without an ADD."""
    container = cniwire.host.container("c1")
    cniwire("detach", "demo", str(container.path))


def test_check_finds_what_is_missing(cniwire: Cniwire) -> None:
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    report = cniwire.json("check", web)
    assert [row["check"] for row in report["attachments"]] == ["ok"]
    cniwire.host.run(f"ip netns exec {web} ip address flush dev eth0")
    report = cniwire.json("check", web, status=1)
    assert [row["check"] for row in report["attachments"]] == ["failed"]
    assert report["errors"][0]["msg"].startswith(f"{web}/eth0: plugin bridge failed (CHECK): ")
    assert "nothing is attached to 'nobody'" in cniwire("check", "nobody", status=1)


def test_two_networks_give_two_interfaces(cniwire: Cniwire) -> None:
    """eth0 on the first, eth1 on the second; ports go to the network that can publish them."""
    version = json.loads((cniwire.conf / "demo.conflist").read_text())["cniVersion"]
    second = bridge(cniwire.host, "br1", "10.19.0.0/24")
    second.pop("isDefaultGateway")
    cniwire.network("second", second, version=version)
    web = cniwire.name("web")
    attached = cniwire.json("up", "second,demo", web, "-p", "8080:80")["attachments"]
    assert [(item["network"], item["ifname"], "portMappings" in item) for item in attached] == [
        ("second", "eth0", False),
        ("demo", "eth1", True),
    ]
    assert "8080→80/tcp" in cniwire("ls", "demo")
    cniwire("down", web)
    assert cniwire.cached == []


def test_status_knows_a_ready_network_and_one_without_plugin(cniwire: Cniwire) -> None:
    assert cniwire.json("status")["networks"][0]["ready"] is True
    cniwire.network("broken", {"type": "nobody"})
    report = cniwire.json("status", status=4)
    assert [(row["network"], row["ready"]) for row in report["networks"]] == [
        ("broken", False),
        ("demo", True),
    ]
    with cniwire.popen("status", "broken") as process:
        assert "name its directory with --plugin-dir" in process.communicate(timeout=60)[0], (
            "a finding: on stdout"
        )


def test_ls_shows_damage(cniwire: Cniwire) -> None:
    """A link that somebody removed, a namespace that is gone."""
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, db)
    ports = {item["containerID"]: item["port"] for item in cniwire.json("ls")["networks"][0]["attachments"]}
    cniwire.host.run(f"ip link delete {ports[web]}")
    cniwire.host.run(f"ip netns delete {db}")
    cniwire.host.run(
        f"while ip link show {ports[db]} >/dev/null 2>&1; do sleep 0.02; done"
    )  # the kernel ends a namespace by and by
    states = {
        item["containerID"]: item["state"]
        for item in cniwire.json("ls", "demo")["networks"][0]["attachments"]
    }
    assert states == {web: "interface is missing", db: "gone"}
    cniwire("down", web, db)


def test_verbose_shows_the_calls(cniwire: Cniwire) -> None:
    with cniwire.popen("--verbose", "run", "demo", "--", "true") as process:
        _, stderr = process.communicate(timeout=60)
    assert f"ADD {cniwire.options[-1]}/bridge" in stderr
    assert f"DEL {cniwire.options[-1]}/portmap" in stderr
    assert "CNI_IFNAME=eth0" in stderr
    assert '"prevResult"' in stderr


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
