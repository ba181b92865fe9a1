"""CHECK on the fake kernel: which differences are told, and how."""

from core.errors import CHECK_FAILED
from core.plan import apply, difference
from core.plan.records import HOST, Plan
from core.plan.words import describe
from core.record import replace
from tests.harness.fake_kernel.world import World
from tests.unit.plan.attached import (
    MASQUERADE,
    OTHER,
    OWNER,
    PLAN,
    ROUTE,
    SETTING,
    UP,
    VETH,
    kernel,
    port,
    published,
    refused,
)


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
