"""What the packet filter is asked for, whichever backend carries it out: typed records.

What a published port is asked for is in core.publication. Pure.
"""

from __future__ import annotations

from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Cidr

MASQUERADE, PUBLISH, NO_SPOOF, ZONE = "masquerade", "publish", "no spoof", "zone"
ADMIT, ISOLATE = "admit", "isolate"


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


class Zoned(Record):
    """firewalld has the container's *address* in a zone, because the owner asked for it."""

    intent = ZONE
    address: bytes


class Admitted(Record):
    """What a container sends from *address* is forwarded, and so are the answers and what is published."""

    intent = ADMIT
    address: bytes


class Fenced(Record):
    """Who is behind another bridge does not reach *address*. The policy is the chain's affair."""

    intent = ADMIT
    address: bytes


class Isolated(Record):
    """No frame goes from or to the bridge port *link* by way of the bridge."""

    intent = ISOLATE
    link: str


class Ingress(Record):
    """From where a container may be reached.

    policy: OPEN, SAME_BRIDGE or ISOLATED.
    bridge: the host's interface to its network.
    port: its own port of that bridge, "" for none.
    """

    policy: str
    bridge: str = ""
    port: str = ""


OPEN, SAME_BRIDGE, ISOLATED = "open", "same-bridge", "isolated"
