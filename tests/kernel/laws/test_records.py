"""Every kind of record, on both kernels: created, found, created again, deleted."""

from typing import Any

import pytest

from core.kernel.kernel import Kernel
from core.nft.names import Element
from core.plan.localnet import LocalnetRouting
from core.plan.records import Bridge, Sysctl
from core.plan.switching import PortVlans
from core.record import replace
from tests.kernel.laws.table import LAWS, Factory, Law


@pytest.fixture(params=LAWS)
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


@pytest.fixture
def kernel(opened: Factory, law: Law) -> Any:
    """A kernel with everything in place that the law's record needs; skipped where it can do none of it."""
    made = opened()
    if law.needs and isinstance(made, Kernel):
        probe(opened(), law)
    for record in law.before:
        made.create(record)
    return opened()  # one that has nothing in mind


def probe(kernel: Kernel, law: Law) -> None:
    """Skip where this kernel refuses a bridge that filters VLANs."""
    try:
        kernel.create(Bridge("probe", vlan_filtering=True))
    except OSError as error:
        pytest.skip(f"this kernel has no {law.needs}: {error.strerror}")
    kernel.delete(Bridge("probe"))


def test_what_was_created_is_found_as_it_was_meant(opened: Factory, kernel: Any, law: Law) -> None:
    """Every value that a record has stands in the kernel; before there was nothing, or something else."""
    assert kernel.find(law.record) != law.record or not law.exclusive
    kernel.create(law.record)
    assert kernel.find(law.record) == law.record
    assert opened().find(law.record) == law.record


def test_creating_it_again_is_refused_or_changes_nothing(opened: Factory, kernel: Any, law: Law) -> None:
    """EEXIST is the lock; a setting may be written as often as one likes."""
    kernel.create(law.record)
    if law.exclusive:
        with pytest.raises(FileExistsError):
            opened().create(law.record)
    else:
        opened().create(law.record)
    assert opened().find(law.record) == law.record


def test_deleting_it_twice_is_fine(opened: Factory, kernel: Any, law: Law) -> None:
    """The first time it says what was there, the second time nothing; before it existed neither."""
    if not law.deletable:
        return
    assert kernel.delete(law.record) == []
    kernel.create(law.record)
    assert len(opened().delete(law.record)) == 1
    assert opened().find(law.record) is None
    assert opened().delete(law.record) == []
    for record in law.before if isinstance(law.record, Element) else ():
        opened().create(record)  # a chain may have gone with its last element
    opened().create(law.record)
    assert opened().find(law.record) == law.record


def test_where_nothing_is_nothing_is_found(opened: Factory, law: Law) -> None:
    """CHECK on a host from which all is gone tells differences, not failures."""
    if isinstance(law.record, (Sysctl, LocalnetRouting)):  # where it cannot be, it is not missed
        return
    assert opened().find(law.record) in (
        None,
        replace(law.record, vlans=((1, True),)) if isinstance(law.record, PortVlans) else None,
    )


def test_what_it_stands_on_has_to_be_there(opened: Factory, law: Law) -> None:
    """An OSError, and nothing is made."""
    if not law.before or isinstance(law.record, (Sysctl, LocalnetRouting)) or law.needs:
        return
    with pytest.raises(OSError, match=r"."):
        opened().create(law.record)
    assert opened().find(law.record) is None
