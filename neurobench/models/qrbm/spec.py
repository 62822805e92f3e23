"""Configurations of the QRBM, of the tutorial's QRBM, and of their baselines; no heavy imports."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec, Task

MACHINE = {
    "bqm": "dimod's own file of a quadratic model",
    "coo": "the same as text, a line `i j bias` for each number",
    "json": "biases and weights by name, in plain JSON",
}
Count = Annotated[int, Bound(1)]
Threshold = Annotated[float, Bound(0, 1, below=True)]  # a brighter pixel is 1
Rate = Annotated[float, Bound(0, above=True)]
Momentum = Annotated[float, Bound(0, 1, below=True)]
NonNegative = Annotated[float, Bound(0)]


def seen_shape(shape: tuple[int, ...], side: int | None) -> tuple[int, ...]:
    """Shape of a sample as the machine sees it: images downsampled to side x side pixels, if `side` is given."""
    if side is None:
        return shape
    if len(shape) != 3:
        raise UserError(
            f"model.downsample={side} is for images; samples of shape {shape} are not images. Leave it null."
        )
    if side > min(shape[1:]):
        raise UserError(f"model.downsample={side} is more than the {min(shape[1:])} pixels that an image has.")
    return (shape[0], side, side)


@dataclass(frozen=True, kw_only=True)
class ChosenReadout(ModelSpec):
    """Logistic regression with l2 chosen on the validation split."""

    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")
    operations: ClassVar[str] = "neurobench.models.qrbm.classifier.operations"
    exports: ClassVar[str] = "neurobench.models.qrbm.classifier.exports"
    formats: ClassVar[Mapping[str, str]] = FORMATS

    l2: NonNegative
    l2_candidates: tuple[NonNegative, ...]
    readout_iterations: Count

    @property
    def any_threads(self) -> bool:
        return True

    def conflicts(self) -> list[Fault]:
        return [] if self.l2_candidates else [("l2_candidates", "=[] is empty")]


@dataclass(frozen=True, kw_only=True)
class QRBM(ChosenReadout):
    """A restricted Boltzmann machine whose model states come from a sampler, and logistic regression on its features.

    Sources: the tutorial "Computing on the Dynex Neuromorphic Platform: Image Classification" (14 Sep 2023) for the
    task and n_hidden, lr, momentum, threshold; Hinton (2002) for `cd`, Tieleman (2008) for `pcd`; Kalis et al.
    (2023), arXiv 2304.12418, for `device`. Other values: those that worked best on held-out training images.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.learner.QRBMLearner"
    drawings: ClassVar[str] = "neurobench.models.qrbm.figures.figures"
    exports: ClassVar[str] = "neurobench.models.qrbm.learner.exports"
    formats: ClassVar[Mapping[str, str]] = {**MACHINE, **FORMATS}
    initial_files: ClassVar[tuple[str, ...]] = (".bqm", ".coo", ".json")
    gpu_from_batch: ClassVar[int | None] = 512  # speed of an H100 to 16 cores: 1.3; 0.6 in batches of 64
    moves: ClassVar[Mapping[str, Any]] = {"jitter": 0, "readout_copies": 0}

    n_hidden: Count
    pixels: Literal["binary", "grey"]
    threshold: Threshold
    downsample: Count | None
    lr: Rate
    lr_schedule: Literal["linear", "constant"]
    momentum: Momentum
    weight_decay: NonNegative
    negative: Literal["cd", "pcd", "device", "random"]
    gibbs_steps: Count
    chains: Count
    device_every: Count
    init_from: str | None
    init_sd: NonNegative
    features: Literal["probability", "both"]
    sampler: Annotated[str, Uses("sampler")]
    jitter: Annotated[int, Bound(0, 8)] = 0
    readout_copies: Annotated[int, Bound(0, 100)] = 0
    fine_tune: Annotated[int, Bound(0)] = 0
    fine_tune_lr: Rate = 0.001
    fine_tune_dropout: Annotated[float, Bound(0, 1, below=True)] = 0.0

    def conflicts(self) -> list[Fault]:
        faults = super().conflicts()
        if self.fine_tune and self.features != "probability":
            faults.append(("fine_tune", f"={self.fine_tune} trains features=probability, not {self.features}"))
        if self.fine_tune_dropout and not self.fine_tune:
            faults.append(("fine_tune_dropout", f"={self.fine_tune_dropout:g} needs fine_tune above 0"))
        if self.readout_copies and (self.fine_tune or not self.jitter):
            faults.append(("readout_copies", f"={self.readout_copies} needs jitter above 0 and fine_tune=0"))
        if self.lr / (1 - self.momentum) > 1 + 1e-9:  # 0.1 with 0.9 is 1, despite rounding of floats
            warnings.warn(
                f"lr={self.lr:g} with momentum={self.momentum:g} moves the weights at an effective rate of "
                f"{self.lr / (1 - self.momentum):.3g}; above 1 training is known to diverge, at most 0.5 is safe",
                stacklevel=3,
            )
        return faults

    def demand(self, task: Task) -> Demand:
        if self.jitter and len(task.shape) != 3:
            raise UserError(
                f"model.jitter={self.jitter} moves images; samples of shape {task.shape} are not images. Set 0."
            )
        settings = {"chains": self.chains} if self.negative in ("pcd", "device") else {}
        return Demand(layers=(prod(seen_shape(task.shape, self.downsample)), self.n_hidden), settings=settings)

    def memory(self, task: Task, samples: int = 0) -> dict[str, int]:
        """Memory in bytes by key. The readout's features are held twice, as computed and standardised."""
        rows = 0 if self.fine_tune else samples * (1 + self.readout_copies)
        features = self.n_hidden * (2 if self.features == "both" else 1)
        largest = "readout_copies" if self.readout_copies else "n_hidden"
        return {"chains": 4 * self.chains * sum(self.demand(task).layers), largest: 2 * 4 * rows * features}

    def device_updates(self, n: int) -> Sequence[range]:
        return [range(0, n, self.device_every if self.negative == "device" else 1)]


@dataclass(frozen=True, kw_only=True)
class TutorialQRBM(ModelSpec):
    """The tutorial's exact arithmetic: update 0 on all images against one device state, then one update per image.

    Source: "Computing on the Dynex Neuromorphic Platform: Image Classification" (14 Sep 2023), whose layer is the
    code of Kalis et al. (2023), arXiv 2304.12418.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.tutorial.TutorialLearner"
    gpu_from_batch: ClassVar[int | None] = None  # computes on the CPU only
    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")
    operations: ClassVar[str] = "neurobench.models.qrbm.classifier.operations"
    drawings: ClassVar[str] = "neurobench.models.qrbm.figures.figures"
    exports: ClassVar[str] = "neurobench.models.qrbm.learner.exports"
    formats: ClassVar[Mapping[str, str]] = {**MACHINE, **FORMATS}
    tutorial_metrics: ClassVar[str] = "neurobench.models.qrbm.tutorial.tutorial_metrics"
    printout: ClassVar[str] = "neurobench.models.qrbm.printout.printout"

    n_hidden: Count
    threshold: Threshold
    lr: Rate
    momentum: Momentum
    decay_factor: Annotated[float, Bound(1)]
    init_sd: NonNegative
    num_reads: Count
    steps_per_epoch: Count
    readout_iterations: Count
    sampler: Annotated[str, Uses("sampler")]

    @property
    def any_threads(self) -> bool:
        return True

    def demand(self, task: Task) -> Demand:
        return Demand(layers=(prod(task.shape), self.n_hidden), settings={"num_reads": self.num_reads})

    def memory(self, task: Task, samples: int = 0) -> dict[str, int]:
        return {"num_reads": 4 * self.num_reads * sum(self.demand(task).layers)}


@dataclass(frozen=True, kw_only=True)
class PixelsLR(ChosenReadout):
    """Multinomial logistic regression on the pixels themselves, which a machine's features have to beat."""

    opens: ClassVar[str] = "neurobench.models.qrbm.baselines.PixelsLearner"

    threshold: Threshold | None
    downsample: Count | None = None

    def demand(self, task: Task) -> Demand:
        seen_shape(task.shape, self.downsample)  # raises if samples cannot be downsampled
        return Demand()


@dataclass(frozen=True, kw_only=True)
class RandomFeatures(PixelsLR):
    """Features of a machine of the QRBM's size with random, untrained weights, with the QRBM's readout: shows what
    learning the weights is worth. W ~ N(0, sd), b ~ N(0, sd).

    Source: Rahimi and Recht (2008), "Random features for large-scale kernel machines", for the idea.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.baselines.RandomFeaturesLearner"

    n_hidden: Count
    sd: Rate
    features: Literal["probability", "both"]

    def memory(self, task: Task, samples: int = 0) -> dict[str, int]:
        """Memory in bytes by key. The readout's features are held twice, as computed and standardised."""
        pixels, features = prod(seen_shape(task.shape, self.downsample)), 2 if self.features == "both" else 1
        return {"n_hidden": 4 * self.n_hidden * (pixels + 2 * samples * features)}


@dataclass(frozen=True, kw_only=True)
class SklearnRBM(ChosenReadout):
    """scikit-learn's BernoulliRBM, persistent contrastive divergence at a constant rate, with the QRBM's readout.

    Source: lr = 0.1 and a batch of 10 are its defaults.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.baselines.SklearnLearner"
    gpu_from_batch: ClassVar[int | None] = None  # computes on the CPU only

    n_hidden: Count
    threshold: Threshold
    lr: Rate
    chains: Count

    def memory(self, task: Task, samples: int = 0) -> dict[str, int]:
        """Memory in bytes by key: float64 weights and chains; features as of the other machines."""
        chains = 8 * self.chains * (prod(task.shape) + self.n_hidden)
        return {"n_hidden": 8 * self.n_hidden * (prod(task.shape) + samples), "chains": chains}
