"""An attachment's plan as apply is given it, and the fake kernel that it is carried out on."""

from collections.abc import Callable
from typing import Any

import pytest

from core.address import parse, parse_cidr
from core.attachment import host_ifname
from core.errors import CNIError
from core.nft import backend, ports
from core.nft.names import INET, TABLES, Chain, Element, Table
from core.nft.rules import members
from core.plan.records import CONTAINER, HOST, Address, Bridge, Plan, Route, Sysctl, Up, veth
from core.publication import Mapping
from tests.harness.fake_kernel.kernel import FakeKernel
from tests.harness.fake_kernel.world import World

OWNER, OTHER = "net/c1/eth0", "net/c2/eth0"
NETNS = "/netns/c1"
BRIDGE, UP = Bridge("br0"), Up(HOST, "br0")
VETH = veth(host_ifname(OWNER), "eth0", OWNER)
ADDRESS, ROUTE = (
    Address("eth0", parse_cidr("10.1.0.2/24")),
    Route("eth0", parse_cidr("0.0.0.0/0"), parse("10.1.0.1")),
)
SETTING = Sysctl(CONTAINER, "net/ipv4/conf/eth0/arp_notify", "1", required=False)
CHAIN = backend.outside(parse_cidr("10.1.0.0/24"))
MASQUERADE = backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0]
PLAN = Plan(
    (BRIDGE, UP, TABLES[INET], CHAIN), (VETH, MASQUERADE, SETTING, ADDRESS, Up(CONTAINER, "eth0"), ROUTE)
)
SHARED = [
    member
    for record in PLAN.shared
    for member in (members(record) if isinstance(record, (Table, Chain)) else (record,))
]
INDEX = {record: place for place, record in enumerate((*SHARED, *PLAN.owned))}


def port(number: int, owner: str, container: str = "10.1.0.2") -> Element:
    return ports.port_element(Mapping("tcp", b"", number, parse(container), 80), owner)


def kernel(world: World | None = None) -> FakeKernel:
    return (world or World()).kernel(NETNS)


def refused(work: Callable[[], object]) -> CNIError:
    with pytest.raises(CNIError) as caught:
        work()
    return caught.value


def done(world: World, verb: str) -> list[Any]:
    return [record for each, record, *_ in world.calls if each == verb]


def published(world: World, *elements: Element) -> FakeKernel:
    """A kernel with elements in place, and the host veth of every owner but those called "gone"."""
    made = kernel(world)
    made.create(BRIDGE)
    made.create(*members(TABLES[INET]))
    made.create(*elements)
    return made
