"""DEL and GC on the fake kernel: they go on after failures and raise them together."""

import errno
from typing import Any

import pytest

from core.errors import KERNEL_REFUSED, TRY_AGAIN_LATER, CNIError
from core.intent import PUBLISH
from core.nft.names import Element, Elements
from core.plan import apply
from core.plan.records import Bridge, Link, Plan
from core.record import replace
from tests.harness.fake_kernel.kernel import FakeKernel
from tests.harness.fake_kernel.world import World
from tests.unit.plan.attached import CHAIN, NETNS, OTHER, OWNER, PLAN, VETH, port, published, refused


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
