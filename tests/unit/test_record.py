"""The value class: construction, equality, hash, text."""

import pytest

from core.record import Record, fields, replace


class Point(Record):
    """Where something is."""

    x: int
    y: int = 7

    @property
    def total(self) -> int:
        return self.x + self.y


class Other(Record):
    x: int
    y: int = 7


def test_fields_are_given_by_place_or_name_and_have_defaults() -> None:
    assert [(point.x, point.y) for point in (Point(1), Point(1, 2), Point(x=1, y=2), Point(1, y=2))] == [
        (1, 7),
        (1, 2),
        (1, 2),
        (1, 2),
    ]
    assert fields(Point(1)) == fields(Point) == ("x", "y")


def test_records_are_equal_by_type_and_values() -> None:
    assert Point(1, 2) == Point(x=1, y=2)
    assert Point(1, 2) != Point(1, 3)
    strangers: list[object] = [Other(1, 2), (1, 2)]
    assert Point(1, 2) not in strangers
    assert len({Point(1), Point(1, 7), Other(1)}) == 2


def test_replace_changes_a_copy() -> None:
    point = Point(1)
    assert replace(point, y=3) == Point(1, 3)
    assert point == Point(1)


def test_a_record_tells_its_fields() -> None:
    assert repr(Point(1)) == "Point(x=1, y=7)"
    assert Point.__doc__ == "Where something is."
    assert Point(1).total == 8


def test_a_wrong_construction_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="Point has the fields"):
        Point(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point needs the field x"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point needs the field x"):
        Point(y=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point has no further field z"):
        Point(1, z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Point has no further field x"):
        Point(1, x=2)  # type: ignore[misc]
    with pytest.raises(TypeError, match="Point has no further field z"):
        replace(Point(1), z=2)
