"""The links of a fake kernel: made, found by their names, and deleted with all that stands on them."""

from typing import Any

from core.address import Cidr
from core.attachment import host_ifnames
from core.netlink import link as codec
from core.netlink.link import IF_OPER_UP
from core.netlink.route import IFA_F_PERMANENT
from core.plan.records import CONTAINER, HOST
from core.record import replace as changed
from tests.harness.fake_kernel.world import EEXIST, ENODEV, ENOENT, Key, World, refuse


class Links:
    """What one fake kernel knows of links: those of the host, and of the container that it was opened for."""

    def __init__(self, world: World, netns: str = "") -> None:
        self.world = world
        self.netns = netns or None

    def place(self, place: str) -> str:
        if place == HOST:
            return HOST
        return self.netns or refuse(ENOENT)

    def link(self, place: str, name: str) -> codec.Link | None:
        if place == CONTAINER and self.netns is None:
            return None
        return self.world.links.get((self.place(place), name))

    def need(self, place: str, name: str) -> codec.Link:
        return self.link(place, name) or refuse(ENODEV)

    def make_link(
        self, place: str, name: str, kind: str, mtu: int, mac: bytes = b"", flags: int = 0, alias: str = ""
    ) -> None:
        if self.link(place, name):
            refuse(EEXIST)
        self.world.indexes += 1
        mac = mac or b"\x02\0\0\0" + self.world.indexes.to_bytes(2, "big")
        index, size = self.world.indexes, mtu or 1500
        self.world.links[self.place(place), name] = codec.Link(
            index, name, flags, mac, size, 0, 0, IF_OPER_UP, alias, kind, 0, {}, {}
        )

    def pair(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        self.world.pairs |= {one: other, other: one}

    def flag(self, place: str, name: str, bit: int) -> None:
        link = self.world.links[place, name]
        self.world.links[place, name] = changed(link, flags=link.flags | bit)

    def delete_link(self, place: str, name: str) -> list[Any]:
        """A link with its other end and all that stands on them."""
        if not self.link(place, name):
            return []
        world, at = self.world, (self.place(place), name)
        gone = {at, world.pairs.get(at, at)}
        world.links = {where: link for where, link in world.links.items() if where not in gone}
        world.pairs = {where: peer for where, peer in world.pairs.items() if where not in gone}
        world.records = {key: each for key, each in world.records.items() if not self.stands_on(key, gone)}
        return [name]

    def stands_on(self, key: Key, gone: set[tuple[str, str]]) -> bool:
        """Whether a record is gone with its link: most keys have the link's place and name behind."""
        if key[0] == "Sysctl":
            return any((key[1], part) in gone for part in key[2].split("/"))
        return key[1:3] in gone

    def port_of(self, owner: str) -> tuple[str, str]:
        found = {name: self.link(HOST, name) for name in host_ifnames(owner)}
        mine = [name for name, link in found.items() if link and link.alias == owner]
        return (mine or [""])[0], ([name for name, link in found.items() if not link] or [""])[0]

    def host_end(self, ifname: str) -> codec.Link | None:
        """As the real one: the other end of a pair, where that is in the host."""
        other = self.world.pairs.get((self.place(CONTAINER), ifname), ("", ""))
        return self.link(HOST, other[1]) if other[0] == HOST else None

    def addresses(self, place: str, name: str) -> list[tuple[Cidr, int, int]]:
        self.need(place, name)
        where = self.place(place), name
        present = [
            key for key in self.world.records if key[0] in ("Address", "Gateway") and key[1:3] == where
        ]
        return [(key[3], 0, IFA_F_PERMANENT) for key in present]

    def teaches_routes(self, name: str) -> bool:
        return False

    def forget_link(self, place: str, name: str) -> None:
        return

    def look(self, place: str, *names: str) -> None:
        return
