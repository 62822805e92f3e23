"""The one protocol behind which five very different learning rules meet the runner.

A model's recipe is a frozen dataclass of its parameters (it imports nothing heavy, so that a configuration can
be checked without torch); `build` makes the learner, which holds tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import Tensor

    from neurobench.data.dataset import Batch, Layout, Split, Splits
    from neurobench.metrics.operations import Operations


class Step(NamedTuple):
    """Where training stands: update k (from 0) of n, in epoch e (from 0)."""

    k: int
    n: int
    epoch: int


@dataclass(frozen=True)
class Task:
    """What a learner has to tell apart."""

    layout: Layout
    shape: tuple[int, ...]  # of one sample
    n_classes: int


@dataclass(frozen=True)
class Seeds:
    """One 63-bit seed a purpose, all spawned from the run's root seed; see `neurobench.experiment.seeds`."""

    data: int
    init: int
    training: int
    device: int


class Divergence(Exception):
    """Training left the finite numbers. The message says where ("diverged at update 17: ...") and what to do."""


class Learner(Protocol):
    """Learns batch by batch. Figures of a batch are SUMS over its samples: the loop divides by their number."""

    def start(self, train: Split) -> None:
        """Called once before the first batch of a fresh run, not on resume: what init needs to see of the data."""
        ...

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """Learn one batch. Returns sums over the batch: what the rule minimises ("loss", or its own name), and
        "correct" where classes are predicted.

        Whatever is random depends on the seeds and `at` alone, so that a resumed run repeats an undisturbed one.
        Raises Divergence.
        """
        ...

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """The same sums on data that is not learned from."""
        ...

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Called once after the last epoch (a readout is fitted here). Returns figures for the record."""
        ...

    def predict(self, x: Any) -> Tensor:
        """Scores (B, n_classes), highest for the predicted class. `x` as in Batch. Only after `settle`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, strings, and dicts and lists of these: what torch.load(weights_only=True) takes."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Model(Protocol):
    """A model's recipe, as its YAML names it. A field that YAML fills with `${backend.x}` is a device."""

    reads: ClassVar[tuple[Layout, ...]]

    def build(self, task: Task, seeds: Seeds, device: torch.device) -> Learner: ...


@runtime_checkable
class Draws(Protocol):
    """A learner with figures of its own."""

    def figures(self, test: Split) -> Mapping[str, Figure | bytes]:
        """File name (without suffix) -> figure, or a whole GIF."""
        ...


@runtime_checkable
class Reproduces(Protocol):
    """A learner that also computes what its tutorial printed, the way the tutorial did."""

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        """Figures for the record, under names that cannot be taken for the honest ones."""
        ...


@runtime_checkable
class Exports(Protocol):
    """A learner that can be written in the formats of its own field."""

    def exports(self) -> Mapping[str, Callable[[], bytes]]:
        """Format ("bqm", "json", ...), which is the file's suffix too -> what makes the file's bytes."""
        ...


@runtime_checkable
class Counts(Protocol):
    """A learner that tells what its predictions cost, in NeuroBench's terms.

    To implement it: run the forward pass of `predict` on x, keep what enters each layer, and return one
    `Operations` (neurobench/metrics/operations.py). A `Connection` for each weight matrix, made by `linear`,
    `convolution`, or `synapses` where a kernel counted the inputs: its weight as the device holds it (rounded, with
    zeros where there is no synapse), its inputs over all samples and steps, recurrent ones included, and
    `spikes=True` where these are declared to be spikes (graded spikes and pixels are not). A `Population` for each
    layer of units with an activation or a threshold: how many outputs were not 0, out of how many; for neurons with a
    membrane also `updates`, see `membrane_updates`. `parameters`: what was learned and a prediction needs, in the type
    in which it is held; `buffers`: constants held beside them. What NeuroBench does not define for a part of the model
    (a quantum circuit has no MACs) goes by its figure's name into `undefined`, with the reason. The arithmetic and the
    record are the runner's: figures are per sample and per step, over the whole test set in batches.
    """

    def operations(self, x: Any) -> Operations:
        """Of predicting x once. Only after `settle`."""
        ...
