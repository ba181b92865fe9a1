"""F-4 F-5: the plugin firewall on a host with firewalld, and the reference's beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.kernel import bus
from core.kernel.kernel import Kernel
from tests.harness.fake_bus import greeting, speaking
from tests.harness.firewalld import MISSING, Firewalld
from tests.harness.host import Container, Host
from tests.harness.plugin import Answer
from tests.harness.zones import TEXT4, TEXT6, left
from tests.kernel.forwarding import GO, needs_go

RESULT = {
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/c1"}],
    "ips": [{"address": "10.1.0.2/24", "interface": 2}, {"address": "fd01::2/64", "interface": 2}],
}
VALID = "cni.dev/valid-attachments"
Call = Callable[..., Answer]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def container(host: Host) -> Container:
    return host.container("c1")


@pytest.fixture
def call(firewalld: Firewalld, host: Host, container: Container) -> Call:
    """Calls firewall with keys, for the container c1, and with prevResult where it is needed."""

    def made(verb: str, *, folder: Path | None = None, address: str = "", **keys: Any) -> Answer:
        previous = {"prevResult": RESULT} if verb in ("ADD", "CHECK") else {}
        config = {"type": "firewall", "name": "net", "cniVersion": "1.0.0", **previous, **keys}
        version = {"cniVersion": "1.1.0"} if verb in ("GC", "STATUS") else {}
        known = {bus.VARIABLE.decode(): address or firewalld.address, "PATH": "/usr/sbin:/usr/bin"}
        whose = {"GC": None, "STATUS": None, "DEL": "c1"}.get(verb, container)
        return host.call(verb, {**config, **version}, whose, folder=folder, **known)

    return made


@pytest.fixture(params=["", "firewalld", "pf"], ids=["left out", "firewalld", "unknown"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def succeeds(answer: Answer) -> None:
    assert (answer.exit_code, answer.output) == (0, answer.output), answer.stderr


def test_add_check_and_del(backend: str, call: Call, firewalld: Firewalld, host: Host) -> None:
    """DEL without prevResult, and again. The barrier of firewalld is nothing to tell of."""
    added = call("ADD", backend=backend)
    assert (added.exit_code, added.output) == (0, RESULT)
    assert "firewalld, chain" not in added.stderr
    assert firewalld.sources("trusted") == [TEXT4, TEXT6]
    assert call("CHECK", backend=backend).exit_code == 0
    for _ in range(2):
        assert call("DEL", backend=backend).exit_code == 0
        assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_the_zone_is_that_of_the_configuration(call: Call, firewalld: Firewalld) -> None:
    """And DEL does not need it."""
    succeeds(call("ADD", firewalldZone="work"))
    assert (firewalld.sources("work"), firewalld.sources("trusted")) == ([TEXT4, TEXT6], [])
    succeeds(call("DEL", backend="nftables"))
    assert firewalld.sources("work") == []


def test_another_backend_leaves_firewalld_alone(call: Call, firewalld: Firewalld) -> None:
    """And says who drops."""
    added = call("ADD", backend="nftables")
    assert added.exit_code == 0
    assert 'set "backend": "firewalld"' in added.stderr
    assert firewalld.sources("trusted") == []
    succeeds(call("CHECK", backend="nftables"))
    succeeds(call("DEL"))


def test_check_sees_a_reload(backend: str, call: Call, firewalld: Firewalld) -> None:
    succeeds(call("ADD", backend=backend))
    firewalld.ask("reload", of="")
    answer = call("CHECK", backend=backend)
    assert answer.output["code"] == 101
    assert answer.output["msg"].startswith(
        f"2 differences from what ADD made: {TEXT4} is in no zone of firewalld any more: want ZoneSource"
    )
    succeeds(call("DEL"))


def test_check_is_content_where_firewalld_came_later(call: Call, firewalld: Firewalld) -> None:
    """What ADD made stands; who drops by now is told."""
    firewalld.end()
    succeeds(call("ADD"))
    firewalld.start()
    answer = call("CHECK")
    assert answer.exit_code == 0
    assert 'set "backend": "firewalld"' in answer.stderr
    succeeds(call("DEL"))


def test_gc(call: Call, firewalld: Firewalld, host: Host) -> None:
    succeeds(call("ADD"))
    succeeds(call("GC", **{VALID: [{"containerID": "c1", "ifname": "eth0"}]}))
    assert firewalld.sources("trusted") == [TEXT4, TEXT6]
    succeeds(call("GC", **{VALID: []}))
    assert (firewalld.sources("trusted"), left(host)) == ([], "")


def test_an_add_that_is_refused_names_the_key_and_leaves_nothing(
    call: Call, firewalld: Firewalld, host: Host
) -> None:
    """And the DEL that follows takes nothing of others."""
    firewalld.ask("addSource", "work", TEXT6)
    for keys, said in (
        ({}, f'firewalldZone: want {TEXT6} in zone "trusted", but firewalld has it in "work"'),
        ({"firewalldZone": "nix"}, 'firewalldZone: firewalld has no zone "nix"'),
    ):
        answer = call("ADD", **keys)
        assert (answer.exit_code, answer.output["code"], answer.output["msg"]) == (1, 7, said)
        succeeds(call("DEL", **keys))
        assert (firewalld.sources("trusted"), firewalld.sources("work"), left(host)) == ([], [TEXT6], "")


def test_status_says_whether_firewalld_can_be_had(call: Call, firewalld: Firewalld, tmp_path: Path) -> None:
    for keys in ({}, {"backend": "firewalld"}, {"backend": "nftables"}):
        assert call("STATUS", **keys).exit_code == 0
    with speaking(tmp_path / "bus", greeting(), b"rubbish " * 9, most=2) as address:
        rubbish = [call("STATUS", address=address), call("ADD", address=address)]
    assert [each.output["code"] for each in rubbish] == [50, 11]
    assert all(each.output["msg"].startswith("cannot find out whether fi") for each in rubbish)
    firewalld.end()
    assert call("STATUS").exit_code == 0
    answer = call("STATUS", backend="firewalld")
    assert (answer.output["code"], answer.output["msg"]) == (50, 'backend: "firewalld" does not run')


@needs_go
def test_sources_are_those_of_the_reference(call: Call, firewalld: Firewalld) -> None:
    succeeds(call("ADD", folder=GO, backend="firewalld"))
    theirs = firewalld.sources("trusted")
    succeeds(call("DEL", folder=GO, backend="firewalld", prevResult=RESULT))
    assert firewalld.sources("trusted") == []
    succeeds(call("ADD"))
    assert firewalld.sources("trusted") == theirs
    succeeds(call("DEL"))


@needs_go
def test_what_the_reference_added_is_checked_and_deleted(
    call: Call, firewalld: Firewalld, host: Host
) -> None:
    """A node that switches: nothing of ours stands, and DEL has the addresses from prevResult."""
    succeeds(call("ADD", folder=GO, backend="firewalld"))
    succeeds(call("CHECK"))
    succeeds(call("DEL", prevResult=RESULT))
    assert (firewalld.sources("trusted"), left(host)) == ([], "")


@needs_go
def test_what_the_reference_deleted_leaves_a_claim_that_our_del_takes(
    call: Call, firewalld: Firewalld, host: Host
) -> None:
    succeeds(call("ADD"))
    succeeds(call("DEL", folder=GO, backend="firewalld", prevResult=RESULT))
    assert firewalld.sources("trusted") == []
    succeeds(call("DEL"))
    assert left(host) == ""
    with Kernel("") as kernel:
        assert kernel.runs_firewalld()
