"""A value class as a base class: what a frozen dataclass is, for a hundredth of its start-up cost. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    class Record:
        """Annotations become fields, class attributes their defaults."""

    def replace(value: T, /, **changes: object) -> T: ...

    fields: Callable[[Any], tuple[str, ...]]

else:

    class Record:
        """Annotations become fields, class attributes their defaults.

        Its methods are inherited, as adding them to a class costs more. A class without annotations has its
        parent's fields. The attributes below are no names for a field that has no default.
        """

        fields = ()
        # The law of a kind of kernel records, where a class does not say otherwise.
        home = batch = altered = ""
        lifecycle = "shared"
        identity = bears = ()
        atomic = dies_with_link = universal = False
        taken = 0
        absent = "something is missing"

        def __init_subclass__(cls):
            cls.fields = tuple(cls.__annotations__) or cls.fields

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
            told = [f"{name}={getattr(self, name)!r}" for name in type(self).fields]
            return f"{type(self).__name__}({', '.join(told)})"

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


# The lifecycle of a kind of kernel records, which says what apply may do with it.
SHARED = "shared"  # found, or created exclusively; never deleted by one attachment
HEALED = "healed"  # shared, but found by its mark; missing and altered members are written together
WITH_MEMBERS = "with members"  # shared; whoever takes the last member away deletes it
OWNED = "owned"  # created exclusively, deleted by its attachment
SETTING = "setting"  # always has a value: written where that differs
CHANGED = "changed"  # a setting of something that is not ours: what was there before is written back


if TYPE_CHECKING:

    class KernelRecord(Record):
        """One object or setting of the kernel. The class carries the law of its kind:

        home: the module that finds, creates and deletes it, imported at first use.
        lifecycle: one of the above.
        identity: the fields that find it again; two records that agree in them cannot both be there.
        batch: neighbours in a plan with the same word here and the same place travel in one message.
        atomic: whether the kernel makes a batch as a whole or not at all.
        dies_with_link: whether the deletion of the link that it belongs to undoes it.
        universal: whether every suite makes it for an attachment, in whatever way.
        taken: the code of the error where its identity is taken; 0 for the usual one.
        absent, altered: what CHECK says where it is missing, or another; attributes stand in braces.
        bears: the attributes whose names are gone when it is.
        """

        home: ClassVar[str]
        lifecycle: ClassVar[str]
        identity: ClassVar[tuple[str, ...]]
        batch: ClassVar[str]
        atomic: ClassVar[bool]
        dies_with_link: ClassVar[bool]
        universal: ClassVar[bool]
        taken: ClassVar[int]
        absent: ClassVar[str]
        altered: ClassVar[str]
        bears: ClassVar[tuple[str, ...]]

else:
    # One base class less for twenty classes, each of which looks its ninety special methods up in all bases.
    KernelRecord = Record
