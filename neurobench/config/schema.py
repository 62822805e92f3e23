"""The sections of a configuration that are the same for every model: their keys, types and bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.evidence import BandOrigin, Reference, Relation, join_lines, part
from neurobench.config.spec import Record

# Where and how a run is computed, not what: two runs that differ only here share a config hash.
RUNTIME_KEYS = (
    "name",
    "device",
    "threads",
    "kernels",
    "outputs",
    "resume",
    "figures",
    "host_energy",
    "wait",
    "table",
    "logger",
)

Fraction = Annotated[float, Bound(0, 1)]


@dataclass(frozen=True)
class Root(Record):
    """The keys at the top of a configuration."""

    name: str  # folder below `outputs` that contains the run
    seed: Annotated[int, Bound(0, 2**31 - 1)]  # root of every random stream
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Bound(1, 1024)] | Literal["auto"]
    outputs: str  # folder of all runs
    resume: bool  # resume the newest unfinished run of the same configuration
    host_energy: bool = False  # measure joules of this machine
    figures: Literal["png", "pdf", "svg"] = "png"  # file format of figures for papers, besides PNG
    kernels: Literal["exact", "fast"] = "exact"  # fast: bits may depend on the processor
    wait: bool = True  # wait for a device that answers later; else the run ends once its jobs are sent

    def conflicts(self) -> list[Fault]:
        faults, name = [], self.name
        if set(name) & set("/\\") or name.startswith(".") or name.strip() != name or not name.isprintable() or not name:
            faults.append(("name", f"={name!r} is not a plain folder name"))
        elif (size := len(name.encode())) > 200:
            faults.append(("name", f"={name[:20]}... has {size} bytes; a folder's name has at most 200"))
        if not self.outputs.strip():
            faults.append(("outputs", f"={self.outputs!r} names no folder; the folder in which you are is outputs=."))
        return faults


@dataclass(frozen=True)
class Training(Record):
    """Settings of the loop over epochs."""

    epochs: Annotated[int, Bound(1)]
    batch_size: Annotated[int, Bound(1)]
    shuffle: bool  # in a new seeded order each epoch; else in the split's order
    monitor: str  # the epoch figure that early stopping watches: "validation_loss", "train_loss", ...
    patience: Annotated[int, Bound(1)] | None  # epochs without improvement before stopping; null: never
    checkpoint_every: Annotated[float, Bound(0)]  # seconds between checkpoints within an epoch
    goal: float | None = None  # stop once `monitor` is as good as this; null: never
    test_by_epoch: bool = False  # test figures after each epoch, for inspection; `monitor` accepts none of them
    keep_best: bool = False  # store, besides the last state, the one in which `monitor` was best

    def conflicts(self) -> list[Fault]:
        split, _, figure = self.monitor.partition("_")
        if split in ("train", "validation") and figure:
            return []
        offered = "train_loss, train_accuracy, validation_loss, validation_accuracy or another one of metrics.jsonl"
        return [("monitor", f"={self.monitor!r} is not a figure of an epoch; there is {offered}")]


@dataclass(frozen=True)
class Scale(Record):
    """Limits on how much of a schedule is run. Only `paper` is ever a result."""

    name: str
    epochs: Annotated[int, Bound(1)] | None  # maximum; null: the full schedule
    train: Annotated[int, Bound(1)] | None  # maximum number of training samples
    test: Annotated[int, Bound(1)] | None  # maximum number of test samples


@dataclass(frozen=True)
class Row(Record):
    """One row of a published table. A band says in `band_from` when it was set and from what."""

    id: str
    what: str
    metric: str  # a key of result.json's metrics
    published: float | None  # as stated in the source; null: it states no such figure
    source: str
    band: tuple[float | None, ...]  # [low, high], each may be null: no bound on that side
    means: str  # what the figure really measures
    model: str | None = None  # in a grid of models, data sets and backends: the cell's position
    dataset: str | None = None
    backend: str | None = None
    # For a control, its comparisons over the same seeds: experiments, by this row's metric, or rows of its table
    against: Sequence[str] = field(default_factory=list)
    reference: Reference | None = None  # a figure to compare with that no publication states
    band_from: BandOrigin | None = None
    relation: Relation | None = None  # to another row of the table

    def __post_init__(self) -> None:
        super().__post_init__()
        join_lines(self, "what", "source", "means")

    def section_faults(self) -> list[Fault]:
        """Faults of the inner sections, which become records."""
        faults = []
        for name, kind in INNER.items():
            made, part_faults = part(kind, getattr(self, name))
            object.__setattr__(self, name, made)
            faults += [(f"{name}{key}", sentence) for key, sentence in part_faults]
        return faults

    def conflicts(self) -> list[Fault]:
        if len(self.band) != 2:
            return [("band", f"={list(self.band)!r} is not [low, high]")]
        low, high = self.band
        if low is not None and high is not None and low > high:
            return [("band", f"={list(self.band)!r} contains no value: its low end lies above its high end")]
        if self.band_from and self.band == (None, None):
            return [("band_from", " gives the origin of a band; band=[null, null] is none")]
        if self.published is not None and self.reference:
            return [("reference", f" is only for unpublished figures; published={self.published:g}")]
        return []


INNER: dict[str, type[Record]] = {"reference": Reference, "band_from": BandOrigin, "relation": Relation}


@dataclass(frozen=True)
class Table(Record):
    """The rows that an experiment contributes to a table."""

    name: str
    rows: tuple[Any, ...]
    over: Mapping[str, Any] = field(default_factory=dict)  # group -> choices; each combination has its own rows
    seeds: tuple[int, ...] = ()  # to be recorded; empty: all that were run
