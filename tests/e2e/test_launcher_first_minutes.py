"""The first minutes with `cniwire`: help, a network without a file, one of one's own, and what is typed wrongly."""

from collections.abc import Iterator

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    yield made
    made.close()


@pytest.mark.parametrize("columns", [20, 80, 200])
@pytest.mark.parametrize("arguments", [(), ("help", "run")])
def test_help_fits_the_terminal(cniwire: Cniwire, columns: int, arguments: tuple[str, ...]) -> None:
    """Within its width, but never wider than one can read; titles are bold."""
    seen = cniwire.at_terminal(columns, *arguments, bare=True)
    assert seen.code == 0
    assert seen.width <= min(columns, 100)
    assert "\x1b[1musage:\x1b[0m" in seen.stdout
    assert "\x1b" not in cniwire.at_terminal(columns, *arguments, bare=True, NO_COLOR="1").stdout
    assert "\x1b" not in cniwire(*arguments)


def test_ps_shows_the_table_and_where_it_does_not_fit_a_line_for_each_value(cniwire: Cniwire) -> None:
    cniwire.network("net", bridge(cniwire.host.data, "10.9.0.0/24"), {"type": "portmap", "capabilities": {"portMappings": True}}, version="1.1.0")
    web = cniwire.name("web")
    cniwire("up", "net", web, "-p", "8080:80")
    rows = cniwire("ps").splitlines()
    assert [row.split() for row in rows] == [
        ["CONTAINER", "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"],
        [web, "eth0", "net", "10.9.0.2/24", "8080→80/tcp", "up"],
    ]
    assert cniwire.at_terminal(200, "ps").lines == rows
    narrow = cniwire.at_terminal(24, "ps").lines
    assert narrow == [web, "  ifname eth0", "  network net", "  addresses 10.9.0.2/24", "  published 8080→80/tcp", "  state up"]
    cniwire("down", web)
    assert [row.split() for row in cniwire("ps").splitlines()] == [rows[0].split()]
