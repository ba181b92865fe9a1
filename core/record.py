"""A value class as a base class: what a frozen dataclass is, for a hundredth of its start-up cost. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    class Record:
        """Annotations become fields, class attributes their defaults."""

    def replace(value: T, /, **changes: object) -> T: ...

    fields: Callable[[Any], tuple[str, ...]]

else:

    class Record:
        """Annotations become fields, class attributes their defaults.

        Subclasses inherit the methods: to generate some for each class, as dataclass does, costs more.
        """

        def __init_subclass__(cls):
            cls.fields = tuple(cls.__annotations__)

        def __init__(self, *values, **named):
            """Positional or named construction; a default stays an attribute of the class."""
            cls = type(self)
            names, given = cls.fields, self.__dict__
            given.update(zip(names, values))
            rest = names[len(values) :]
            if named or len(values) > len(names):
                _check(cls, values, named, rest)
                given.update(named)
                rest = () if len(named) == len(rest) else [name for name in rest if name not in named]
            if rest and not hasattr(cls, rest[0]):  # fields with a default come last
                raise TypeError(f"{cls.__name__} needs the field {rest[0]}")

        def __eq__(self, other):
            return self is other or (type(self) is type(other) and _values(self) == _values(other))

        def __hash__(self):
            return hash((type(self), *_values(self)))

        def __repr__(self):
            shown = [f"{name}={getattr(self, name)!r}" for name in type(self).fields]
            return f"{type(self).__name__}({', '.join(shown)})"

    def _check(cls, values, named, rest):
        """Raises TypeError for a value too many, or a name of nothing that is left."""
        if len(values) > len(cls.fields):
            raise TypeError(f"{cls.__name__} has the fields {cls.fields}")
        unknown = sorted(set(named).difference(rest))
        if unknown:
            raise TypeError(f"{cls.__name__} has no further field {', '.join(unknown)}")

    def _values(value):
        return [getattr(value, name) for name in type(value).fields]

    def fields(value):
        """Names of the fields of a record or record class, in order."""
        return (value if isinstance(value, type) else type(value)).fields

    def replace(value, /, **changes):
        """A copy of *value* with some fields changed."""
        return type(value)(**{**{name: getattr(value, name) for name in type(value).fields}, **changes})
