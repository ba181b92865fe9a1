"""The launcher with a network `demo`."""

from collections.abc import Iterator

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    made.network(
        "demo", bridge(host.data, "10.9.0.0/24", "fd00:9::/64", ipMasq=True), portmap, version="1.1.0"
    )
    yield made
    made.close()
