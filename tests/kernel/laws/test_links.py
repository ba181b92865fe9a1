"""Links, addresses and settings, on both kernels: what goes with what, and what is refused."""

import pytest

from core.address import parse, parse_cidr
from core.errors import GATEWAY_CONFLICT, INVALID_CONFIG, CNIError
from core.kernel.go_suite import ContainerLink
from core.kernel.kernel import Kernel
from core.plan.records import CONTAINER, HOST, Address, Bridge, Gateway, Route, Sysctl, Up
from core.plan.switching import Promiscuous
from core.record import replace
from tests.harness.fake_kernel.world import World
from tests.harness.host import Host
from tests.kernel.laws.table import BASE, MAC, OWNER, PORT, ROUTED, VETH, WIRED, Factory


def test_deleting_a_veth_takes_along_what_stands_on_it(opened: Factory) -> None:
    """Addresses, routes and settings need no deletion of their own."""
    kernel = opened()
    for record in (*ROUTED, Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1"))):
        kernel.create(record)
    assert len(opened().delete(VETH)) == 1
    assert (opened().link(HOST, PORT), opened().link(CONTAINER, "eth0")) == (None, None)
    for record in ROUTED:
        opened().create(record) if record not in BASE else None
    assert opened().find(ROUTED[-2]) == ROUTED[-2]


def test_deleting_the_containers_link_takes_along_the_hosts(opened: Factory) -> None:
    """B-21: how an attachment goes that the Go plugins made."""
    for record in WIRED:
        opened().create(record)
    assert opened().delete(ContainerLink("eth0")) == ["eth0"]
    assert opened().link(HOST, PORT) is None
    assert opened().delete(ContainerLink("eth0")) == []


def test_a_veth_is_refused_for_either_name(opened: Factory) -> None:
    """U-6 B-63: and the one that is there stays as it was."""
    for record in WIRED:
        opened().create(record)
    before = opened().link(HOST, PORT)
    for clash in (replace(VETH, data=replace(VETH.data, name="eth1")), replace(VETH, name="vethother")):
        with pytest.raises(FileExistsError):
            opened().create(clash)
    assert opened().find(VETH) == VETH
    after = opened().link(HOST, PORT)
    assert (after.index, after.mac, after.alias) == (before.index, before.mac, before.alias)
    assert (opened().link(CONTAINER, "eth1"), opened().link(HOST, "vethother")) == (None, None)


def test_gateways_that_conflict(opened: Factory) -> None:
    """B-26 B-28: one IPv4 address a bridge unless forced; IPv6 networks stand side by side.

    The same address again is EEXIST.
    """
    for record in BASE:
        opened().create(record)
    first, second = Gateway("br0", parse_cidr("10.1.0.1/24")), Gateway("br0", parse_cidr("10.2.0.1/24"))
    opened().create(first)
    with pytest.raises(FileExistsError):
        opened().create(first)
    with pytest.raises(CNIError) as refused:
        opened().create(second)
    assert refused.value.code == GATEWAY_CONFLICT
    opened().create(replace(second, force=True))
    assert (opened().find(first), opened().find(second) is not None) == (None, True)
    for each in ("fd01::1/64", "fd02::1/64"):
        opened().create(Gateway("br0", parse_cidr(each)))
    assert [
        opened().find(Gateway("br0", parse_cidr(each))) is not None for each in ("fd01::1/64", "fd02::1/64")
    ] == [True, True]


def test_a_bridge_that_is_none(opened: Factory) -> None:
    """B-62: an error that says what it is."""
    for record in WIRED:
        opened().create(record)
    with pytest.raises(CNIError, match=f"{PORT} exists and is not a bridge but a veth link") as refused:
        opened().find(Bridge(PORT))
    assert refused.value.code == INVALID_CONFIG


def test_a_required_setting_that_cannot_be_written_is_refused(opened: Factory) -> None:
    """and one that is not required is not."""
    with pytest.raises(OSError, match=r"No such file") as refused:
        opened().create(Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1"))
    assert refused.value.record == Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1")  # type: ignore[attr-defined]
    opened().create(Sysctl(HOST, "net/ipv4/conf/absent/arp_notify", "1", required=False))


def test_a_batch_of_addresses_names_the_one_refused(opened: Factory) -> None:
    for record in WIRED:
        opened().create(record)
    good, bad = Address("eth0", parse_cidr("10.1.0.2/24")), Address("eth0", parse_cidr("10.1.0.3/24"))
    opened().create(bad)
    with pytest.raises(FileExistsError) as refused:
        opened().create(good, bad)
    assert refused.value.record == bad  # type: ignore[attr-defined]


def test_links_are_looked_up_by_name(opened: Factory) -> None:
    for record in (*ROUTED, Promiscuous("br0")):
        opened().create(record)
    kernel = opened()
    bridge, port_, inside = kernel.need(HOST, "br0"), kernel.need(HOST, PORT), kernel.need(CONTAINER, "eth0")
    assert (bridge.kind, bridge.up, port_.kind, port_.up, port_.alias, inside.mac, inside.mtu) == (
        "bridge",
        True,
        "veth",
        True,
        OWNER,
        MAC,
        1500,
    )
    assert (
        kernel.is_gone("net/c9/eth0"),
        kernel.is_gone(f"net/c9/eth0 {PORT}"),
        kernel.link(CONTAINER, PORT),
    ) == (True, False, None)
    assert kernel.port_is_up(PORT)
    assert kernel.addresses_settle("eth0")
    kernel.announce("eth0", MAC, [parse("10.1.0.2")], "br0")
    with pytest.raises(OSError, match=r"No such device"):
        kernel.need(HOST, "absent")


def test_without_a_container_there_is_nothing_inside(opened: Factory, host: Host) -> None:
    """B-24: DEL with an empty CNI_NETNS."""
    kernel = Kernel("") if isinstance(opened(), Kernel) else World().kernel("")
    assert kernel.netns is None
    assert kernel.link(CONTAINER, "eth0") is None
    assert kernel.find(Address("eth0", parse_cidr("10.1.0.2/24"))) is None
    with pytest.raises(FileNotFoundError):
        kernel.create(Up(CONTAINER, "eth0"))
    assert kernel.delete(ContainerLink("eth0")) == []
