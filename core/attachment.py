"""Who owns what: the attachment, its owner text, and every name that is hashed from it.

Spec: section 2 "Parameters" (CNI_CONTAINERID, CNI_IFNAME). Pure.
"""

from __future__ import annotations

from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha512
else:
    try:
        from _sha512 import sha512
    except ImportError:  # Python 3.12 and later have it elsewhere
        try:
            from _sha2 import sha512
        except ImportError:  # a bundle without; hashlib would bring OpenSSL along
            from core.sha512 import sha512

FIRST_IFNAME = "eth0"  # what runtimes call a container's first interface
CANDIDATES = 4  # names that a host veth may have
OWNER_BITS = 11  # of a newborn veth's link group, which has 31
PART_LIMIT = 80  # bytes a part of the owner text may have: an nft comment holds 253 in all, a link alias 255


def digest(data: bytes) -> bytes:
    """The 64 bytes of SHA-512, which every hashed name is taken from."""
    return sha512(data).digest()


def hashed(length: int, prefix: str, text: str) -> str:
    """First *length* characters of *prefix* + lower-case hex SHA-512 of *text*: the reference's name hash."""
    if length <= len(prefix):
        raise ValueError(f"prefix {prefix!r} leaves no room in {length} characters")
    return (prefix + sha512(text.encode()).hexdigest())[:length]


def _short(part: str) -> str:
    return hashed(40, "~", part) if len(part) > PART_LIMIT else part


def owner_text(network: str, container_id: str, ifname: str) -> str:
    """`network/containerID/ifname`; the hash of a part stands for it where it is too long for a comment."""
    return f"{_short(network)}/{_short(container_id)}/{ifname}"


class Attachment(Record):
    """One interface of one container on one network.

    netns: the path as the runtime gave it, "" when it gave none.
    port: the name of its host veth, "" for the first of the names that it may have.
    """

    network: str
    container_id: str
    ifname: str
    netns: str = ""
    port: str = ""

    @property
    def owner(self) -> str:
        """What stands in link aliases and nft comments."""
        return owner_text(self.network, self.container_id, self.ifname)

    @property
    def host_ifname(self) -> str:
        """The name of the host veth."""
        return self.port or host_ifname(self.owner)

    def chain(self, prefix: str) -> str:
        """The name of its chain of iptables: the reference's, where it is the container's first interface.

        The reference hashes no ifname, so two interfaces on one network would share a chain, and the first
        DEL take the other's rules away.
        """
        other = f"/{self.ifname}" if self.ifname != FIRST_IFNAME else ""
        return hashed(28, prefix, self.network + self.container_id + other)

    @property
    def comment(self) -> str:
        """The owner of an nft element, followed by the name of its host veth if that is not the usual one.

        The element's owner exists as long as this host veth does.
        """
        return f"{self.owner} {self.port}" if self.port not in ("", host_ifname(self.owner)) else self.owner


def host_ifname(owner: str) -> str:
    """The name that the host veth of an owner usually has: `veth` + 11 hex digits of the owner's hash."""
    return hashed(15, "veth", owner)


def host_ifnames(owner: str) -> tuple[str, ...]:
    """All names that the host veth of an owner may have, in the order in which they are tried.

    There are several, because a name holds 44 bits of a hash, and another owner's may begin with the same.
    """
    return host_ifname(owner), *[hashed(15, "veth", f"{owner} {number}") for number in range(1, CANDIDATES)]


def newborn_group(owner: str) -> int:
    """The link group of a host veth until it has its alias: 20 bits of its network's hash, 11 of its owner's.

    No kernel takes an alias at creation. Until it is set, GC finds by the network's bits what a killed ADD
    has left, and the owner's bits tell the link from one of another owner that may have the same name.
    """
    own = int.from_bytes(digest(owner.encode())[-2:], "big") >> 16 - OWNER_BITS
    return int(hashed(5, "", owner.partition("/")[0]), 16) << OWNER_BITS | own or 1


def network_prefix(network: str) -> str:
    """What the owner text of every attachment of *network* starts with."""
    return _short(network) + "/"
