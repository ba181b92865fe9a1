"""Our nft tables: `inet cniwire` for address translation and `bridge cniwire` for the spoof check.

Maps with elements do the work, so that a packet and an ADD cost the same with one container as with a thousand:

    loopback             whatever the sysctls say, nobody outside reaches 127.0.0.0/8
    prerouting, output   fib daddr type local: hostports -> dnat to what the maps say, then what `further` leads to
    postrouting          ct status dnat: hairpin4 says whose answers must come back through the host
                         masquerade4 says which sources leave under the host's address, unless they stay in their network

Whether two addresses are in one network is a look-up, too: of the one, and of the other behind the network's mask. So there is a chain
for each length of a prefix (outside4-24), and none that names a network.

What is shared is found by its marks, healed where they are wrong, and worked out only then: nearly always it stands. Each rule of a
shared chain carries MARK as its comment. Whoever flushes the chain, replaces a rule or puts one in front changes the list of marks;
so does a release whose rules are others. Table comments cannot tell: the kernel does not let them change. Pure.
"""

from __future__ import annotations

from core import address
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Cidr
    from core.nft.expression import Rule

TABLE = "cniwire"
MARK = "v3"  # of the rules as they are now; a test holds it to them
INET, BRIDGE = "inet", "bridge"
FURTHER = "further"  # the chain with the entries of chains that only some attachments need; its rules are theirs
SIZES = {  # how many rules the chains have that are always there
    INET: {"loopback": 1, "hostports": 5, "prerouting": 1, "output": 2, "postrouting": 4},
    BRIDGE: {"prerouting": 1, "input": 1},
}
OUTSIDE, HAIRPIN, ANYBODY = "outside", "hairpin", "anybody"
KIND_SIZES = {(OUTSIDE, 4): 3, (OUTSIDE, 16): 3, (HAIRPIN, 4): 2, (HAIRPIN, 16): 1, (ANYBODY, 0): 1}  # the same of chains by kind and bytes of a mask
SHARED_CHAINS = ("outside4-", "outside6-", "hairpin4-", "hairpin6-", "hairpin-", "hostports-")  # names of what only some attachments need
PORT_MAPS = ("hostports", "hostip_", "hairpin", "near")  # what portmap's maps begin with
MASQUERADE_MAPS = ("masquerade", "inside")
SPOOF_MAPS = ("spoof",)
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
TAGS = {4: "4", 16: "6"}  # bytes of an address -> suffix of a map's name


class Element(Record):
    """An element of one of our nft maps; its comment is the owner.

    data: the mapped value, b"" where *chain* is: a jump to it. text: the element as nft prints it, without comment.
    """

    absent = "nft map {map} has lost {text}"
    family: str
    map: str
    key: bytes
    data: bytes
    chain: str
    owner: str
    text: str


class Elements(Record):
    """Every element in maps whose name starts with one of *maps* that carries *owner*: what DEL knows of them."""

    family: str
    maps: tuple[str, ...]
    owner: str


class Map(Record):
    """A map of ours: the nft types that its key and its data are concatenated of ("verdict" for a verdict); without data it is a set."""

    absent = "nft map {name} is missing"
    altered = "nft map {name} is of another type"
    bears = ("name",)
    family: str
    name: str
    key: tuple[str, ...]
    data: tuple[str, ...] = ()


class Hook(Record):
    """Where a base chain is entered: nft chain type, hook and priority."""

    type: str
    hook: str
    priority: int


class Chain(Record):
    """A chain with its rules; *maps* and *entries* (rules of the chain named in front) are made with it, in one batch.

    kind, mask: of a chain whose rules follow from them (core.nft.rules.rules_of); mask is that of a network, packed. body: the rules of any other.
    It is healed where it differs. One that only some attachments need is deleted by GC once none does.
    """

    is_skeleton = True
    absent = "nft chain {name} is missing"
    altered = "nft chain {name} has other rules"
    bears = ("name",)
    family: str
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
        """Whether the rules' comments by chain, as seen in the kernel, are those of this chain as we make it."""
        named = f"{MARK} {self.name}"
        return marks.get(self.name) == [MARK] * self.size and all([named in marks.get(where, ()) for where, _ in self.entries])


class Table(Record):
    """One of our tables. What is always in it (core.nft.rules.members) is worked out only when it has to be made or compared."""

    is_skeleton = True
    absent = "nft table {family} cniwire is missing"
    bears = ("family",)
    family: str

    def is_marked(self, marks: dict[str, list[str]]) -> bool:
        """As Chain's, for all chains that are always there. A map that is missing takes the rules along that look it up."""
        return all([marks.get(name) == [MARK] * size for name, size in SIZES[self.family].items()])


TABLES = {INET: Table(INET), BRIDGE: Table(BRIDGE)}


def kin(name: str) -> tuple[str, ...]:
    """The beginnings of the names of all maps that the same plugin fills as the map *name*."""
    return next(group for group in (PORT_MAPS, MASQUERADE_MAPS, SPOOF_MAPS) if name.startswith(group))


def _of_prefix(kind: str, cidr: Cidr) -> Chain:
    """The chain of all networks with a prefix of that length."""
    size = len(cidr.address)
    return Chain(INET, f"{kind}{TAGS[size]}-{cidr.prefix_len}", kind=kind, mask=address.mask(cidr).to_bytes(size, "big"))


def outside(cidr: Cidr) -> Chain:
    """What a source in the network of *cidr* sends to another unicast address is masqueraded."""
    return _of_prefix(OUTSIDE, cidr)


def hairpin(cidr: Cidr) -> Chain:
    """Neighbours in the network of *cidr* and the host's loopback are masqueraded on their way to a published port."""
    return _of_prefix(HAIRPIN, cidr)


def hairpin_any() -> Chain:
    """Everybody is masqueraded on the way to a published port (masqAll)."""
    return Chain(INET, "hairpin-any", kind=ANYBODY)


def masquerade_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """The container's address jumps to the chain of its prefix, which looks up the network that it lies in."""
    return _jump("masquerade", cidr.address, outside(cidr).name, owner), _in_network("inside", cidr, owner)


def hairpin_elements(cidr: Cidr, owner: str) -> tuple[Element, ...]:
    """Translated connections to the container jump to the chain of its prefix, which looks up the network that it lies in."""
    return _jump("hairpin", cidr.address, hairpin(cidr).name, owner), _in_network("near", cidr, owner)


def hairpin_any_element(container: bytes, owner: str) -> Element:
    """Translated connections to the container are masqueraded, whoever they come from."""
    return _jump("hairpin", container, hairpin_any().name, owner)


def _jump(name: str, container: bytes, chain: str, owner: str) -> Element:
    return Element(INET, name + TAGS[len(container)], container, b"", chain, owner, f"{address.text(container)} : jump {chain}")


def _in_network(name: str, cidr: Cidr, owner: str) -> Element:
    net, container = address.network(cidr).address, cidr.address
    return Element(INET, name + TAGS[len(net)], container + net, b"", "", owner, f"{address.text(container)} . {address.text(net)}")


def spoof_elements(link: str, mac: bytes, owner: str) -> tuple[Element, ...]:
    """Frames that enter through *link* carry *mac* or are dropped."""
    name = link.encode().ljust(16, b"\0")
    allowed = Element(BRIDGE, "spoof_macs", name + mac + b"\0\0", b"", "", owner, f'"{link}" . {mac.hex(":")}')
    return allowed, Element(BRIDGE, "spoof", name, b"", "", owner, f'"{link}"')


def port_element(protocol: str, host_ip: bytes, host_port: int, container: bytes, container_port: int, owner: str, suffix: str = "") -> Element:
    """A host port leads to a container's port. host_ip: packed, b"" for any local address."""
    service = bytes([PROTOCOLS[protocol], 0, 0, 0]) + _port(host_port)
    name = f"{'hostip_' if host_ip else ''}hostports{TAGS[len(container)]}{suffix}"
    where = f"{address.text(host_ip)} . " if host_ip else ""
    text = f"{where}{protocol} . {host_port} : {address.text(container)} . {container_port}"
    return Element(INET, name, host_ip + service, container + _port(container_port), "", owner, text)


def _port(port: int) -> bytes:
    return port.to_bytes(2, "big") + b"\0\0"
