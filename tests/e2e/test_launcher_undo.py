"""A failed ADD of a list leaves nothing, whatever a plugin says.

And what can be known before is known before.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.fake_plugin import FakePlugins
from tests.harness.host import Host

REFUSED = {"json": {"cniVersion": "1.0.0", "code": 107, "msg": "no room"}, "exit": 1}


@pytest.fixture
def fakes(host: Host, tmp_path: Path) -> FakePlugins:
    """Ours, and beside them those of somebody else."""
    made = FakePlugins(tmp_path / "fakes")
    made.make("last")
    return made


@pytest.fixture
def cniwire(host: Host, fakes: FakePlugins) -> Iterator[Cniwire]:
    """A network `fcnet` with ours in front of a plugin `last`."""
    made = Cniwire(host, host.plugins)
    made.options += ["--plugin-dir", str(fakes.folder)]
    made.network("fcnet", *ours(host), {"type": "last"}, version="1.0.0")
    yield made
    made.close()


def ours(host: Host) -> list[dict[str, Any]]:
    ipam = {"type": "host-local", "dataDir": str(host.data), "subnet": "192.168.1.0/24"}
    bridge = {"type": "bridge", "bridge": "br0", "isDefaultGateway": True, "ipMasq": True, "ipam": ipam}
    return [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]


def owned(cniwire: Cniwire, name: str) -> list[str]:
    """What is there of a container: host state, reservations, cache, namespaces."""
    return (
        [line for line in map(str, cniwire.host.state()) if name in line]
        + reserved(cniwire)
        + cniwire.cached
        + named_namespaces(cniwire.mark)
    )


def reserved(cniwire: Cniwire) -> list[str]:
    """The addresses that are taken on fcnet."""
    return sorted(path.name for path in (cniwire.host.data / "fcnet").glob("192.168.1.*"))


def test_a_failed_add_is_undone_to_the_end_whatever_one_del_says(
    cniwire: Cniwire, fakes: FakePlugins
) -> None:
    """Case 05: the last plugin refuses both.

    The address, the ports and the masquerade of those before it are free again.
    """
    fakes.make("last", ADD=REFUSED, DEL=REFUSED)
    web = cniwire.name("web")
    message = cniwire("up", "fcnet", web, "-p", "8080:80", status=1)
    assert f"! while undoing {web}/eth0 on fcnet: plugin last failed (DEL): no room" in message
    assert message.splitlines()[-1] == "✘ plugin last failed (ADD): no room"
    assert owned(cniwire, web) == []
    fakes.make("last")
    cniwire("up", "fcnet", web, "-p", "8080:80")
    cniwire("down", web)


@pytest.mark.parametrize(
    "command", [["up", "fcnet", "NAME"], ["run", "fcnet", "--name", "NAME", "--", "true"]]
)
def test_a_missing_executable_is_found_before_the_first_add(
    cniwire: Cniwire, fakes: FakePlugins, command: list[str]
) -> None:
    """Case 05, and exit code 4 (run: 125). The IPAM plugin counts, too."""
    cniwire.network("other", {"type": "bridge", "bridge": "br1", "ipam": {"type": "dhcp9"}}, version="1.0.0")
    (fakes.folder / "last").unlink()
    before, web = cniwire.host.state(), cniwire.name("web")
    for network, missing in (("fcnet", "last"), ("other", "dhcp9")):
        words = [{"NAME": web, "fcnet": network}.get(word, word) for word in command]
        assert f"plugin '{missing}' not found" in cniwire(*words, status=4 if command[0] == "up" else 125)
    assert cniwire.host.state() == before
    assert owned(cniwire, web) == []
    assert fakes.calls == []


def test_an_unsupported_version_is_found_before_the_first_add(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """Also that of a second network; the executable is named."""
    fakes.make("last", VERSION={"json": {"cniVersion": "0.4.0", "supportedVersions": ["0.4.0"]}})
    cniwire.network("first", *ours(cniwire.host), version="1.0.0")
    before = cniwire.host.state()
    message = cniwire("up", "first,fcnet", cniwire.name("web"), status=1)
    assert "plugin last does not support cniVersion 1.0.0" in message
    assert str(fakes.folder / "last") in message
    assert (cniwire.host.state(), fakes.calls) == (before, [])


def test_down_and_detach_go_on_over_errors_and_tell_all_of_them(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """Two containers, two networks, each with a plugin that refuses: what can be freed is free."""
    cniwire.network("second", {"type": "odd"}, version="1.0.0")
    fakes.make("odd")
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "fcnet,second", web, db)
    fakes.make("odd", DEL={"json": {"code": 1, "msg": "odd day"}, "exit": 1})
    fakes.make("last", DEL=REFUSED)
    message = cniwire("detach", "fcnet,second", web, status=1)
    assert "plugin last failed (DEL): no room" in message
    assert "plugin odd failed (DEL): odd day" in message
    message = cniwire("down", web, db, status=1)
    assert (message.count("no room"), message.count("odd day")) == (2, 2)
    assert reserved(cniwire) == []
    assert len(cniwire.cached) == 4, "so that it can be tried again"
    fakes.make("odd")
    fakes.make("last")
    cniwire("down", web, db)
    assert cniwire.cached == []


def test_a_plugin_that_is_gone_by_the_time_of_its_del_stops_nobody(
    cniwire: Cniwire, fakes: FakePlugins
) -> None:
    web = cniwire.name("web")
    cniwire("up", "fcnet", web, "-p", "8080:80")
    (fakes.folder / "last").unlink()
    assert "plugin 'last' not found" in cniwire("down", web, status=4)
    assert reserved(cniwire) == []
    assert f"fcnet/{web}/eth0" not in str(cniwire.host.state())
    cniwire("down", "--force", web, status=4)
