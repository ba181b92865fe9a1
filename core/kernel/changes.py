"""Links that are not ours, and what is changed of them, as a kernel's records.

Loaded by plugins that change them.
"""

from __future__ import annotations

from errno import EEXIST

from core import system
from core.kernel import links
from core.kernel.state import ABSENT
from core.netlink import link as codec
from core.netlink import virtual
from core.netlink.link import IFF_PROMISC, IFINFO_BYTES
from core.netlink.message import attributes, unsigned
from core.netlink.virtual import IFF_ALLMULTI, IFLA_TXQLEN
from core.plan.changed import LinkSettings, Master, Membership, Moved
from core.plan.records import CONTAINER, HOST, Link
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State


def _delete_master(kernel: State, want: Master) -> list[str]:
    """Delete a master that has no members; absent is success. Raises OSError.

    A member that joins between the look and the deletion is put out with it, as with any look before a
    deletion; its CHECK says so.
    """
    kernel.forget_link(want.place, want.name)
    found = kernel.link(want.place, want.name)
    if found is None or found.kind != want.kind:
        return []
    replies = kernel.at(want.place).ask(codec.list_links())
    if any([codec.read_link(payload).master == found.index for _, payload in replies]):
        return []
    return links.delete_link(kernel, want.name, want.place)


def _find_settings(kernel: State, want: LinkSettings) -> LinkSettings | None:
    """Those that are wanted, with the kernel's values."""
    try:
        payload = kernel.at(want.place).ask(codec.get_link(want.link))[0][1]
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise
    found = codec.read_link(payload)
    queue = unsigned(attributes(payload, IFINFO_BYTES).get(IFLA_TXQLEN, b""))
    return replace(
        want,
        mac=found.mac if want.mac else b"",
        mtu=found.mtu if want.mtu else 0,
        promiscuous=None if want.promiscuous is None else bool(found.flags & IFF_PROMISC),
        all_multicast=None if want.all_multicast is None else bool(found.flags & IFF_ALLMULTI),
        tx_queue_len=None if want.tx_queue_len is None else queue,
    )


def _write_settings(kernel: State, want: LinkSettings) -> None:
    switches = ((IFF_PROMISC, want.promiscuous), (IFF_ALLMULTI, want.all_multicast))
    change = sum([bit for bit, wanted in switches if wanted is not None])
    flags = sum([bit for bit, wanted in switches if wanted])
    made = virtual.write_settings(want.link, want.mac, want.mtu, want.tx_queue_len, flags, change)
    kernel.at(want.place).do(made)
    kernel.forget_link(want.place, want.link)


def _find_membership(kernel: State, want: Membership) -> Membership | None:
    kernel.forget_link(want.place, want.link)
    found = kernel.link(want.place, want.link)
    if found is None:
        return None
    if not found.master:
        return replace(want, master="")
    master = codec.read_link(kernel.at(want.place).ask(codec.get_link_at(found.master))[0][1])
    return replace(want, master=master.name)


def _write_membership(kernel: State, want: Membership) -> None:
    kernel.forget_link(want.place, want.master)
    master = kernel.need(want.place, want.master).index if want.master else 0
    kernel.at(want.place).do(codec.set_master(want.link, master))
    kernel.forget_link(want.place, want.link)


def _find_moved(kernel: State, want: Moved) -> Moved | None:
    found = kernel.link(CONTAINER, want.ifname)
    return want if found and found.alias == want.name else None


def _move_in(kernel: State, want: Moved) -> None:
    """The alias goes first: in the container, it is the only sign of what the link was called.

    Where the kernel refuses the name and has moved the link all the same, the error's attribute made says so.
    """
    found = kernel.look_again(HOST, want.name)
    assert kernel.netns is not None
    kernel.at(HOST).do(codec.set_alias(want.name, want.name))
    try:
        kernel.at(HOST).do(virtual.move(found.index, kernel.netns, want.ifname))
    except OSError as error:
        kernel.forget_link(HOST, want.name)
        if error.errno == EEXIST and kernel.link(HOST, want.name) is None:
            error.made = (want,)  # type: ignore[attr-defined]
        elif kernel.link(HOST, want.name):
            kernel.at(HOST).do(codec.set_alias(want.name, found.alias))
        raise
    kernel.forget_link(HOST, want.name)
    kernel.forget_link(CONTAINER, want.ifname)


def _move_back(kernel: State, want: Moved) -> list[Moved]:
    """Move the link back under the name that it had, also one that was moved and could not be renamed."""
    for name in (want.ifname, want.name):
        kernel.forget_link(CONTAINER, name)
        found = kernel.link(CONTAINER, name)
        if found is None or found.alias != want.name:
            continue
        host = system.open("/proc/self/ns/net", system.O_RDONLY | system.O_CLOEXEC)
        try:
            kernel.at(CONTAINER).do(virtual.move(found.index, host, want.name))
        finally:
            system.close(host)
        kernel.at(HOST).do(codec.set_alias(want.name, ""))
        kernel.forget_link(CONTAINER, name)
        return [want]
    return []


FIND: dict[type, Any] = {
    Master: links.FIND[Link],
    LinkSettings: _find_settings,
    Membership: _find_membership,
    Moved: _find_moved,
}
CREATE: dict[type, Any] = {
    Master: links.CREATE[Link],
    LinkSettings: _write_settings,
    Membership: _write_membership,
    Moved: _move_in,
}
DELETE: dict[type, Any] = {Master: _delete_master, Moved: _move_back}
