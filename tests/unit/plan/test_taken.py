"""Keys of nft elements that are taken: by the living, by the dead, by ourselves."""

import pytest

from core import intent
from core.address import parse_cidr
from core.attachment import host_ifname
from core.errors import KERNEL_REFUSED, PORT_TAKEN
from core.nft import ports
from core.nft.names import INET, TABLES, Element, Elements
from core.nft.rules import members
from core.plan import apply
from core.plan.records import Plan, veth
from core.record import replace
from tests.harness.fake_kernel.world import World
from tests.unit.plan.attached import BRIDGE, CHAIN, MASQUERADE, OTHER, OWNER, kernel, port, published, refused


def test_a_port_of_a_living_attachment_is_refused_with_its_owners_name() -> None:
    """P-47"""
    world = World()
    made = published(world, port(8080, OTHER))
    World.kernel(world, "/netns/c2").create(veth(host_ifname(OTHER), "eth0", OTHER))
    state = world.state()
    error = refused(lambda: apply.add(made, Plan((), (port(1, OWNER), port(8080, OWNER))), lambda: None))
    assert (error.code, error.msg) == (PORT_TAKEN, "host port 8080/tcp is already taken by net/c2/eth0")
    assert world.state() == state


@pytest.mark.parametrize("witness", ["", " veth1234"])
def test_a_port_of_a_gone_attachment_is_replaced(witness: str) -> None:
    """P-47: provably gone is one whose host veth, or witness, no longer exists."""
    world = World()
    made = published(world, port(8080, OTHER + witness, "10.1.0.9"))
    apply.add(made, Plan((), (port(1, OWNER), port(8080, OWNER))), lambda: None)
    assert world.of(Element) == [port(1, OWNER), port(8080, OWNER)]


@pytest.mark.parametrize("owner", [OTHER + " -", ""])
def test_a_port_whose_owner_cannot_be_proved_gone_is_refused(owner: str) -> None:
    """P-47: no witness, or no owner at all."""
    world = World()
    made = published(world, port(8080, owner))
    error = refused(lambda: apply.add(made, Plan((), (port(8080, OWNER),)), lambda: None))
    assert (error.code, error.msg) == (
        PORT_TAKEN,
        f"host port 8080/tcp is already taken by {'net/c2/eth0' if owner else 'somebody else'}",
    )


def test_a_port_of_a_gone_attachment_is_replaced_where_a_chain_is_missing_too() -> None:
    world, chain = World(), ports.hairpin(parse_cidr("10.1.0.0/24"))
    kernel(world).create(*members(TABLES[INET]))
    kernel(world).create(port(8080, OTHER))
    wanted = (port(8080, OWNER), *ports.hairpin_elements(parse_cidr("10.1.0.2/24"), OWNER))
    apply.add(kernel(world), Plan((TABLES[INET], chain), wanted), lambda: None)
    assert set(world.records.values()) == {*members(TABLES[INET]), chain, *wanted}


def test_our_own_remains_are_replaced() -> None:
    """P-44: what an ADD that nobody cleaned up left, in the way or not, makes room for what is wanted now."""
    world = World()
    made = published(world, port(8080, OWNER, "10.1.0.9"), port(8081, OWNER, "10.1.0.9"))
    apply.add(made, Plan((), (port(8080, OWNER),)), lambda: None)
    assert world.of(Element) == [port(8080, OWNER)]


def test_a_masquerade_element_of_somebody_else_is_no_host_port() -> None:
    """U-4: the address of a living attachment."""
    world = World()
    made = kernel(world)
    apply.add(
        made, Plan((BRIDGE, TABLES[INET], CHAIN), (replace(MASQUERADE, owner=OTHER + " br0"),)), lambda: None
    )
    error = refused(lambda: apply.add(made, Plan((), (MASQUERADE,)), lambda: None))
    assert (error.code, error.msg) == (
        KERNEL_REFUSED,
        "masquerade4 element 10.1.0.2 is already taken by net/c2/eth0",
    )


def test_an_address_is_used_again_before_the_old_attachment_is_deleted() -> None:
    """U-4: the new one takes the element over, and the old one's late DEL does not take it away."""
    world = World()
    made = kernel(world)
    apply.add(made, Plan((BRIDGE, TABLES[INET], CHAIN), (replace(MASQUERADE, owner=OTHER),)), lambda: None)
    apply.add(made, Plan((), (MASQUERADE,)), lambda: None)
    assert apply.delete(made, (Elements(intent.MASQUERADE, OTHER), replace(MASQUERADE, owner=OTHER))) == []
    assert world.of(Element) == [MASQUERADE]
