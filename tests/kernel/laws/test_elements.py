"""Elements and the chains that they need, on both kernels: batches, owners, and what is swept."""

from typing import Any

import pytest

from core.address import parse_cidr
from core.intent import MASQUERADE, NO_SPOOF, PUBLISH
from core.nft import backend, ports
from core.nft.names import Element, Elements
from core.plan.records import HOST, Link, veth
from core.record import replace
from tests.kernel.laws.table import (
    BASE,
    BRIDGE_TABLE,
    CONDITIONAL,
    INET_TABLE,
    NET4,
    NET6,
    OTHER,
    OWNER,
    PORT,
    SPOOF,
    SPOOF_MAC,
    TAG,
    VETH,
    Factory,
    port,
)


def test_a_batch_of_elements_is_atomic(opened: Factory) -> None:
    """P-47: one key that is taken, and nothing of the batch is there."""
    opened().create(*INET_TABLE)
    opened().create(port(8080, owner=OTHER))
    with pytest.raises(FileExistsError):
        opened().create(port(1), port(8080), port(2))
    assert [opened().find(port(number)) for number in (1, 2)] == [None, None]
    assert opened().find(port(8080)).owner == OTHER


def test_mappings_that_have_a_chain_of_their_own_take_it_along(opened: Factory) -> None:
    """With its maps, and with the rule that leads to it."""
    elements = [port(number, condition=TAG) for number in (1, 2)]
    opened().create(*INET_TABLE, CONDITIONAL)
    opened().create(*elements)
    assert len(opened().delete(elements[0])) == 1
    assert opened().find(CONDITIONAL) == CONDITIONAL
    assert len(opened().delete(elements[1])) == 1
    assert (opened().find(CONDITIONAL), opened().find(CONDITIONAL.maps[0])) == (None, None)


def test_sweep_takes_what_nothing_needs_and_nothing_else(opened: Factory) -> None:
    used, unused = (
        backend.outside(NET4),
        [backend.outside(NET6), ports.hairpin(NET4), ports.hairpin_any(), CONDITIONAL],
    )
    opened().create(*INET_TABLE, used, *unused)
    opened().create(backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0])
    opened().sweep()
    assert [opened().find(chain) for chain in unused] == [None] * len(unused)
    assert [opened().find(member) for member in (*INET_TABLE, used)] == [*INET_TABLE, used]
    opened().sweep()


def test_an_element_that_jumps_nowhere_is_refused(opened: Factory) -> None:
    opened().create(*INET_TABLE)
    element = backend.masquerade_elements(parse_cidr("10.1.0.2/24"), OWNER)[0]
    with pytest.raises(FileNotFoundError):
        opened().create(element)
    assert opened().find(element) is None


def test_replace_is_atomic(opened: Factory) -> None:
    """All of the old goes and all of the new comes, or everything stays."""
    opened().create(*INET_TABLE)
    old, new, foreign = port(8080, "10.1.0.9", OTHER), port(8080), port(9000, owner="net/c3/eth0")
    opened().create(old, foreign)
    with pytest.raises(FileExistsError):
        opened().replace([old], [new, port(9000)])
    assert opened().find(new).owner == OTHER
    with pytest.raises(FileNotFoundError):
        opened().replace([old, port(7)], [new])
    assert opened().find(new).owner == OTHER
    opened().replace([old], [new, port(9001)])
    assert (opened().find(new), opened().find(port(9001))) == (new, port(9001))
    assert opened().find(port(9000)).owner == "net/c3/eth0"


def test_an_element_of_somebody_else_is_not_deleted(opened: Factory) -> None:
    """U-4: the key is equal, the owner is not."""
    opened().create(*INET_TABLE)
    opened().create(port(8080, owner=OTHER))
    assert opened().delete(port(8080)) == []
    assert opened().find(port(8080)).owner == OTHER


def bare(record: Any) -> Any:
    """Without what a list of elements does not tell."""
    return replace(record, text="", about=None) if isinstance(record, Element) else record


def test_owned_lists_what_was_created_by_owner(opened: Factory) -> None:
    """Veths by their alias, elements by their comment; of this network alone."""
    kernel = opened()
    for table in (INET_TABLE, BRIDGE_TABLE):
        kernel.create(*table)
    for record in BASE:
        kernel.create(record)
    opened().create(VETH)
    opened().create(veth("vethforeign", "eth1", "network/c1/eth0"))
    opened().create(SPOOF_MAC, SPOOF)
    opened().create(
        port(1),
        port(2, "fd01::2", f"{OTHER} veth7"),
        port(3, owner="network/c1/eth0"),
        port(4, owner="other/net/eth0"),
    )
    kinds = (Elements(PUBLISH, ""), Elements(NO_SPOOF, ""), Link)
    found = [(owner, bare(record)) for owner, record in opened().owned("net", kinds)]
    assert sorted(found, key=repr) == sorted(
        [
            (OWNER, Link(HOST, PORT, "veth", OWNER)),
            (OWNER, bare(port(1))),
            (OTHER, bare(port(2, "fd01::2", f"{OTHER} veth7"))),
            (OWNER, bare(SPOOF)),
            (OWNER, bare(SPOOF_MAC)),
        ],
        key=repr,
    )
    assert opened().owned("nobody", kinds) == []
    for _, record in opened().owned("net", kinds):
        assert len(opened().delete(record)) <= 1
    assert opened().owned("net", kinds) == []
    assert opened().find(port(3)).owner == "network/c1/eth0"


def test_owned_where_there_are_no_tables_is_nothing(opened: Factory) -> None:
    assert opened().owned("net", (Elements(PUBLISH, ""), Elements(NO_SPOOF, ""), Link)) == []
    assert opened().delete(Elements(PUBLISH, OWNER)) == []
    assert opened().find(Elements(PUBLISH, OWNER)) is None


@pytest.mark.parametrize("count", [1, 201, 1000])
def test_elements_of_finds_many(opened: Factory, count: int) -> None:
    """P-19: more than fit one message or one datagram; of one owner with a witness, and of everybody."""
    opened().create(*INET_TABLE)
    opened().create(
        *[port(number, "fd01::2", f"{OWNER} veth1", "2001:db8::1") for number in range(1, count + 1)],
        port(1, owner=OTHER),
    )
    assert len(opened().elements_of(Elements(PUBLISH, OWNER))) == count
    assert len(opened().elements_of(Elements(PUBLISH, ""))) == count + 1
    assert opened().elements_of(Elements(MASQUERADE, OWNER)) == []
    assert len(opened().delete(Elements(PUBLISH, OWNER))) == count
    assert [each.owner for each in opened().elements_of(Elements(PUBLISH, ""))] == [OTHER]
