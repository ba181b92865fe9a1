"""What the packet filter is asked for, whichever backend carries it out: typed records.

What a published port is asked for is in core.publication. Pure.
"""

from __future__ import annotations

from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Cidr

MASQUERADE, PUBLISH, NO_SPOOF = "masquerade", "publish", "no spoof"


class Masquerade(Record):
    """What a container sends from *address* to other networks leaves under the host's address.

    network: where it need not; None where a rule of the kernel does not tell.
    """

    intent = MASQUERADE
    address: bytes
    network: Cidr | None = None


class NoSpoof(Record):
    """Frames that enter through a bridge port *link* carry *mac*, or are dropped.

    mac: b"" where a rule of the kernel does not tell.
    """

    intent = NO_SPOOF
    link: str
    mac: bytes = b""
