"""`cniwire gc` keeps what lives, removes what is provably gone, in every version, and says so."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.fake_plugin import FakePlugins
from tests.harness.host import Host

DISTRIBUTION = Path("/usr/lib/cni")
PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]


def plugins_of(host: Host, main: str = "bridge") -> list[dict[str, Any]]:
    ipam = {"type": "host-local", "dataDir": str(host.data), "ranges": [[{"subnet": "10.9.0.0/24"}]]}
    bridge = {"type": main, "bridge": "br0", "isDefaultGateway": True, "ipMasq": True, "ipam": ipam}
    return [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]


@pytest.fixture(params=["0.4.0", "1.0.0", "1.1.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cniwire(host: Host, version: str) -> Iterator[Cniwire]:
    """The launcher with a network `demo`: bridge, host-local and portmap."""
    made = Cniwire(host, host.plugins)
    made.network("demo", *plugins_of(host), version=version)
    yield made
    made.close()


def by_hand(cniwire: Cniwire, version: str, container_id: str = "c1") -> Any:
    """ADD a container to demo as another runtime would, which keeps its results elsewhere.

    Returns the container.
    """
    container = cniwire.host.container(container_id)
    network = cniwire.host.network(*plugins_of(cniwire.host), name="demo", version=version)
    network.add(container, portMappings=PORTS)
    return container


def addresses(host: Host) -> list[str]:
    """The reserved addresses of demo."""
    return sorted(path.name for path in (host.data / "demo").glob("10.9.0.*"))


@contextmanager
def only_a_process_left(cniwire: Cniwire, name: str) -> Iterator[None]:
    """A named namespace without its name, kept alive by a process in it."""
    with subprocess.Popen(
        ["ip", "netns", "exec", name, "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        cniwire.host.run(f"ip netns delete {name}")
        yield
        process.kill()


def found(cniwire: Cniwire, *arguments: str) -> str:
    """What the command prints on stdout when it ends with 1."""
    with cniwire.popen(*arguments) as process:
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    return stdout


def test_what_no_cache_knows_of_lives_as_long_as_its_interface(cniwire: Cniwire, version: str) -> None:
    """Multus, an ADD by hand: reported, told to the plugins, untouched; and gone with its namespace."""
    container = by_hand(cniwire, version)
    before = cniwire.host.state(container)
    plan = cniwire.json("gc", "--dry-run")["networks"][0]
    assert (plan["stale"], plan["orphans"]) == ([], [])
    (told,) = plan["unclaimed"]
    assert (told["containerID"], told["ifname"], told["state"]) == ("c1", "eth0", "lives")
    report = cniwire.json("gc")["networks"][0]
    assert report["valid"] == [{"containerID": "c1", "ifname": "eth0"}]
    assert cniwire.host.state(container) == before
    cniwire.host.lose(container)
    cniwire("gc")
    assert addresses(cniwire.host) == []
    assert "demo/c1/eth0" not in str(cniwire.host.state())


def test_a_cached_attachment_whose_path_leads_nowhere_lives_as_long_as_its_interface(
    cniwire: Cniwire,
) -> None:
    """As the cache of a pod with host mounts looks from the host: its paths are not ours."""
    web = cniwire.name("web")
    cniwire("up", "demo", web, "-p", "8080:80")
    (path,) = (cniwire.cache / "results").iterdir()
    path.write_text(path.read_text().replace(f"/run/netns/{web}", "/run/netns/elsewhere"))
    before = cniwire.host.state()
    report = cniwire.json("gc")["networks"][0]
    assert (report["stale"], report["valid"]) == ([], [{"containerID": web, "ifname": "eth0"}])
    assert (cniwire.host.state(), len(cniwire.cached)) == (before, 1)
    (shown,) = cniwire.json("ls")["networks"][0]["attachments"]
    assert shown["state"] == "elsewhere"
    cniwire("down", web)


def test_up_of_a_name_whose_bearer_lives_elsewhere_is_refused(cniwire: Cniwire) -> None:
    """Its path leads nowhere here; what is in the cache is no leftover for all that."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    with only_a_process_left(cniwire, web):
        before = cniwire.host.state()
        assert f"{web}/eth0 is attached to demo already" in cniwire("up", "demo", web, status=1)
        assert f"{web}/eth0 is attached to demo already" in cniwire(
            "run", "demo", "--name", web, "--", "true", status=125
        )
        assert (cniwire.host.state(), len(cniwire.cached)) == (before, 1)
    cniwire("up", "demo", web)
    cniwire("down", web)


def test_a_namespace_without_path_lives_while_a_process_is_in_it(cniwire: Cniwire) -> None:
    """`ip netns delete` takes the name away, not the namespace."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    with only_a_process_left(cniwire, web):
        assert cniwire.json("gc")["networks"][0]["stale"] == []
    assert cniwire.json("gc")["networks"][0]["stale"] == [{"containerID": web, "ifname": "eth0"}]
    assert (cniwire.cached, addresses(cniwire.host)) == ([], [])


def test_what_a_killed_run_left_lives_while_a_process_is_in_it(cniwire: Cniwire) -> None:
    """The command has put something in the background, which outlives both."""
    command = ["sh", "-c", "setsid sleep 60 & echo $!; exec sleep 60"]
    with cniwire.popen("run", "demo", "--", *command) as process:
        assert process.stdout
        survivor = int(process.stdout.readline())
        process.kill()
    try:
        report = cniwire.json("gc")
        assert (report["networks"][0]["stale"], report["namespaces"]) == ([], [])
    finally:
        os.kill(survivor, 9)
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{survivor}/ns/net") and time.monotonic() < deadline:
        time.sleep(0.02)  # until it is reaped
    assert len(cniwire.json("gc")["namespaces"]) == 1
    assert (cniwire.cached, addresses(cniwire.host), named_namespaces("run-")) == ([], [], [])


def test_taking_a_living_one_needs_its_id_and_force(cniwire: Cniwire, version: str) -> None:
    """Known to a cache or not; the others stay."""
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, db)
    by_hand(cniwire, version)
    cniwire("gc", "demo", "--force", "c1")
    assert addresses(cniwire.host) == ["10.9.0.2", "10.9.0.3"]
    cniwire("gc", "demo", "--force", web)
    assert (addresses(cniwire.host), cniwire.cached) == (["10.9.0.3"], [f"demo-{db}-eth0"])
    assert "--force nobody: nothing is attached" in cniwire("gc", "--force", "nobody", status=1)
    assert addresses(cniwire.host) == ["10.9.0.3"]
    cniwire("down", web, db)


@pytest.mark.parametrize("where", ["--pid --fork --mount-proc", "--pid --fork", "--mount"])
def test_in_a_namespace_where_pids_or_paths_mean_something_else_it_does_nothing(
    cniwire: Cniwire, where: str
) -> None:
    """And says so. Not even a dry run, which could only lie."""
    gone = cniwire.name("gone")
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        cniwire("up", "demo", gone)
        cniwire.host.run(f"ip netns delete {gone}")
        cniwire("attach", "demo", str(process.pid))
        before, cached = cniwire.host.state(), cniwire.cached
        for arguments in (["gc"], ["gc", "--dry-run"], ["--json", "gc"]):
            done = subprocess.run(
                ["unshare", *where.split(), *cniwire.start, *cniwire.options, *arguments],
                capture_output=True,
                text=True,
                env=cniwire.environ(),
            )
            assert done.returncode == 1
            assert "nothing is removed" in done.stdout + done.stderr
            assert "nsenter --target" in done.stdout + done.stderr
        assert (cniwire.host.state(), cniwire.cached) == (before, cached)
        cniwire("gc")
        assert len(cniwire.cached) == 1
        process.kill()
    cniwire("gc")
    assert (cniwire.cached, addresses(cniwire.host)) == ([], [])


def test_what_was_reserved_by_nobody_we_know_goes_in_every_version(cniwire: Cniwire) -> None:
    """Case 06: files of the Go plugin, of old releases, of a killed ADD.

    What is said to be removed is removed.
    """
    folder = cniwire.host.data / "demo"
    folder.mkdir(parents=True)
    (folder / "10.9.0.7").write_text("gone\r\neth0")
    (folder / "10.9.0.8").write_text("old")
    text = cniwire("gc", "--dry-run")
    assert addresses(cniwire.host) == ["10.9.0.7", "10.9.0.8"]
    cniwire("gc")
    assert addresses(cniwire.host) == [], text
    assert cniwire.json("gc")["networks"][0]["orphans"] == []


def test_what_cannot_be_told_is_named_and_stays_and_is_no_success(cniwire: Cniwire, version: str) -> None:
    """A bridge port without owner may be its own: a container of the Go suite, with results elsewhere."""
    host = cniwire.host
    if not (DISTRIBUTION / "bridge").exists():
        pytest.skip("the distribution's plugins are not installed")
    container = host.container("go1")
    network = host.network(
        *plugins_of(host)[:1],
        name="demo",
        version="1.0.0",
        suites={"bridge": DISTRIBUTION, "host-local": DISTRIBUTION},
    )
    network.add(container)
    before = host.state(container)
    message = found(cniwire, "gc")
    assert "cannot tell whether go1/eth0 on demo lives, so it stays: address 10.9.0.2" in message
    assert "cniwire gc demo --force go1" in message
    assert host.state(container) == before
    host.lose(container)
    cniwire("gc")
    assert addresses(host) == []


def test_it_never_claims_what_it_did_not_do(cniwire: Cniwire, tmp_path: Path) -> None:
    """Plugins that say yes to DEL and GC, and do nothing."""
    fakes = FakePlugins(tmp_path / "fakes")
    fakes.make("bridge")
    fakes.make("portmap")
    folder = cniwire.host.data / "demo"
    folder.mkdir(parents=True)
    (folder / "10.9.0.7").write_text("gone\r\neth0")
    cniwire.options[-1] = str(fakes.folder)
    assert "address 10.9.0.7 of gone/eth0 on demo is still there" in found(cniwire, "gc")
    report = cniwire.json("gc", status=1)
    assert report["errors"][0]["msg"] == "address 10.9.0.7 of gone/eth0 on demo is still there"


def test_a_torn_reservation_goes_or_is_told(cniwire: Cniwire, version: str) -> None:
    """It names nobody, so there is no DEL for it: GC takes it where the version has one."""
    folder = cniwire.host.data / "demo"
    folder.mkdir(parents=True)
    (folder / "10.9.0.7").touch()
    if version == "1.1.0":
        cniwire("gc")
        assert addresses(cniwire.host) == []
    else:
        assert f"remove {folder}/10.9.0.7" in found(cniwire, "gc")


def test_other_main_plugins_are_judged_by_what_they_leave(host: Host, tmp_path: Path) -> None:
    """No bridge, no interface of ours: the path that host-local notes, else nothing, tells."""
    fakes = FakePlugins(tmp_path / "fakes")
    fakes.make("line")
    made = Cniwire(host, fakes.folder)
    made.network("demo", plugins_of(host, "line")[0], version="1.1.0")
    ipam = {"cniVersion": "1.1.0", "name": "demo", "type": "host-local", "ipam": plugins_of(host)[0]["ipam"]}
    alive, dead = host.container("alive"), host.container("dead")
    for container in (alive, dead):
        assert host.call("ADD", ipam, container).exit_code == 0
    (host.data / "demo" / "10.9.0.9").write_text("foreign\r\neth0")
    dead.close()
    report = made.json("gc", "--dry-run", status=1)["networks"][0]
    assert [(told["containerID"], told["state"]) for told in report["unclaimed"]] == [
        ("alive", "lives"),
        ("foreign", "unknown"),
    ]
    assert report["orphans"] == ["address 10.9.0.3 of dead/eth0"]
    made("gc", status=1)
    (told,) = [call.config["cni.dev/valid-attachments"] for call in fakes.calls if call.command == "GC"]
    assert sorted(item["containerID"] for item in told) == ["alive", "foreign"]
