"""The one protocol behind which very different learning rules meet the runner.

A model's spec holds its parameters and imports nothing heavy, so that a configuration is checked without torch;
`build` makes the learner, which holds tensors. Figures, exports, operation counts and the tutorial's own metrics are
functions of a trained learner that the spec names; a learner imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from neurobench.config.errors import UserError
from neurobench.config.spec import Spec
from neurobench.config.targets import load
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.metrics.numbers import plain

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from neurobench.data.dataset import Batch, Split, Splits


class Step(NamedTuple):
    """Where training stands: update k (from 0) of n, in epoch e (from 0) of `per_epoch` updates."""

    k: int
    n: int
    epoch: int
    per_epoch: int = 1

    @property
    def ends_epoch(self) -> bool:
        return (self.k + 1) % self.per_epoch == 0


@dataclass(frozen=True)
class Task:
    """What a learner has to tell apart."""

    layout: Layout
    shape: tuple[int, ...]  # of one sample
    n_classes: int


@dataclass(frozen=True)
class Seeds:
    """One 63-bit seed a purpose, all spawned from the run's root seed; see `neurobench.experiment.plan.spawn`."""

    data: int
    init: int
    training: int
    device: int


class Sums(NamedTuple):
    """Figures of a batch, summed over its samples: the loop divides by their number."""

    loss: float | None = None  # what the rule minimises; None where it minimises nothing
    correct: float | None = None  # samples whose class was predicted; None where no class is predicted yet
    extra: Mapping[str, float] = {}  # further sums by name

    def named(self) -> dict[str, float]:
        """By name, where defined: "loss", "correct" and the further ones. Raises UserError for what is no number."""
        first = {"loss": self.loss, "correct": self.correct}
        handed = {**{name: value for name, value in first.items() if value is not None}, **self.extra}
        try:
            return {name: plain(value) for name, value in handed.items()}
        except ValueError as error:
            raise UserError(f"a learner's Sums have to be numbers, and {error}") from None


class Initial(NamedTuple):
    """What `model.init_from` refers to, once the runner has found it."""

    reference: str  # as it stands in the configuration
    path: Path  # the file, or the folder of the run
    state: Mapping[str, Any] | None  # of that run's learner; None of a file, whose format the model knows


@dataclass
class TrainingRecord:
    """What the loop keeps of a training, for figures and tutorial metrics. It grows while training runs and lies in
    the checkpoint, so that a resumed run has all of it."""

    epochs: list[dict[str, Any]] = field(default_factory=list)  # a row an epoch, as in metrics.jsonl
    trace: list[dict[str, float]] = field(default_factory=list)  # a finer curve: some fifty points an epoch
    updates: dict[str, list[float]] = field(default_factory=dict)  # mean over each update's batch, by name
    snapshots: dict[str, Any] = field(default_factory=dict)  # label -> what the learner's `snapshot` gave


class Finished(NamedTuple):
    """A run that has been tested, for what its tutorial prints."""

    splits: Splits
    record: TrainingRecord
    metrics: Mapping[str, float]
    saved: Mapping[str, Any]  # the learner's state as its file gives it back


class Divergence(Exception):
    """Training left the finite numbers. The message says where ("diverged at update 17: ...") and what to do."""


class Learner(Protocol):
    """Learns batch by batch.

    Where its spec asks for snapshots it also has `snapshot(label) -> Any`, in the types of `state_dict`.
    """

    def start(self, train: Split, initial: Initial | None) -> None:
        """Called once before the first batch of a fresh run, not on resume: what init needs to see of the data, and
        what training goes on from. Raises UserError where `initial` does not fit."""
        ...

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Learn one batch.

        Whatever is random depends on the seeds and `at` alone, so that a resumed run repeats an undisturbed one.
        Raises Divergence.
        """
        ...

    def measure(self, batch: Batch) -> Sums:
        """The same sums on data that is not learned from."""
        ...

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Called once after the last epoch (a readout is fitted here). Returns figures for the run's result; one that
        is no finite number is absent from it, with that as the reason."""
        ...

    def predict(self, x: Any) -> Tensor:
        """Scores (B, n_classes), highest for the predicted class. `x` as in Batch. Only after `finalize`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, strings, and dicts and lists of these: what torch.load(weights_only=True) takes."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises UserError where the state is of another network."""
        ...


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A model as its YAML names it.

    `opens` names what is called with (spec, task, seeds, devices, torch device) and returns the learner; `devices` by
    the name of the field that YAML fills with `${backend.NAME}`. The other names are of functions:
    """

    reads: ClassVar[tuple[Layout, ...]]
    figures: ClassVar[str | None] = None  # (learner, test split, record) -> file name without suffix -> Figure or GIF
    exports: ClassVar[str | None] = None  # (learner) -> format -> what makes the file's bytes
    formats: ClassVar[Mapping[str, str]] = {}  # that `exports` knows -> who reads them
    operations: ClassVar[str | None] = None  # (learner, x) -> Operations of predicting x once
    activity: ClassVar[str | None] = None  # (learner, x) -> Activity, spikes for a chip's architecture model
    tutorial_metrics: ClassVar[str | None] = None  # (learner, splits, record) -> what the tutorial printed, its way
    printout: ClassVar[str | None] = None  # (learner, Finished) -> the lines that the tutorial prints, of this run
    leaves: ClassVar[Mapping[str, str]] = {}  # format of `exports` -> file that every run's folder holds
    gpu_from_batch: ClassVar[int | None] = 1  # samples: in smaller batches device=auto stays on the CPU; None: always
    initial_files: ClassVar[tuple[str, ...]] = ()  # suffixes of files that `init_from` may name besides runs

    def demand(self, task: Task) -> Demand:
        """What it asks of its device. Raises UserError where the task is not for this model."""
        return Demand()

    def memory(self, task: Task, samples: int = 0) -> Mapping[str, int]:
        """Key of the configuration -> bytes that it asks for, of keys that can ask for any amount, besides the weights
        that `demand` tells of. `samples`: to train on; 0 while the data are not read."""
        return {}

    @property
    def asks_every(self) -> int:
        """Updates from one that asks the device to the next such; the first asks it."""
        return 1

    @property
    def any_threads(self) -> bool:
        """Whether it has kernels that share work out to threads and give the same bits whatever their number."""
        return False

    def snapshots(self, at: Step) -> Sequence[str]:
        """Labels under which the record keeps a snapshot of the learner after update `at`."""
        return ()

    def build(self, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device) -> Learner:
        return load(self.opens)(self, task, seeds, devices, device)
