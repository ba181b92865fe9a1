"""The plan: which objects of the kernel make up an attachment, as plain records.

Law: one record is one kernel mutation. `shared` objects are found or created and never deleted by one
attachment; `owned` ones are created exclusively, compared on CHECK and deleted on DEL, on rollback and by GC;
`changed` ones are settings of what is not ours (core.plan.changed), written back on rollback and by DEL. The
order of a list is the order of work; only shared nft tables and chains wait until an element cannot do
without them.

Here are the records that nearly every plan has; those that few have are beside it (switching, localnet,
changed). Each class carries the law of its kind, as core.record.KernelRecord lists it. Pure: the module that
a record calls its home knows how it is made. place: HOST or CONTAINER, the network namespace that the record
belongs to.
"""

from __future__ import annotations

from core.address import Cidr
from core.errors import INTERFACE_EXISTS
from core.record import OWNED, SETTING, SHARED, KernelRecord, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOST, CONTAINER = "host", "container"
LINKS, ADDRESSING, SYSCTL = "core.kernel.links", "core.kernel.addressing", "core.kernel.sysctl"


class Plan(Record):
    """What one attachment needs: shared objects first, then its own, then what it changes of others."""

    shared: tuple[Any, ...] = ()
    owned: tuple[Any, ...] = ()
    changed: tuple[Any, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.shared + other.shared, self.owned + other.owned, self.changed + other.changed)


class Bridge(KernelRecord):
    """A bridge, created with a MAC that stays. mtu: 0 for the kernel's default, used at creation only."""

    home, lifecycle, identity = LINKS, SHARED, ("place", "name")
    absent = "bridge {name} is gone"
    bears = ("name",)
    name: str
    mtu: int = 0
    vlan_filtering: bool = False
    place: str = HOST


class Peer(Record):
    """The other end of a veth pair: where it is, its name and its MAC, b"" for one that the kernel draws."""

    place: str
    name: str
    mac: bytes = b""


class Link(KernelRecord):
    """A virtual link of the attachment; its alias is *owner*.

    kind: the kernel's word, such as veth, macvlan, ipvlan, vlan, dummy, ifb.
    parent: the link below, in *parent_place*, "" for none.
    mtu: 0 for the kernel's default.
    mac: b"" for one that the kernel draws.
    data: what else the kind needs, as pairs of a key (core.netlink.virtual.INFO_DATA) and a number; of a veth
    the Peer, whose MTU is the same.
    up: it comes up when it is created, or, where *held*, not before it is a port.
    """

    home, lifecycle, identity, taken = LINKS, OWNED, ("place", "name"), INTERFACE_EXISTS
    universal = True
    absent = "{ifname} is gone"
    bears = ("name", "ifname")
    place: str
    name: str
    kind: str
    owner: str
    parent: str = ""
    mtu: int = 0
    mac: bytes = b""
    data: Any = ()
    up: bool = True
    held: bool = False
    parent_place: str = HOST

    @property
    def ifname(self) -> str:
        """The name that the container knows it by."""
        return str(self.data.name) if self.kind == "veth" and self.data else self.name


def veth(name: str, ifname: str, owner: str, mtu: int = 0, mac: bytes = b"", held: bool = False) -> Link:
    """A pair: *name* in the host, alias *owner*; *ifname* in the container, with *mac*."""
    return Link(HOST, name, "veth", owner, mtu=mtu, data=Peer(CONTAINER, ifname, mac), held=held)


class Up(KernelRecord):
    """The administrative state of a link.

    Ipv6: one of ours in the host speaks IPv6, even where new links do not.
    """

    home, lifecycle, identity, batch, dies_with_link = (
        ADDRESSING,
        SETTING,
        ("place", "link"),
        "addressing",
        True,
    )
    universal = True
    absent = "{link} is down"
    place: str
    link: str
    ipv6: bool = False


class NoAdvertisements(KernelRecord):
    """The host takes no IPv6 routes from behind *link*, unless its own default route comes from there."""

    home, lifecycle, identity = ADDRESSING, SETTING, ("place", "link")
    absent = "the host believes router advertisements on {link}"
    link: str
    place: str = HOST


class Gateway(KernelRecord):
    """A gateway address on a bridge or VLAN gateway; the link's MAC is pinned with it.

    force: replace a conflicting address instead of refusing.
    """

    home, lifecycle, identity = ADDRESSING, SHARED, ("place", "link", "cidr")
    absent = "{link} has lost the gateway address {cidr}"
    link: str
    cidr: Cidr
    force: bool = False
    place: str = HOST


class Sysctl(KernelRecord):
    """A setting below /proc/sys.

    required: a failure to write it is an error.
    if_writable: not where all of /proc/sys is read-only.
    """

    home, lifecycle, identity, batch, dies_with_link = SYSCTL, SETTING, ("place", "key"), "sysctl", True
    absent = "{key} is not {value}"
    place: str
    key: str
    value: str
    required: bool = True
    if_writable: bool = False


class Port(KernelRecord):
    """A link as a port of *bridge*, with its flags; it comes up with them, if it was not up before.

    learning: whether the bridge learns from the source of each frame who is behind the port. Where it does
    not, a Station tells it.
    """

    home, lifecycle, identity, dies_with_link, universal = LINKS, SETTING, ("place", "link"), True, True
    absent = "{link} is no port of {bridge} any more"
    bears = ("link",)
    link: str
    bridge: str
    hairpin: bool = False
    isolated: bool = False
    learning: bool = True
    place: str = HOST


class Address(KernelRecord):
    """An address of a link. detect: with IPv6 duplicate address detection."""

    home, lifecycle, batch, dies_with_link = ADDRESSING, OWNED, "addressing", True
    identity, universal = ("place", "link", "cidr"), True
    absent = "{link} has no address {cidr}"
    link: str
    cidr: Cidr
    detect: bool = False
    place: str = CONTAINER


class Route(KernelRecord):
    """A route by a link; gateway is packed, b"" for none; None and 0 mean unset."""

    home, lifecycle, batch, dies_with_link = ADDRESSING, OWNED, "addressing", True
    identity, universal = ("place", "link", "dst", "gateway", "table", "priority"), True
    absent = "{link} has no route to {dst} via {gateway}"
    link: str
    dst: Cidr
    gateway: bytes = b""
    table: int | None = None
    scope: int | None = None
    priority: int = 0
    mtu: int = 0
    advmss: int = 0
    place: str = CONTAINER
