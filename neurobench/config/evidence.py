"""Evidence for the figures of a row of a published table: a reference that no publication states, the origin of a band,
and a claim about another row."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import did_you_mean
from neurobench.config.spec import Record

KINDS = {
    "derived": "derived from what was published",
    "measured": "measured for this project with the original",
    "other": "from another network or protocol",
}
Part = TypeVar("Part", bound=Record)


def join_lines(record: Record, *names: str) -> None:
    """Put texts of a record on one line each: they are cells of tables, whose rows a line break would end, as the one
    at the end of a text that YAML folds (`means: >`)."""
    for name in names:
        lines = map(str.strip, getattr(record, name).splitlines())
        object.__setattr__(record, name, " ".join(filter(None, lines)))


@dataclass(frozen=True)
class Reference(Record):
    """Figure for comparison that the named publication does not state for the quantity that the row measures.

    `values`: those of single runs of the original, if there are several. Runs of this project are then tested against
    them.
    """

    value: float
    kind: Literal["derived", "measured", "other"]
    source: str
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        join_lines(self, "source")

    def conflicts(self) -> list[Fault]:
        n = len(self.values)
        if n == 1:
            return [("values", " has one run; a two-sample test needs at least two, and `value` alone needs none")]
        mean = sum(self.values) / n if n else self.value
        if abs(mean - self.value) > 5e-5 * max(1.0, abs(mean)):
            return [("value", f"={self.value} is not the mean of the values, {mean:.5g}")]
        return []


@dataclass(frozen=True)
class BandOrigin(Record):
    """Time at which a band was set, and its basis.

    declared: before any run of the experiment, as the history shows; derivation: from a published figure or from what
    is possible at all; runs: from `n` runs of this project (null: number not recorded) at or before `commit`.
    """

    basis: Literal["declared", "derivation", "runs"]
    commit: str  # commit that introduced the band
    n: Annotated[int, Bound(1)] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        join_lines(self, "note")

    def conflicts(self) -> list[Fault]:
        faults = []
        if not re.fullmatch(r"[0-9a-f]{7}", self.commit):
            faults.append(("commit", f"={self.commit!r} is not the first seven digits of a commit"))
        if self.n is not None and self.basis != "runs":
            faults.append(("n", f"={self.n} applies to basis=runs; this is basis={self.basis}"))
        return faults

    def __str__(self) -> str:
        runs = {None: "runs of ours", 1: "1 run of ours"}.get(self.n, f"{self.n} runs of ours")
        return {"declared": "declared before", "derivation": "derived", "runs": f"from {runs}"}[self.basis]


@dataclass(frozen=True)
class Relation(Record):
    """Claim of a row about another one of its table, checked over the seeds that both have.

    equal: the same figure at every seed. within: the 95 % interval of the mean of the paired differences lies inside ±
    `margin`, which is an equivalence test.
    """

    row: str  # id of the other row
    kind: Literal["equal", "within"]
    margin: Annotated[float, Bound(0, above=True)] | None = None

    def conflicts(self) -> list[Fault]:
        if (self.kind == "within") == (self.margin is None):
            need = "needs a margin" if self.margin is None else "has no margin"
            return [("margin", f"={self.margin} does not go with kind={self.kind}, which {need}")]
        return []


def part(kind: type[Part], fields: Any) -> tuple[Part | None, list[Fault]]:
    """Record of an inner section of a row and its faults, each named by its key (".margin"). null means no section."""
    if fields is None or isinstance(fields, kind):
        return fields, []
    if not isinstance(fields, Mapping):
        return None, [("", f"={fields!r} is not a section of keys")]
    known = {field.name: field for field in dataclasses.fields(kind)}
    faults = [(f".{key}", f" is not a key here.{did_you_mean(str(key), known)}") for key in fields if key not in known]
    required = [name for name, field in known.items() if field.default is dataclasses.MISSING]
    faults += [(f".{name}", " is missing") for name in required if name not in fields]
    if faults:
        return None, faults
    try:
        return kind(**fields), []
    except BoundsError as error:
        return None, [(f".{field}", sentence) for field, sentence in error.faults]
