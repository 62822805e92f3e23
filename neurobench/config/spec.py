"""Records and specs, the objects that sections of a configuration become once they have been read.

A record is a frozen dataclass that checks itself on creation. A spec is a record that also names, as text, the function
or class that does its work, so that a configuration is checked without importing anything heavy.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

from neurobench.config.bounds import BoundsError, Fault, field_faults


@dataclass(frozen=True)
class Uses:
    """Annotation of a model's field that YAML fills with `${backend.NAME}`: `Annotated[str, Uses("sampler")]`.

    Once parsed, the field contains NAME; the opened device is passed to the learner under the field's name.
    """

    kind: str  # kind of device that the field accepts


@dataclass(frozen=True)
class Record:
    """Dataclass checked on creation: first each field against its annotation, then `conflicts`. Lists become tuples.

    Raises BoundsError with every fault.
    """

    not_computed: ClassVar[tuple[str, ...]] = ()  # fields that influence no result: no part of a hash

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        faults = [*field_faults(self), *self.section_faults()] or self.conflicts()
        if faults:
            raise BoundsError(type(self).__name__, faults)

    def section_faults(self) -> list[Fault]:
        """Faults inside fields that are sections themselves: ("phases.host.lr", "=0 is not above 0")."""
        return []

    def conflicts(self) -> list[Fault]:
        """Faults of fields that are valid alone but not together: (field, "=3 is more than steps=2")."""
        return []


@dataclass(frozen=True)
class Spec(Record):
    """Base class of anything that a `_target_` may name: a data set, an encoder, a model, a device, a tracker."""

    opens: ClassVar[str]  # dotted name of the function or class that does the work, see `targets.load`

    @property
    def sources(self) -> tuple[str, ...]:
        """Modules whose code determines the results: if it is the user's own, its text is part of a run's identity."""
        return (type(self).__module__,)

    def absent_extras(self) -> list[Fault]:
        """Packages that a run needs for it and that are not installed: (field, "=x needs y, which is not installed").
        Reading a finished run needs none of them."""
        return []
