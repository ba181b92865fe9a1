"""What has to be written before a host link of ours comes up for the first time: nothing does so later."""

from __future__ import annotations

from core.address import Cidr
from core.kernel import sysctl
from core.netlink import route
from core.netlink.link import NEWBORN_BRIDGE
from core.plan.records import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.kernel.state import State
    from core.plan.records import Up

# A bridge of ours is no host that learns its routes from others; and without a link-local address, which
# duplicate
# detection withholds for two seconds, the host could not ask for the neighbours that it forwards to.
SETTINGS = (("accept_ra", "0"), ("accept_dad", "0"))
EUI64 = "0"  # addr_gen_mode


def prepare(kernel: State, want: Up) -> None:
    """Write the settings of a host link, unless it is somebody else's. Raises OSError.

    A bridge of ours was born in a link group, which it leaves when it comes up; any other bridge that is down
    is somebody else's. Only what will never be possible is passed over.
    """
    there = kernel.link(HOST, want.link)
    bridge = there is not None and there.kind == "bridge"
    if there and bridge and there.group != NEWBORN_BRIDGE:
        return
    for key, value in (*SETTINGS, *[("disable_ipv6", "0")] * want.ipv6):
        try:
            sysctl.write(f"net/ipv6/conf/{want.link}/{key}", value)
        except OSError as error:
            if error.errno not in sysctl.OUT_OF_REACH:
                raise
    if there and bridge and sysctl.value(f"net/ipv6/conf/{want.link}/addr_gen_mode") == EUI64:
        kernel.at(HOST).exchange((route.new_address(there.index, link_local(there.mac), nodad=True),))


def link_local(mac: bytes) -> Cidr:
    """The address that the kernel gives a link by its MAC (RFC 4291 appendix A).

    It would do so when a port is up, at a moment of its own; a bridge of ours has the address before.
    """
    return Cidr(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:], 64)
