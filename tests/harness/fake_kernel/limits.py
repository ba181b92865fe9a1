"""What a fake kernel does with the records of limited links."""

from typing import Any

from core.netlink.link import IFF_UP
from core.plan.records import HOST
from core.plan.shaping import Ifb, IngressHook, Queue, Redirect, TokenBucket
from core.record import replace as changed
from tests.harness.fake_kernel.homes import Home, Kernel, needs_its_link
from tests.harness.fake_kernel.world import ENOENT, refuse


def make_ifb(kernel: Kernel, record: Ifb) -> None:
    kernel.make_link(HOST, record.name, "ifb", record.mtu, flags=IFF_UP, alias=record.owner)


def find_ifb(_kernel: Kernel, record: Ifb, found: Ifb | None) -> Ifb | None:
    return found and changed(found, mtu=found.mtu if record.mtu else 0)


def delete_ifb(kernel: Kernel, record: Ifb) -> list[Any]:
    found = kernel.link(HOST, record.name)
    is_mine = found and found.kind == "ifb" and found.alias in (record.owner, "")
    gone: list[Any] = kernel.delete_link(HOST, record.name) if is_mine else []
    return gone


def needs_its_bucket(kernel: Kernel, record: Queue) -> None:
    kernel.key(TokenBucket(record.link, "")) in kernel.world.records or refuse(ENOENT)


def needs_its_hook(kernel: Kernel, record: Redirect) -> None:
    kernel.need(HOST, record.ifb)
    kernel.key(IngressHook(record.link, "", "")) in kernel.world.records or refuse(ENOENT)


def delete_with_what_stands_on_it(kernel: Kernel, record: Any) -> list[Any]:
    """A token bucket or hook, by its link or by its owner."""
    above = {TokenBucket: Queue, IngressHook: Redirect}[type(record)]
    field = "link" if record.link else "owner"
    of_kind = kernel.world.of(type(record))
    mine = [each for each in of_kind if getattr(each, field) == getattr(record, field)]
    for each in mine:
        del kernel.world.records[kernel.key(each)]
        kernel.world.records.pop((above.__name__, HOST, each.link), None)
    return mine


LIMITS: dict[type, Home] = {
    Ifb: Home(find=find_ifb, make=make_ifb, delete=delete_ifb),
    TokenBucket: Home(need=needs_its_link, delete=delete_with_what_stands_on_it),
    Queue: Home(need=needs_its_bucket),
    IngressHook: Home(need=needs_its_link, delete=delete_with_what_stands_on_it),
    Redirect: Home(need=needs_its_hook),
}
