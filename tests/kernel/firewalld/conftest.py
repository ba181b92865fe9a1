"""A real firewalld and a real bus, which run once for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import system
from core.kernel import bus
from core.kernel.kernel import Kernel
from tests.harness.firewalld import Firewalld
from tests.harness.host import Host


@pytest.fixture(scope="module")
def host(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(plugins, tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture(scope="module")
def started(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firewalld]:
    with Firewalld(tmp_path_factory.mktemp("firewalld")) as made:
        yield made


@pytest.fixture
def firewalld(started: Firewalld, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firewalld]:
    """It runs, and is as it was at its start, before each test."""
    monkeypatch.setitem(system.environ, bus.VARIABLE, started.address.encode())
    if "dbus-daemon" not in started.running:
        started.start_bus()
    if "firewalld" not in started.running:
        started.start()
    yield started
    host.run("nft 'add table inet cniwire; delete table inet cniwire'")
    if len(started.running) == 2:
        for zone in ("trusted", "public", "work"):
            for source in started.sources(zone):
                started.ask("removeSource", zone, source)


@pytest.fixture
def kernel(firewalld: Firewalld) -> Iterator[Kernel]:
    with Kernel("") as opened:
        yield opened
