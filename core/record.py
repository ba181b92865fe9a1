"""A value class in a decorator: what a frozen dataclass is, for a hundredth of its start-up cost."""

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

    def _init(self, *values, **named):
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

    def _values(value):
        return [getattr(value, name) for name in type(value).fields]

    def _equal(self, other):
        return type(self) is type(other) and _values(self) == _values(other)

    def _hash(self):
        return hash((type(self), *_values(self)))

    def _show(self):
        return f"{type(self).__name__}({', '.join([f'{n}={getattr(self, n)!r}' for n in type(self).fields])})"

    def fields(value):
        """Names of the fields of a record or record class, in order."""
        return (value if isinstance(value, type) else type(value)).fields

    def record(cls):
        """Class decorator: annotations become fields, class attributes their defaults. No second class, so no slots: that costs less."""
        cls.fields = tuple(cls.__annotations__)
        cls.__init__, cls.__eq__, cls.__hash__, cls.__repr__ = _init, _equal, _hash, _show
        return cls

    def replace(value, /, **changes):
        """A copy of *value* with some fields changed."""
        return type(value)(**{**{name: getattr(value, name) for name in type(value).fields}, **changes})
