"""The plan: which objects of the kernel make up an attachment, as plain records.

Law: one record is one kernel mutation. `shared` objects are found or created and never deleted by one attachment;
`owned` ones are created exclusively, compared on CHECK and deleted on DEL, on rollback and by GC. The order of the
list is the order of work; only shared nft tables and chains wait until an element cannot do without them. Pure: no
record knows how it is made, core.kernel.kernel does. absent: what CHECK says of one that is missing; bears: fields whose names go with it.
"""

from __future__ import annotations

from core import address
from core.address import Cidr
from core.record import Record, fields

HOST, CONTAINER = "host", "container"


class Plan(Record):
    """What one attachment needs: shared objects first, then its own."""

    shared: tuple[object, ...] = ()
    owned: tuple[object, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.shared + other.shared, self.owned + other.owned)


class Bridge(Record):
    """A bridge in the host namespace, born with a MAC that stays. mtu: 0 for the kernel's default, used at creation only."""

    absent = "bridge {name} is gone"
    bears = ("name",)
    name: str
    mtu: int = 0
    vlan_filtering: bool = False


class Up(Record):
    """The administrative state of a link. ipv6: one of ours in the host speaks IPv6, even where new links do not."""

    absent = "{link} is down"
    place: str
    link: str
    ipv6: bool = False


class Promiscuous(Record):
    """A host link that takes every frame; never switched off."""

    absent = "{link} is not promiscuous"
    link: str


class NoAdvertisements(Record):
    """The host takes no IPv6 routes from whoever is behind *link*, unless it has its own default route from there."""

    absent = "the host believes router advertisements on {link}"
    link: str


class Gateway(Record):
    """A gateway address on a bridge or VLAN gateway; the link's MAC is pinned with it.

    force: replace a conflicting address instead of refusing.
    """

    absent = "{link} has lost the gateway address {cidr}"
    link: str
    cidr: Cidr
    force: bool = False


class Sysctl(Record):
    """A setting below /proc/sys, in the namespace of *place*. required: a failure to write it is one; if_writable: unless all is read-only."""

    absent = "{key} is not {value}"
    place: str
    key: str
    value: str
    required: bool = True
    if_writable: bool = False


class VlanGateway(Record):
    """A veth pair in the host: *name* carries the VLAN's gateway, its peer is an access port of the bridge."""

    absent = "{name}, the gateway of VLAN {vlan}, is gone"
    name: str
    bridge: str
    vlan: int
    mtu: int = 0


class Veth(Record):
    """A pair: *name* in the host, alias *owner*; *ifname* in the container.

    mtu: 0 for the kernel's default. mac: of the container's end, b"" for one that the kernel draws. held: not up before it is a port.
    """

    absent = "{ifname} is gone"
    bears = ("name", "ifname")
    name: str
    ifname: str
    owner: str
    mtu: int = 0
    mac: bytes = b""
    up: bool = True
    held: bool = False


class Port(Record):
    """A host link as a port of *bridge*, with its flags; it comes up with them, if it was not up before.

    learning: whether the bridge learns from the source of each frame who is behind the port. Where it does not, somebody has to tell it.
    """

    absent = "{link} is no port of {bridge} any more"
    bears = ("link",)
    link: str
    bridge: str
    hairpin: bool = False
    isolated: bool = False
    learning: bool = True


class Station(Record):
    """A MAC behind a bridge port that does not learn."""

    absent = "{port} does not know who is behind it"
    port: str
    mac: bytes


class PortVlans(Record):
    """The VLANs of a bridge port: (id, pvid and untagged?) pairs. keep_default: leave the port's own PVID 1 alone."""

    absent = "{link} has lost its VLANs"
    link: str
    vlans: tuple[tuple[int, bool], ...]
    keep_default: bool = False


class Address(Record):
    """An address of the container. detect: with IPv6 duplicate address detection."""

    absent = "{link} has no address {cidr}"
    link: str
    cidr: Cidr
    detect: bool = False


class Route(Record):
    """A route of the container; gateway is packed, b"" for none; None and 0 mean unset."""

    absent = "{link} has no route to {dst} via {gateway}"
    link: str
    dst: Cidr
    gateway: bytes = b""
    table: int | None = None
    scope: int | None = None
    priority: int = 0
    mtu: int = 0
    advmss: int = 0


class LocalnetRouting(Record):
    """route_localnet=1 on the host interface behind which *destination* is: 127.0.0.1 may then reach it.

    links: names of those that are the attachment's own, besides any veth. No other is touched: it may be the host's uplink.
    bridges: any bridge is taken for its own, too: a result before 0.3.0 names no interfaces at all.
    """

    absent = "127.0.0.1 does not reach {destination}"
    destination: bytes
    links: tuple[str, ...] = ()
    bridges: bool = False


SETTINGS = (Sysctl, PortVlans)  # they always have a value: ensuring one means writing it where it differs
DIES_WITH_LINK = (Port, Station, Up, Sysctl, PortVlans, Address, Route)  # undone by deleting the veth that they belong to


def describe(value: object) -> str:
    """A record as a person reads it: addresses as text, defaults left out."""
    items = [(name, getattr(value, name)) for name in fields(value)]
    shown = [_shown(name, item) for name, item in items if item not in (None, False, 0, b"", "", ())]
    return f"{type(value).__name__}({', '.join(shown)})"


def _shown(name: str, item: object) -> str:
    if item is True:
        return name
    if isinstance(item, bytes) and name == "mac":
        return f"{name} {mac_text(item)}"
    if isinstance(item, bytes):
        return f"{name} {address.text(item) if len(item) in (4, 16) else item.hex()}"
    if isinstance(item, tuple):
        return f"{name} {'; '.join([_brief(each) for each in item])}"
    return f"{name} {item}" if isinstance(item, (int, Cidr)) else f"{item}"


def _brief(item: object) -> str:
    """A member of a list: a rule by its text, a map or chain by its name, a VLAN by its number."""
    if isinstance(item, tuple):
        return " ".join([_brief(each) for each in item])
    return str(getattr(item, "text", "") or getattr(item, "name", "") or item)


def mac_text(mac: bytes) -> str:
    """02:00:00:00:00:01"""
    return mac.hex(":")


def mac_parse(text: str) -> bytes:
    """The 6 bytes of a unicast MAC, separated by : or -, or in three groups with dots. Raises ValueError."""
    parts = text.replace("-", ":").split(":")
    if len(groups := text.split(".")) == 3 and all([len(group) == 4 for group in groups]):
        parts = [group[at : at + 2] for group in groups for at in (0, 2)]
    if len(parts) != 6 or not all([len(part) == 2 for part in parts]):
        raise ValueError(f"invalid MAC {text!r}")
    mac = bytes.fromhex("".join(parts))
    if len(mac) != 6 or mac[0] & 1 or not any(mac):
        raise ValueError(f"invalid MAC {text!r}: not the address of one interface")
    return mac
