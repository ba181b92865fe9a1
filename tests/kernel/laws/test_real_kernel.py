"""What only the real kernel can refuse, and what only it numbers."""

import os
from pathlib import Path

import pytest

from core.errors import INVALID_NETNS, CNIError
from core.kernel.kernel import Kernel
from core.kernel.switching import vlan_port
from core.plan.records import HOST, Bridge
from core.plan.switching import VlanGateway
from core.record import replace
from tests.harness.host import Host
from tests.kernel.laws.table import BASE, PORT, VETH


def test_a_path_that_is_no_namespace(host: Host, tmp_path: Path) -> None:
    """U-9 B-24: nothing there is one condition, something else there another; no descriptor stays open."""
    (tmp_path / "file").write_text("no namespace")
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path / "absent", tmp_path / "file" / "below"):
        with pytest.raises(FileNotFoundError):
            Kernel(str(path))
    for path in (
        tmp_path / "file",
        tmp_path,
        Path("/proc/self/ns/uts"),
        Path("/dev/null"),
        Path("/proc/self/status"),
    ):
        with pytest.raises(CNIError) as refused:
            Kernel(str(path))
        assert refused.value.code == INVALID_NETNS
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_veth_whose_port_cannot_be_set_leaves_nothing(host: Host) -> None:
    """One record, all or nothing: an alias that is too long for the kernel."""
    with Kernel(str(host.container().path)) as kernel:
        kernel.create(Bridge("br0"))
        with pytest.raises(OSError, match=r"."):
            kernel.create(replace(VETH, owner="x" * 300))
    with Kernel("") as kernel:
        assert kernel.link(HOST, PORT) is None


def test_the_pair_of_a_vlans_gateway(host: Host) -> None:
    """The bridge's end is a port, up, and has the lower index by one; the gateway's end stays down."""
    with Kernel("") as kernel:
        for record in (*BASE, VlanGateway("br0.100", "br0", 100)):
            kernel.create(record)
        gateway, port = (
            kernel.need(HOST, "br0.100"),
            kernel.need(HOST, vlan_port(VlanGateway("br0.100", "br0", 100))),
        )
        assert (gateway.peer, port.peer, gateway.index - port.index) == (port.index, gateway.index, 1)
        assert (gateway.up, port.up, port.master, gateway.master) == (
            False,
            True,
            kernel.need(HOST, "br0").index,
            0,
        )
    with Kernel("") as kernel, pytest.raises(FileExistsError):
        kernel.create(VlanGateway("br0.100", "br0", 100))
