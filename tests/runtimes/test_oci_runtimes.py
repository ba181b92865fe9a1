"""runc and crun, unmodified: `cniwire oci-hook` wires their containers, and one configuration serves both."""

import json
import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.harness.traffic import ask_http, ping
from tests.runtimes.daemon import group, until
from tests.runtimes.hooks import Command
from tests.runtimes.images import GREETING, PAGE, SERVE
from tests.runtimes.node import STATE_DIR, Node, bridged
from tests.runtimes.oci import Runtime, finished


@pytest.fixture(params=["runc", "crun"])
def runtime(request: pytest.FixtureRequest, node: Node, command: Command) -> Iterator[Runtime]:
    """A runtime on a node with the networks demo and other, on which everything shared is made already."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    node.network("demo", *bridged("br7", "10.88.7.0/24"))
    node.network("other", *bridged("br8", "10.88.8.0/24"))
    with group() as control:
        made = Runtime(request.param, node, command, control)
        made.run("first", annotations={"cniwire.networks": "demo,other", "cniwire.publish": "8079:80"})
        made.remove("first")
        yield made
        for entry in (node.folder / "state").glob("*"):
            made.start("delete", "--force", entry.name).wait(timeout=30)


def test_containers_talk_and_leave_nothing(runtime: Runtime, node: Node, command: Command) -> None:
    """From container to gateway, neighbour, outside; its port from host, neighbour, outside and itself."""
    outside = node.host.outside()
    before = node.remains()
    runtime.run("web", *SERVE)
    runtime.run("peer", annotations={"cniwire.networks": "demo"})
    assert sorted(command.wired()) == ["demo/peer/eth0", "demo/web/eth0"]
    address = command.wired()["demo/web/eth0"][0].partition("/")[0]
    assert f"{address}/24" in runtime.exec("web", "ip", "address", "show", "dev", "eth0")
    for to in ("10.88.7.1", address, "192.0.2.2"):
        assert runtime.exec("peer", "ping", "-c1", "-W2", to)
    assert ping(node.host, address) is not None
    assert runtime.exec("peer", "wget", "-qO-", f"http://{address}{PAGE}") == GREETING
    for asking in ("peer", "web"):
        assert runtime.exec(asking, "wget", "-qO-", f"http://10.88.7.1:8080{PAGE}") == GREETING
    assert ask_http(node.host, "127.0.0.1", 8080, PAGE) == GREETING
    assert ask_http(outside, "192.0.2.1", 8080, PAGE) == GREETING
    command("check")
    runtime.remove("web", "peer")
    assert node.remains() == before


def test_a_refused_container_is_not_started_and_leaves_nothing(runtime: Runtime, node: Node) -> None:
    """The second network has no address left: what the first one gave is undone; one line tells why."""
    node.network("full", *bridged("br9", "10.88.9.0/30"))
    runtime.run("only", annotations={"cniwire.networks": "full"})
    before = node.remains()
    log = node.folder / "hook.log"
    annotations = {"cniwire.networks": "demo,full", "run.oci.hooks.stderr": str(log)}
    bundle = runtime.bundle("late", annotations=annotations)
    said = runtime("run", "--detach", f"--bundle={bundle}", "late", status=1)
    if runtime.name == "crun":
        said = log.read_text().replace("\n", "\\n")
    assert said.count("\\n") == 1
    assert "cniwire: plugin bridge failed (ADD): " in said
    assert "no IP addresses available" in said
    assert node.remains() == before


def test_what_annotations_ask_for_is_given(runtime: Runtime, node: Node, command: Command) -> None:
    """Two networks in their order; address, MAC and name of the interface on a single one."""
    before = node.remains()
    runtime.run("two", annotations={"cniwire.networks": "other, demo"})
    runtime.run(
        "one",
        annotations={
            "cniwire.networks": "demo",
            "cniwire.ip": "10.88.7.77",
            "cniwire.mac": "02:00:00:00:00:77",
            "cniwire.ifname": "lan0",
        },
    )
    found = command.wired()
    assert sorted(found) == ["demo/one/lan0", "demo/two/eth1", "other/two/eth0"]
    assert found["demo/one/lan0"] == ["10.88.7.77/24"]
    assert "02:00:00:00:00:77" in runtime.exec("one", "ip", "link", "show", "dev", "lan0")
    runtime.remove("two", "one")
    assert node.remains() == before


def test_a_container_without_annotations_is_left_alone(runtime: Runtime, node: Node) -> None:
    before = node.remains()
    runtime.run("plain", annotations={"org.example": "8080"})
    assert "eth0" not in runtime.exec("plain", "ip", "link")
    assert node.remains() == before
    runtime.remove("plain")


def test_the_default_network_is_for_those_with_a_namespace_of_their_own(
    runtime: Runtime, node: Node, command: Command
) -> None:
    """conf/runtimes/always.d: not for a container in the host's namespace, nor in another's."""
    always = json.loads(command.example("always.d/cniwire.json", node.folder / "always").read_text())
    hooks = {"hooks": {stage: [always["hook"]] for stage in always["stages"]}}
    before = node.remains()
    runtime.run("own", annotations={}, **hooks)
    runtime.run("joined", annotations={}, netns=f"/proc/{runtime.pid('own')}/ns/net", **hooks)
    runtime.run("open", annotations={}, netns=None, **hooks)
    assert sorted(command.wired()) == ["demo/own/eth0"]
    runtime.remove("open", "joined")
    assert runtime.exec("own", "ping", "-c1", "-W2", "10.88.7.1")
    runtime.remove("own")
    assert node.remains() == before


def test_a_namespace_that_outlives_its_container_is_left_without_interface(
    runtime: Runtime, node: Node
) -> None:
    """config.json names a namespace of `ip netns`, and the cache its path instead of the process's."""
    with node.host.container("kept") as kept:
        before = node.remains(kept)
        runtime.run("inside", annotations={"cniwire.networks": "demo"}, netns=str(kept.path))
        assert kept.links() == ["eth0"]
        cached = json.loads((STATE_DIR / "results" / "demo-inside-eth0").read_text())
        assert cached["netns"] == str(kept.path)
        runtime.remove("inside")
        assert kept.links() == []
        assert node.remains(kept) == before


def test_poststop_cleans_without_the_cache(runtime: Runtime, node: Node) -> None:
    """Nor does it fail where a network is not configured any more, or all has been taken off before."""
    before = node.remains()
    runtime.run("web", *SERVE)
    shutil.rmtree(STATE_DIR / "results")
    runtime.remove("web")
    assert node.remains() == before
    other = node.network("fleeting", *bridged("br7", "10.88.7.0/24"))
    runtime.run("bare", annotations={"cniwire.networks": "demo"})
    runtime.command("detach", "all", "bare")
    runtime.run("late", annotations={"cniwire.networks": "fleeting"})
    other.unlink()
    runtime.remove("bare", "late")
    assert node.remains() == before


@pytest.mark.parametrize("moment", ["while plugins work", "behind the hook"])
def test_gc_takes_what_a_killed_runtime_left(
    runtime: Runtime, node: Node, command: Command, moment: str
) -> None:
    """kill -9 of runtime and hook, when the interface is there and when everything is."""
    before, links = node.remains(), node.host.links()
    behind = moment == "behind the hook"
    pause = {"path": "/bin/sleep", "args": ["sleep", "60"]}
    bundle = runtime.bundle("killed")
    config = json.loads((bundle / "config.json").read_text())
    config["hooks"]["createRuntime"] += [pause] * behind
    (bundle / "config.json").write_text(json.dumps(config))
    cached = STATE_DIR / "results" / "demo-killed-eth0"
    with runtime.start("run", f"--bundle={bundle}", "killed", start_new_session=True) as process:
        until(cached.exists if behind else lambda: node.host.links() != links, moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    assert node.remains() != before
    command("gc")
    assert node.remains() == before


def test_a_rootless_runtime_is_told_so(runtime: Runtime, node: Node) -> None:
    """Root of a user namespace: the hook may not touch this host, and says no more than that."""
    before = node.remains()
    log = node.folder / "hook.log"
    annotations = {"cniwire.networks": "demo", "run.oci.hooks.stderr": str(log)}
    bundle = runtime.bundle("humble", annotations=annotations)
    config = json.loads((bundle / "config.json").read_text())
    unwanted = ("/sys", "/dev/pts")  # what a user namespace within that of the lab may not mount
    config["mounts"] = [it for it in config["mounts"] if it["destination"] not in unwanted]
    (bundle / "config.json").write_text(json.dumps(config))
    humble = ["unshare", "--user", "--map-root-user", runtime.name, f"--root={node.folder}/humbler"]
    code, said = finished([*humble, "run", f"--bundle={bundle}", "humble"])
    said += log.read_text() if log.exists() else ""
    assert code != 0
    assert "cniwire: container humble: a rootless runtime's hook may not change this host's network" in said
    assert node.remains() == before
