"""Virtual links of every kind as records, in either namespace; and batches that are made in part."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.address import parse_cidr
from core.errors import CNIError
from core.kernel import addressing
from core.kernel.kernel import Kernel
from core.plan import apply, difference
from core.plan.records import CONTAINER, HOST, Address, Bridge, Gateway, Link, Plan, Route, Up
from core.record import replace
from tests.harness.host import Container, Host

MAC = bytes.fromhex("020000000042")
OWNER = "net/c1/net1"
MACVLAN = Link(CONTAINER, "net1", "macvlan", OWNER, "veth0", mac=MAC, data=(("mode", 4),))
IFB = Link(HOST, "bwp0123456789a", "ifb", OWNER)


@pytest.fixture
def container(host: Host) -> Container:
    """With eth0, whose peer is veth0 in the host."""
    made = host.container()
    host.run(f"ip link add veth0 type veth peer name eth0 netns {made.path}")
    return made


@pytest.fixture
def kernel(container: Container) -> Iterator[Kernel]:
    with Kernel(str(container.path)) as opened:
        yield opened


def links(host: Host) -> set[str]:
    return {link["ifname"] for link in host.ip("link show")}


# -- batches that are not atomic -------------------------------------------------------------------


def test_what_a_refused_batch_has_made_is_undone(kernel: Kernel, container: Container) -> None:
    """On a link that is not ours, which does not take its addresses along."""
    made, refused = parse_cidr("10.1.0.2/24"), parse_cidr("10.2.0.2/24")
    container.run(f"ip address add {refused} dev eth0")

    class Lasting(Address):
        dies_with_link = False

    addresses = tuple(replace(Lasting("eth0", cidr)) for cidr in (made, refused))
    tables: Any = addressing
    for table, name in ((tables.CREATE, "_create"), (tables.DELETE, "_delete")):
        table[Lasting] = getattr(tables, name)
    tables.MESSAGES[Lasting], tables.REMOVALS[Lasting] = tables.MESSAGES[Address], tables.REMOVALS[Address]
    try:
        with pytest.raises(CNIError, match=r"10\.2\.0\.2/24\): File exists"):
            apply.add(kernel, Plan((), addresses), lambda: None)
    finally:
        for table in (tables.CREATE, tables.DELETE, tables.MESSAGES, tables.REMOVALS):
            del table[Lasting]
    (link,) = container.ip("-4 address show dev eth0")
    assert [each["local"] for each in link["addr_info"]] == ["10.2.0.2"]


# -- virtual links of every kind -------------------------------------------------------------------


@pytest.mark.parametrize("link", [MACVLAN, IFB, replace(MACVLAN, mtu=1400)], ids=lambda link: link.kind)
def test_a_link_of_any_kind(kernel: Kernel, host: Host, container: Container, link: Link) -> None:
    """Created exclusively, found with all that it is, up, with its owner for an alias; deleted once."""
    apply.add(kernel, Plan((), (link,)), lambda: None)
    (found,) = (container if link.place == CONTAINER else host).ip(f"-d link show dev {link.name}")
    assert (found["linkinfo"]["info_kind"], found["ifalias"], "UP" in found["flags"]) == (
        link.kind,
        OWNER,
        True,
    )
    assert kernel.find(link) == link
    assert difference.check(kernel, Plan((), (link,))) == []
    with pytest.raises(CNIError, match="File exists"):
        apply.add(kernel, Plan((), (link,)), lambda: None)
    for _ in range(2):
        assert apply.delete(kernel, (link,)) == []
        assert kernel.find(link) is None


def test_a_link_of_another_parent_or_mode_is_a_difference(kernel: Kernel, host: Host) -> None:
    host.run("ip link add other0 type veth peer name other1")
    apply.add(kernel, Plan((), (replace(MACVLAN, parent="other0"),)), lambda: None)
    assert kernel.find(MACVLAN) is None
    found = kernel.find(replace(MACVLAN, parent="other0", data=(("mode", 8),)))
    assert found.data == (("mode", 4),)


def test_gc_lists_virtual_links_by_their_alias_and_never_another(kernel: Kernel, host: Host) -> None:
    """A physical link that somebody gave our alias is no link of ours: here lo stands for it."""
    apply.add(kernel, Plan((), (IFB,)), lambda: None)
    host.run(f"ip link set lo alias {OWNER}")
    assert [(owner, link.name) for owner, link in kernel.owned("net", (Link,))] == [(OWNER, IFB.name)]
    assert apply.gc(kernel, "net", (Link,), set()) == []
    assert IFB.name not in links(host)
    assert "lo" in links(host)


def test_places_are_free(kernel: Kernel, host: Host, container: Container) -> None:
    """An address in the host, a bridge with its gateway in the container."""
    bridge = (Bridge("br0", place=CONTAINER), Up(CONTAINER, "br0"))
    gateway = Gateway("br0", parse_cidr("10.3.0.1/24"), place=CONTAINER)
    mine = (
        Up(HOST, "veth0"),
        Address("veth0", parse_cidr("10.1.0.1/32"), place=HOST),
        Route("veth0", parse_cidr("10.1.0.2/32"), place=HOST),
    )
    made = Plan((*bridge, gateway), mine)
    apply.add(kernel, made, lambda: None)
    assert difference.check(kernel, made) == []
    (found,) = container.ip("-4 address show dev br0")
    assert [each["local"] for each in found["addr_info"]] == ["10.3.0.1"]
    (route,) = [each for each in host.ip("route show dev veth0") if each["dst"] == "10.1.0.2"]
    assert route["scope"] == "link"
