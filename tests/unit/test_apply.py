"""apply on the fake kernel: order, races, what is undone, what is compared, what is told."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from core import intent
from core.address import parse, parse_cidr
from core.attachment import host_ifname
from core.errors import (
    CHECK_FAILED,
    GATEWAY_CONFLICT,
    INTERFACE_EXISTS,
    KERNEL_REFUSED,
    PORT_TAKEN,
    TRY_AGAIN_LATER,
    CNIError,
)
from core.intent import PUBLISH
from core.nft import backend, ports
from core.nft.names import INET, TABLES, Chain, Element, Elements, Table
from core.nft.rules import members
from core.plan import apply, difference
from core.plan.records import (
    CONTAINER,
    HOST,
    Address,
    Bridge,
    Gateway,
    Link,
    Peer,
    Plan,
    Route,
    Sysctl,
    Up,
    veth,
)
from core.plan.switching import PortVlans
from core.plan.words import describe
from core.publication import Mapping
from core.record import replace
from tests.harness.fake_kernel import FakeKernel, World

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


def test_add_makes_shared_then_owned_in_the_lists_order_and_returns_what_finish_does() -> None:
    world = World()
    assert apply.add(kernel(world), PLAN, lambda: "done") == "done"
    assert done(world, "create") == [*SHARED, *PLAN.owned]


def test_shared_tables_and_chains_are_made_once_an_element_is_refused_for_want_of_them() -> None:
    """They are not looked for where all else that is shared is there."""
    world = World()
    for record in (BRIDGE, UP):
        kernel(world).create(record)
    world.calls.clear()
    apply.add(kernel(world), PLAN, lambda: None)
    assert done(world, "create") == [VETH, MASQUERADE, *members(TABLES[INET]), CHAIN, *PLAN.owned[1:]]
    assert set(world.records.values()) == {*SHARED, *PLAN.owned}


def test_add_finds_what_is_shared_and_creates_it_no_second_time() -> None:
    """B-2: neither bridge nor tables are touched again."""
    world = World()
    for record in SHARED:
        kernel(world).create(record)
    world.calls.clear()
    apply.add(kernel(world), PLAN, lambda: None)
    assert done(world, "create") == list(PLAN.owned)


def test_a_setting_with_another_value_is_written() -> None:
    """U-3: and one with the right value is not."""
    world, setting = World(), Sysctl(HOST, "net/ipv4/ip_forward", "1")
    kernel(world).create(replace(setting, value="0"))
    for expected in ([replace(setting, value="0"), setting], [replace(setting, value="0"), setting]):
        apply.add(kernel(world), Plan((setting,)), lambda: None)
        assert done(world, "create") == expected


class Racing(FakeKernel):
    """Somebody else creates the shared record between our look and our own creation; *as_is* tells what they make."""

    def __init__(self, world: World, as_is: bool) -> None:
        super().__init__(world, NETNS)
        self.as_is = as_is

    def create(self, *records: Any) -> None:
        if self.as_is and self.key(records[0]) not in self.world.records:
            super().create(*records)
        raise FileExistsError(errno.EEXIST, "File exists")


def test_a_lost_race_for_something_shared_is_fine() -> None:
    """B-66: ten ADDs at once on a fresh bridge."""
    apply.add(Racing(World(), as_is=True), Plan((BRIDGE, UP)), lambda: None)


def test_a_lost_race_against_something_else_is_not() -> None:
    error = refused(lambda: apply.add(Racing(World(), as_is=False), Plan((BRIDGE,)), lambda: None))
    assert (error.code, error.msg) == (KERNEL_REFUSED, "cannot create Bridge(br0): File exists")


def test_undo_deletes_the_newest_first_and_leaves_to_the_link_what_dies_with_it() -> None:
    """B-35"""
    world = World()

    def fail() -> None:
        raise CNIError(KERNEL_REFUSED, "no")

    assert refused(lambda: apply.add(kernel(world), PLAN, fail)).msg == "no"
    assert done(world, "delete") == [MASQUERADE, VETH]
    assert set(world.records.values()) == {*SHARED}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, MemoryError, RuntimeError])
def test_undo_whatever_interrupts(interruption: type[BaseException]) -> None:
    world = World()

    def fail() -> None:
        raise interruption

    with pytest.raises(interruption):
        apply.add(kernel(world), PLAN, fail)
    assert set(world.records.values()) == {*SHARED}


def test_undo_goes_on_and_the_first_failure_is_the_one_that_is_told() -> None:
    world = World()

    class Stubborn(FakeKernel):
        def delete(self, record: Any) -> list[Any]:
            if isinstance(record, Element):
                raise OSError(errno.EBUSY, "Device or resource busy")
            return super().delete(record)

    world.fail_at, world.fail_with = INDEX[ROUTE] + 1, errno.ENETUNREACH
    error = refused(lambda: apply.add(Stubborn(world, NETNS), PLAN, lambda: None))
    assert error.msg == "cannot create Route(eth0, dst 0.0.0.0/0, gateway 10.1.0.1): Network is unreachable"
    assert set(world.records.values()) == {*SHARED, MASQUERADE}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EINTR, TRY_AGAIN_LATER),
        (errno.EAGAIN, TRY_AGAIN_LATER),
        (errno.EBUSY, TRY_AGAIN_LATER),
        (errno.ENOBUFS, TRY_AGAIN_LATER),
    ]
    + [
        (each, KERNEL_REFUSED)
        for each in (errno.EPERM, errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.ENOMEM)
    ],
)
def test_what_the_kernel_refuses_is_told_with_the_record(number: int, code: int) -> None:
    """An OSError becomes one CNIError here; code 11 where a retry may cure it."""
    world = World()
    world.fail_at, world.fail_with = INDEX[ADDRESS] + 1, number
    error = refused(lambda: apply.add(kernel(world), PLAN, lambda: None))
    assert error.code == code
    assert error.msg.startswith("cannot create Address(eth0, cidr 10.1.0.2/24): ")


def test_an_interface_that_exists_has_its_own_code() -> None:
    """B-63"""
    world = World()
    apply.add(kernel(world), PLAN, lambda: None)
    state = world.state()
    error = refused(lambda: apply.add(kernel(world), PLAN, lambda: None))
    assert error.code == INTERFACE_EXISTS
    assert world.state() == state


def test_a_conflicting_gateway_passes_through_with_its_own_code() -> None:
    """B-26 B-71: the message names both."""
    world = World()
    apply.add(kernel(world), Plan((BRIDGE, Gateway("br0", parse_cidr("10.1.0.1/24")))), lambda: None)
    error = refused(
        lambda: apply.add(kernel(world), Plan((Gateway("br0", parse_cidr("10.2.0.1/24")),)), lambda: None)
    )
    assert error.code == GATEWAY_CONFLICT
    apply.add(kernel(world), Plan((Gateway("br0", parse_cidr("10.2.0.1/24"), force=True),)), lambda: None)
    assert world.of(Gateway) == [Gateway("br0", parse_cidr("10.2.0.1/24"), force=True)]


# -- keys that are taken ------------------------------------------------------------------------------------------------


def published(world: World, *elements: Element) -> FakeKernel:
    """A kernel with elements in place, and the host veth of every owner but those called "gone"."""
    made = kernel(world)
    made.create(BRIDGE)
    made.create(*members(TABLES[INET]))
    made.create(*elements)
    return made


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


# -- CHECK, DEL, GC -----------------------------------------------------------------------------------------------------


def test_check_reports_every_difference_in_order() -> None:
    """B-43: want and found of each."""
    world = World()
    made = kernel(world)
    apply.add(made, PLAN, lambda: None)
    assert difference.check(made, PLAN) == []
    del world.records[made.key(MASQUERADE)]
    del world.records[made.key(ROUTE)]
    del world.records[made.key(UP)]
    world.links[HOST, VETH.name] = replace(world.links[HOST, VETH.name], flags=0)
    assert difference.check(made, PLAN) == [
        "br0 is down: want Up(host, br0), found nothing",
        f"eth0: not up: want {describe(VETH)}, found {describe(replace(VETH, up=False))}",
        f"nft map masquerade4 has lost {MASQUERADE.text}: want {describe(MASQUERADE)}, found nothing",
        f"eth0 has no default route via 10.1.0.1: want {describe(ROUTE)}, found nothing",
    ]


def test_check_says_what_stands_where_we_want_something_else() -> None:
    """P-29: an element that leads elsewhere."""
    made = published(World(), port(8080, OTHER, "10.1.0.9"))
    (told,) = difference.check(made, Plan((), (port(8080, OWNER),)))
    assert "net/c1/eth0" in told.partition(", found ")[0]
    assert "net/c2/eth0" in told.partition(", found ")[2]


def test_check_does_not_care_for_what_is_best_effort() -> None:
    world = World()
    made = kernel(world)
    apply.add(made, PLAN, lambda: None)
    made.create(replace(SETTING, value="0"))
    assert difference.check(made, PLAN) == []


def test_report_raises_all_differences_as_one_error() -> None:
    difference.report([])
    error = refused(lambda: difference.report(["want a, found b", "want c, found d", "want e, found f"]))
    assert (error.code, error.msg, error.details) == (
        CHECK_FAILED,
        "3 differences from what ADD made: want a, found b",
        "want c, found d\nwant e, found f",
    )


def test_delete_goes_on_after_failures_and_returns_them_all() -> None:
    """Absent is success; what was there is handed back."""
    world = World()

    class Refusing(FakeKernel):
        def delete(self, record: Any) -> list[Any]:
            if isinstance(record, Elements):
                raise OSError(errno.EPERM, "Operation not permitted")
            return super().delete(record)

    made = Refusing(world, NETNS)
    apply.add(made, PLAN, lambda: None)
    gone: list[object] = []
    footprint = (Elements(PUBLISH, OWNER), CHAIN, VETH, Bridge("absent"))
    failures = apply.delete(made, (*footprint[:1], *footprint[2:]), gone)
    assert [str(failure) for failure in failures] == [
        "cannot delete Elements(publish, net/c1/eth0): Operation not permitted"
    ]
    assert gone == [VETH.name]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([TRY_AGAIN_LATER], TRY_AGAIN_LATER),
        ([TRY_AGAIN_LATER, TRY_AGAIN_LATER], TRY_AGAIN_LATER),
        ([TRY_AGAIN_LATER, KERNEL_REFUSED], KERNEL_REFUSED),
        ([7, 105], KERNEL_REFUSED),
    ],
)
def test_failures_are_raised_together(codes: list[int], expected: int) -> None:
    """ "try again" only if that may cure every one."""
    apply.raise_all([])
    error = refused(
        lambda: apply.raise_all([CNIError(code, f"failure {place}") for place, code in enumerate(codes)])
    )
    assert (error.code, error.msg) == (expected, "; ".join(f"failure {place}" for place in range(len(codes))))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([KERNEL_REFUSED], TRY_AGAIN_LATER),
        ([106], TRY_AGAIN_LATER),
        ([7, KERNEL_REFUSED], TRY_AGAIN_LATER),
        ([7, 7], 7),
        ([999], 999),
    ],
)
def test_what_del_could_not_do_has_to_be_tried_again(codes: list[int], expected: int) -> None:
    """What the kernel or a missing delegate refused is code 11; the delegate's own code is passed on."""
    error = refused(lambda: apply.raise_all([CNIError(code, "failure") for code in codes], again=True))
    assert error.code == expected


def test_gc_deletes_what_no_valid_owner_claims() -> None:
    """Of this network, and of the kinds that the plugin makes; empty is meaningful."""
    world = World()
    made = published(world, port(1, OWNER), port(2, f"{OTHER} veth1"), port(3, "other/c2/eth0"), port(4, ""))
    apply.add(made, Plan((), (VETH,)), lambda: None)
    kinds = (Elements(PUBLISH, ""),)
    gone: list[object] = []
    assert apply.gc(made, "net", kinds, {OWNER}, gone) == []
    assert gone == [replace(port(2, f"{OTHER} veth1"), text=gone[0].text)]  # type: ignore[attr-defined]
    assert [each.owner for each in world.of(Element)] == [OWNER, "other/c2/eth0", ""]
    assert apply.gc(made, "net", (*kinds, Link), set()) == []
    assert [each.owner for each in world.of(Element, Link)] == ["other/c2/eth0", ""]


def test_gc_that_cannot_list_says_so() -> None:
    class Blind(FakeKernel):
        def owned(self, network: str, kinds: object) -> list[tuple[str, Any]]:
            raise OSError(errno.EPERM, "Operation not permitted")

    (failure,) = apply.gc(Blind(World()), "net", (), set())
    assert (failure.code, failure.msg) == (
        KERNEL_REFUSED,
        "cannot list what network net owns: Operation not permitted",
    )


# -- words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (BRIDGE, "Bridge(br0)"),
        (Bridge("br0", 1400, True), "Bridge(br0, mtu 1400, vlan_filtering)"),
        (
            replace(VETH, data=Peer(CONTAINER, "eth0", b"\2\0\0\0\0\1")),
            f"Link(host, {VETH.name}, veth, net/c1/eth0, Peer(container, eth0, mac 02:00:00:00:00:01), up)",
        ),
        (ROUTE, "Route(eth0, dst 0.0.0.0/0, gateway 10.1.0.1)"),
        (PortVlans("veth0", ((100, True), (7, False))), "PortVlans(veth0, vlans 100 True; 7 False)"),
        (CHAIN, "Chain(inet, outside4-24, outside, mask 255.255.255.0)"),
        (Sysctl(HOST, "net/ipv4/ip_forward", "1"), "Sysctl(host, net/ipv4/ip_forward, 1, required)"),
    ],
)
def test_a_record_in_words(record: object, expected: str) -> None:
    assert describe(record) == expected


def test_a_table_in_words_is_its_family() -> None:
    assert describe(TABLES[INET]) == "Table(inet)"
