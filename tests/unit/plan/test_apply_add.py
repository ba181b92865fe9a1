"""ADD on the fake kernel: order of work, lost races, what is undone, what is told."""

import errno
from typing import Any

import pytest

from core.address import parse_cidr
from core.errors import GATEWAY_CONFLICT, INTERFACE_EXISTS, KERNEL_REFUSED, TRY_AGAIN_LATER, CNIError
from core.nft.names import INET, TABLES, Element
from core.nft.rules import members
from core.plan import apply
from core.plan.records import HOST, Gateway, Plan, Sysctl
from core.record import replace
from tests.harness.fake_kernel.kernel import FakeKernel
from tests.harness.fake_kernel.world import World
from tests.unit.plan.attached import (
    ADDRESS,
    BRIDGE,
    CHAIN,
    INDEX,
    MASQUERADE,
    NETNS,
    PLAN,
    ROUTE,
    SHARED,
    UP,
    VETH,
    done,
    kernel,
    refused,
)


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
    """Somebody else creates the shared record between our look and our creation; *as_is*: as we want it."""

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
