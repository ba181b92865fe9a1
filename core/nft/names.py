"""Our nft tables: `inet cniwire` for address translation and `bridge cniwire` for the spoof check.

Maps with elements do the work, so that a packet and an ADD cost the same with one container as with a
thousand:

    loopback             whatever the sysctls say, nobody outside reaches 127.0.0.0/8
    prerouting, output   fib daddr type local: hostports -> dnat to what the maps say, then `further`
    postrouting          ct status dnat: hairpin4 says whose answers must come back through the host
                         masquerade4 says which sources leave under the host's address, unless they stay
                         in their network

Whether two addresses are in one network is a look-up, too: of the one, and of the other behind the network's
mask. So there is a chain for each length of a prefix (outside4-24), and none that names a network.

What is shared is found by its marks, healed where they are wrong, and worked out only then: nearly always it
stands. Each rule of a shared chain carries MARK as its comment. Whoever flushes the chain, replaces a rule or
puts one in front changes the list of marks; so does a release whose rules are others. Table comments cannot
tell: the kernel does not let them change.

What a name or a key means is known where it is written (core.nft.backend) and where it is read back
(core.nft.meaning). Pure.
"""

from __future__ import annotations

from core import address
from core.address import FAMILIES
from core.intent import ADMIT, ISOLATE, MASQUERADE, NO_SPOOF, PUBLISH, ZONE
from core.record import HEALED, OWNED, KernelRecord, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.nft.expression import Rule

TABLE = "cniwire"
MARK = "v3"  # of the rules as they are now; a test holds it to them
INET, BRIDGE = "inet", "bridge"  # which of our tables: nft's word for its family
FURTHER = (
    "further"  # the chain with the entries of chains that only some attachments need; its rules are theirs
)
SIZES = {  # how many rules the chains have that are always there
    INET: {"loopback": 1, "hostports": 5, "prerouting": 1, "output": 2, "postrouting": 4},
    BRIDGE: {"prerouting": 1, "input": 1},
}
OUTSIDE, HAIRPIN, ANYBODY = "outside", "hairpin", "anybody"
# The same of chains by kind and bytes of a mask.
KIND_SIZES = {(OUTSIDE, 4): 3, (OUTSIDE, 16): 3, (HAIRPIN, 4): 2, (HAIRPIN, 16): 1, (ANYBODY, 0): 1}
# intent -> where its elements are
TABLE_OF = {MASQUERADE: INET, PUBLISH: INET, NO_SPOOF: BRIDGE, ADMIT: INET, ISOLATE: BRIDGE, ZONE: INET}
MAPS_OF = {  # intent -> what the names of its maps begin with
    MASQUERADE: ("masquerade", "inside"),
    PUBLISH: ("hostports", "hostip_", "hairpin", "near"),
    NO_SPOOF: ("spoof",),
    ADMIT: ("admitted", "fenced"),
    ISOLATE: ("alone",),
    ZONE: ("zoned",),
}
ON_DEMAND = {  # chains, up to the dash
    *("outside4", "outside6", "hairpin4", "hairpin6", "hairpin", "hostports", "fence", "zones4", "zones6")
}
SPECIFIC = "hostip_"  # before the name of a map for ports of one host address
DASH = "-"  # in the names of all chains and maps that only some attachments need, and of no other
CONDITION_DIGITS = 8  # of the hash that stands for a condition in the names of its maps
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
HOME = "core.kernel.filter"


class Element(KernelRecord):
    """An element of one of our nft maps; its comment is the owner.

    data: the mapped value, b"" where *chain* is: a jump to it.
    text: the element as nft prints it, without comment.
    about: what it is for, a record of core.intent.
    """

    home, lifecycle, batch, atomic = HOME, OWNED, "nft", True
    identity = ("table", "map", "key")
    absent = "nft map {map} has lost {text}"
    table: str
    map: str
    key: bytes
    data: bytes
    chain: str
    owner: str
    text: str
    about: Any = None

    @property
    def holder(self) -> str:
        """The owner without the witness that may stand behind it."""
        return self.owner.partition(" ")[0]

    @property
    def is_on_demand(self) -> bool:
        """Whether it needs a map or chain that only some attachments need."""
        return DASH in self.map


class Elements(KernelRecord):
    """Every element for *intent* that carries *owner*, "" for any: what DEL knows of them.

    maps: what the names of the maps in question begin with, where those of the intent are too many.
    """

    home, lifecycle = HOME, OWNED
    identity = ("intent", "owner")
    intent: str
    owner: str
    maps: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return TABLE_OF[self.intent]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the names of the maps begin with."""
        return self.maps or MAPS_OF[self.intent]


class Map(KernelRecord):
    """A map of ours: the nft types that its key and its data are concatenated of; without data it is a set.

    The data of a verdict map are ("verdict",).
    """

    home, lifecycle, batch, atomic, rank = HOME, HEALED, "nft", True, 1
    identity = ("table", "name")
    absent = "nft map {name} is missing"
    altered = "nft map {name} is of another type"
    bears = ("name",)
    table: str
    name: str
    key: tuple[str, ...]
    data: tuple[str, ...] = ()


class Hook(Record):
    """Where a base chain is entered: nft chain type, hook and priority."""

    type: str
    hook: str
    priority: int


class Chain(KernelRecord):
    """A chain with its rules; *maps* and *entries* are made with it, in one batch.

    entries: (name of a chain, rule that is appended there).

    A chain without rules of its own is there for others' entries.

    kind, mask: of a chain whose rules follow from them (core.nft.rules.rules_of); mask is that of a network,
    packed.
    body: the rules of any other. A chain that only some attachments need is deleted by GC once none does.
    """

    home, lifecycle, batch, atomic, rank = HOME, HEALED, "nft", True, 2
    identity = ("table", "name")
    absent = "nft chain {name} is missing"
    altered = "nft chain {name} has other rules"
    bears = ("name",)
    table: str
    name: str
    body: tuple[Rule, ...] = ()
    hook: Hook | None = None
    maps: tuple[Map, ...] = ()
    entries: tuple[tuple[str, Rule], ...] = ()
    kind: str = ""
    mask: bytes = b""

    @property
    def size(self) -> int:
        """How many rules there are, which can be told without working them out."""
        return KIND_SIZES[self.kind, len(self.mask)] if self.kind else len(self.body)

    def is_marked(self, marks: dict[str, list[str]]) -> bool:
        """Whether the comments of rules, by chain, as the kernel has them, are those that we write."""
        named = f"{MARK} {self.name}"
        entered = all([named in marks.get(where, ()) for where, _ in self.entries])
        return entered and (not self.size or marks.get(self.name) == [MARK] * self.size)


class Table(KernelRecord):
    """One of our tables. What is always in it is worked out only when it has to be made or compared.

    That is core.nft.rules.members.
    """

    home, lifecycle, batch, atomic, rank = HOME, HEALED, "nft", True, 0
    identity = ("table",)
    entries = ()
    absent = "nft table {table} cniwire is missing"
    bears = ("table",)
    table: str

    def is_marked(self, marks: dict[str, list[str]]) -> bool:
        """As Chain's, for all chains that are always there.

        A map that is missing takes the rules along that use it.
        """
        return all([marks.get(name) == [MARK] * size for name, size in SIZES[self.table].items()])


TABLES = {INET: Table(INET), BRIDGE: Table(BRIDGE)}
FAMILY_OF_TAG: dict[str, Family] = {each.tag: each for each in FAMILIES}


def suffix(condition: str, level: int) -> str:
    """The end of the names of maps and chains for a condition, or for a level behind the first."""
    return (DASH + condition if condition else "") + (f"{DASH}{level}" if level > 1 else "")


def is_on_demand(chain: str) -> bool:
    """Whether a chain of that name is one of ours that only some attachments need."""
    stem, dash, _ = chain.partition(DASH)
    return bool(dash) and stem in ON_DEMAND


def of_prefix(kind: str, network: Cidr) -> Chain:
    """The chain of all networks with a prefix of that length."""
    family = network.family
    mask = address.mask(network).to_bytes(family.size, "big")
    return Chain(INET, f"{kind}{family.tag}{DASH}{network.prefix_len}", kind=kind, mask=mask)


def jump(name: str, about: Any, chain: str, owner: str) -> Element:
    packed = about.address
    text = f"{address.text(packed)} : jump {chain}"
    return Element(INET, name + address.family(packed).tag, packed, b"", chain, owner, text, about)


def in_network(name: str, about: Any, owner: str) -> Element:
    packed, net = about.address, about.network.address
    text = f"{address.text(packed)} . {address.text(net)}"
    return Element(INET, name + about.network.family.tag, packed + net, b"", "", owner, text, about)
