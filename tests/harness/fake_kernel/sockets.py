"""The sockets of a fake kernel, for code that asks them itself."""

from hashlib import sha512
from typing import NoReturn, Self

from core.address import FAMILIES
from core.netlink import route
from core.netlink.message import Message
from core.plan.records import CONTAINER
from tests.harness.fake_kernel.links import Links
from tests.harness.fake_kernel.world import ENETUNREACH, ENOENT, refuse


class Identity:
    """A socket of a namespace, as far as that tells which one it is."""

    def __init__(self, netns: str | None) -> None:
        self.netns = netns or ""

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        """SO_NETNS_COOKIE."""
        return sha512(self.netns.encode()).digest()[:length]


class Ways:
    """A container's rtnetlink socket that knows of routes.

    It answers in the kernel's words: a route is told in the bytes in which it is made.
    """

    def __init__(self, kernel: Links) -> None:
        self.kernel = kernel
        self.socket = Identity(kernel.netns)

    def ask(self, message: Message) -> list[tuple[int, bytes]]:
        af, prefix_len = message.payload[:2]
        family = next(each for each in FAMILIES if each.af == af)
        wanted = [
            each for key, each in self.kernel.world.records.items() if key[:2] == ("Route", self.kernel.netns)
        ]
        wanted = [
            each for each in wanted if each.dst.family is family and not (prefix_len and each.dst.prefix_len)
        ]
        if prefix_len and not wanted:
            refuse(ENETUNREACH)
        paths = [
            (self.kernel.need(CONTAINER, each.link).index, route.Path(each.dst, each.gateway, each.table))
            for each in wanted
        ]
        return [(route.RTM_NEWROUTE, route.new_route(index, path).payload) for index, path in paths]

    def ask_all(self, messages: tuple[Message, ...]) -> list[tuple[list[tuple[int, bytes]], OSError | None]]:
        return [(self.ask(message), None) for message in messages]


class NoForeignRules:
    """A netfilter socket on which nothing of the Go plugins is to be found."""

    @property
    def socket(self) -> Self:
        return self

    def ask(self, message: object) -> NoReturn:
        refuse(ENOENT)

    def has_table(self, family: str, name: str) -> bool:
        return False
