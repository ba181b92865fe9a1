"""A value class as a base class: what a frozen dataclass is, for a hundredth of its start-up cost."""

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
        """Annotations become fields, class attributes their defaults. Its methods are inherited, as adding them to a class costs more."""

        def __init_subclass__(cls):
            cls.fields = tuple(cls.__annotations__)

        def __init__(self, *values, **named):
            """Positional or named construction; a default stays an attribute of the class."""
            cls = type(self)
            names = cls.fields
            if len(values) > len(names):
                raise TypeError(f"{cls.__name__} has the fields {names}")
            given = self.__dict__
            given.update(zip(names, values))
            for name in names[len(values) :]:
                if name in named:
                    given[name] = named.pop(name)
                elif not hasattr(cls, name):
                    raise TypeError(f"{cls.__name__} needs the field {name}")
            if named:
                raise TypeError(f"{cls.__name__} has no further field {', '.join(named)}")

        def __eq__(self, other):
            return self is other or (type(self) is type(other) and _values(self) == _values(other))

        def __hash__(self):
            return hash((type(self), *_values(self)))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join([f'{n}={getattr(self, n)!r}' for n in type(self).fields])})"

    def _values(value):
        return [getattr(value, name) for name in type(value).fields]

    def fields(value):
        """Names of the fields of a record or record class, in order."""
        return (value if isinstance(value, type) else type(value)).fields

    def replace(value, /, **changes):
        """A copy of *value* with some fields changed."""
        return type(value)(**{**{name: getattr(value, name) for name in type(value).fields}, **changes})
