"""The launcher with real plugins: ours, and the distribution's Go ones."""

from collections.abc import Iterator

import pytest

from tests.e2e.commands.plugins import DISTRIBUTION, bridge
from tests.harness.cniwire import Cniwire
from tests.harness.host import Host


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
