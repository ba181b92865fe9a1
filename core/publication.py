"""Published ports, whichever backend of the packet filter carries them out: typed records. Pure."""

from __future__ import annotations

from core import address
from core.intent import PUBLISH
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family


class Mapping(Record):
    """One published port: what arrives at *host_port* goes to *port* of *target*.

    host_address: packed, of the family of *target*; b"" for every local address.
    condition: the tag of what has to hold besides, "" for nothing.
    level: 1; or how many networks of the same container have the port, with this one.
    """

    intent = PUBLISH
    protocol: str
    host_address: bytes
    host_port: int
    target: bytes
    port: int
    condition: str = ""
    level: int = 1

    @property
    def family(self) -> Family:
        """V4 or V6."""
        return address.family(self.target)

    @property
    def published(self) -> str:
        """As people write it: `8080/tcp`, `10.0.0.1:8080/tcp`."""
        host = address.text(self.host_address) if self.host_address else ""
        return f"{_bracketed(host)}{':' * bool(host)}{self.host_port}/{self.protocol}"

    def __str__(self) -> str:
        return f"{self.published} to {_bracketed(address.text(self.target))}:{self.port}"


class Hairpin(Record):
    """Who comes to a published port of *address* from *network* or loopback is masqueraded.

    network: None for everybody, or where a rule of the kernel does not tell.
    """

    intent = PUBLISH
    address: bytes
    network: Cidr | None = None


class Publication(Record):
    """The ports of one attachment in one family.

    hairpin: neighbours and the host's loopback reach them, too.
    everybody: whoever comes is masqueraded on the way.
    condition: the backend's own form of what has to hold besides, None for nothing.
    asked: all host ports that the attachment asks for, in either family.
    """

    address: Cidr
    mappings: tuple[Mapping, ...]
    hairpin: bool
    everybody: bool
    condition: Any = None
    asked: tuple[Any, ...] = ()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
