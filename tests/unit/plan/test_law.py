"""The law that every class of kernel records carries, held against its home."""

import importlib
import pkgutil
from typing import Any

import pytest

import core
from core.kernel import go_suite
from core.kernel.kernel import home
from core.nft import names
from core.plan import changed, opening, zones
from core.record import CHANGED, HEALED, OWNED, SETTING, SHARED, WITH_MEMBERS, KernelRecord, Record, fields

LIFECYCLES = (SHARED, HEALED, WITH_MEMBERS, OWNED, SETTING, CHANGED)
# Notes, and what DEL knows of others: neither is ever found and created by a plan.
NEVER_CREATED = (
    changed.Before,
    names.Elements,
    zones.ZoneSources,
    opening.Admissions,
    go_suite.ContainerLink,
)


def kinds() -> list[type[Any]]:
    """Every class of records that has a home, in whatever module of core."""
    for module in pkgutil.walk_packages(core.__path__, "core."):
        importlib.import_module(module.name)
    found, known = [], [KernelRecord]
    for kind in known:
        known += kind.__subclasses__()
        if kind.home and kind.__module__.startswith("core."):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_has_its_law(kind: type[Any]) -> None:
    assert kind.lifecycle in LIFECYCLES
    assert kind is changed.Before or kind.identity
    named = (*kind.identity, *kind.bears)
    assert [name for name in named if name not in fields(kind) and not hasattr(kind, name)] == []
    assert all(hasattr(kind, name) or name in fields(kind) for name in braced(kind.absent + kind.altered))
    assert not kind.batch or kind.lifecycle != CHANGED  # apply writes those one by one


def braced(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_its_home_can_do_what_its_lifecycle_needs(kind: type[Any]) -> None:
    """Find and create all; delete what an attachment owns, unless it goes with its link."""
    module = importlib.import_module(kind.home)
    assert home(kind) is module
    if kind not in NEVER_CREATED:
        assert kind in module.FIND
        assert kind in module.CREATE
    if kind.lifecycle in (OWNED, WITH_MEMBERS) and not kind.dies_with_link:
        assert kind in module.DELETE


def test_a_batch_is_of_one_home() -> None:
    """Who travels together is created by one function."""
    homes: dict[str, set[str]] = {}
    for kind in kinds():
        if kind.batch:
            homes.setdefault(kind.batch, set()).add(kind.home)
    assert {batch: len(found) for batch, found in homes.items() if len(found) > 1} == {}


def test_no_field_has_a_name_of_the_law() -> None:
    """A missing value for it would not be noticed, as every record has an attribute of that name."""
    law = set(vars(Record)) - set(vars(object)) - {"fields"}
    everything = [Record]
    for each in everything:
        everything += each.__subclasses__()
    found = [(each.__name__, name) for each in everything for name in fields(each) if name in law]
    assert found == []
