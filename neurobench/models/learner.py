"""Protocol between the runner and the models' learners, however different their learning rules.

A model's spec contains its parameters and imports nothing heavy, so that a configuration can be checked without torch;
`build` makes the learner, which contains the tensors. Figures, exports, operation counts and tutorial metrics are
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
    """Position in training: update k (from 0) of n, in epoch e (from 0) of `per_epoch` updates."""

    k: int
    n: int
    epoch: int
    per_epoch: int = 1

    @property
    def ends_epoch(self) -> bool:
        return (self.k + 1) % self.per_epoch == 0


@dataclass(frozen=True)
class Task:
    """Classification task: layout and shape of the samples, and number of classes."""

    layout: Layout
    shape: tuple[int, ...]  # of one sample
    n_classes: int


@dataclass(frozen=True)
class Seeds:
    """One 63-bit seed per purpose, all spawned from the run's root seed; see `neurobench.experiment.plan.spawn`."""

    data: int
    init: int
    training: int
    device: int


class Sums(NamedTuple):
    """Metrics of a batch, summed over its samples; the training loop divides by their number."""

    loss: float | None = None  # objective of the learning rule; None if it minimises nothing
    correct: float | None = None  # number of samples classified correctly; None if no class is predicted yet
    extra: Mapping[str, float] = {}  # further sums by name

    def named(self) -> dict[str, float]:
        """Defined sums by name: "loss", "correct" and the further ones. Raises UserError if one is not a number."""
        first = {"loss": self.loss, "correct": self.correct}
        handed = {**{name: value for name, value in first.items() if value is not None}, **self.extra}
        try:
            return {name: plain(value) for name, value in handed.items()}
        except ValueError as error:
            raise UserError(f"a learner's Sums must be numbers, but {error}") from None


class Initial(NamedTuple):
    """Run or file that `model.init_from` refers to, as located by the runner."""

    reference: str  # as written in the configuration
    path: Path  # the file, or the run folder
    state: Mapping[str, Any] | None  # of that run's learner; None for a file, whose format the model knows


@dataclass
class TrainingRecord:
    """History of a training, recorded by the loop for figures and tutorial metrics. It grows during training and is
    part of the checkpoint, so that a resumed run has all of it."""

    epochs: list[dict[str, Any]] = field(default_factory=list)  # one row per epoch, as in metrics.jsonl
    trace: list[dict[str, float]] = field(default_factory=list)  # a finer curve: about fifty points per epoch
    updates: dict[str, list[float]] = field(default_factory=dict)  # mean over each update's batch, by name
    snapshots: dict[str, Any] = field(default_factory=dict)  # label -> result of the learner's `snapshot`


class Finished(NamedTuple):
    """A tested run, from which its tutorial's printout is made."""

    splits: Splits
    record: TrainingRecord
    metrics: Mapping[str, float]
    saved: Mapping[str, Any]  # the learner's state as reloaded from its file


class Divergence(Exception):
    """Training produced non-finite numbers. The message says where ("diverged at update 17: ...") and what to do."""


class Learner(Protocol):
    """A model that learns batch by batch.

    If its spec requests snapshots, it also has `snapshot(label) -> Any`, in the types of `state_dict`. If its measures
    depend on the division of samples into batches, it has their size, `loss_batch`: all but the last batch that is to
    be measured are then multiples of it.
    """

    def start(self, train: Split, initial: Initial | None) -> None:
        """Initialise from the training data and from `initial`, a state to start from. Called once before the first
        batch of a fresh run, not on resume. Raises UserError if `initial` does not fit."""
        ...

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Learn from one batch.

        All randomness depends on the seeds and `at` alone, so that a resumed run repeats an uninterrupted one.
        Raises Divergence.
        """
        ...

    def measure(self, batch: Batch) -> Sums:
        """Compute the same sums on data that are not learned from."""
        ...

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Finish training; called once after the last epoch (a readout is fitted here); a run that is resumed later
        repeats it from the state before. Returns metrics for the run's result, which omits any that is not a finite
        number and states that as the reason."""
        ...

    def predict(self, x: Any) -> Tensor:
        """Scores (B, n_classes), highest for the predicted class. `x` as in Batch. Only after `finalize`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """State as tensors, numbers, strings, dicts and lists of these, as torch.load(weights_only=True) accepts."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""
        ...


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A model as configured by its YAML.

    `opens` names a callable that takes (spec, task, seeds, devices, torch device) and returns the learner; `devices`
    is keyed by the field that YAML fills with `${backend.NAME}`. The other names refer to functions:
    """

    reads: ClassVar[tuple[Layout, ...]]
    figures: ClassVar[str | None] = None  # (learner, test split, record) -> file name without suffix -> Figure or GIF
    drawings: ClassVar[str | None] = None  # likewise, -> Drawing, for figures that take long to draw
    exports: ClassVar[str | None] = None  # (learner) -> format -> function that makes the file's bytes
    formats: ClassVar[Mapping[str, str]] = {}  # format of `exports` -> its description and readers
    operations: ClassVar[str | None] = None  # (learner, x) -> Operations of predicting x once
    activity: ClassVar[str | None] = None  # (learner, x) -> Activity, spikes for a chip's architecture model
    tutorial_metrics: ClassVar[str | None] = None  # (learner, splits, record) -> figures as in the tutorial
    printout: ClassVar[str | None] = None  # (learner, Finished) -> the lines that the tutorial prints, for this run
    leaves: ClassVar[Mapping[str, str]] = {}  # format of `exports` -> its file in every run folder
    gpu_from_batch: ClassVar[int | None] = 1  # samples: with smaller batches device=auto stays on the CPU; None: always
    moves: ClassVar[Mapping[str, Any]] = {}  # field that moves training samples at random -> its value without motion
    initial_files: ClassVar[tuple[str, ...]] = ()  # suffixes of files that `init_from` accepts besides runs

    def demand(self, task: Task) -> Demand:
        """Requirements on the device. Raises UserError if the task does not suit this model."""
        return Demand()

    def memory(self, task: Task, samples: int = 0) -> Mapping[str, int]:
        """Memory in bytes by configuration key, for keys that can request any amount, besides the weights given by
        `demand`. `samples`: number of training samples; 0 before the data are read."""
        return {}

    def device_updates(self, n: int) -> Sequence[range]:
        """Which of the run's n updates may use the device, in ranges of updates that use it alike."""
        return [range(n)]

    @property
    def any_threads(self) -> bool:
        """Whether the model has multithreaded kernels whose results are the same bits for any number of threads."""
        return False

    def snapshots(self, at: Step) -> Sequence[str]:
        """Labels under which the record stores a snapshot of the learner after update `at`."""
        return ()

    def build(self, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device) -> Learner:
        return load(self.opens)(self, task, seeds, devices, device)
