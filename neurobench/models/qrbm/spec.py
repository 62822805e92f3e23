"""What a configuration says about the QRBM: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.learner import ModelSpec, Task


def seen_shape(shape: tuple[int, ...], side: int | None) -> tuple[int, ...]:
    """Of a sample as the machine sees it: images are brought down to `side` pixels each way, where that is given."""
    if side is None:
        return shape
    if len(shape) != 3:
        raise UserError(f"model.downsample={side} is for images; samples of shape {shape} are none. Leave it null.")
    if side > min(shape[1:]):
        raise UserError(f"model.downsample={side} is more than the {min(shape[1:])} pixels that an image has.")
    return (shape[0], side, side)


@dataclass(frozen=True, kw_only=True)
class QRBM(ModelSpec):
    """A restricted Boltzmann machine whose model states come from a sampler, and logistic regression on its features.

    Sources: the tutorial "Computing on the Dynex Neuromorphic Platform: Image Classification" (14 Sep 2023) for the
    task and n_hidden, lr, momentum, threshold; Hinton (2002) for `cd`, Tieleman (2008) for `pcd`; Kalis et al.
    (2023), arXiv 2304.12418, for `device`. Other values: what worked best on held-out training images.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.learner.QRBMLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")
    initial_files: ClassVar[tuple[str, ...]] = (".bqm", ".json")

    n_hidden: Annotated[int, Bound(1)] = 300
    pixels: Literal["binary", "grey"] = "binary"  # grey: the pixel itself stands for the probability of being 1
    threshold: Annotated[float, Bound(0, 1, below=True)] = 128 / 255  # a brighter pixel is 1; binary only
    downsample: Annotated[int, Bound(1)] | None = None  # pixels each way; 13 fits an annealing chip
    lr: Annotated[float, Bound(0, above=True)] = 0.05
    lr_schedule: Literal["linear", "constant"] = "linear"  # linear: down to 0 at the last update
    momentum: Annotated[float, Bound(0, 1, below=True)] = 0.9
    weight_decay: Annotated[float, Bound(0)] = 2e-4
    # Whence the negative phase. cd: the device goes on from the data's own hidden states. pcd: from those where it
    # stopped last time. device: it starts afresh every `device_every` updates, and the host goes on in between.
    # random: the same with coins in place of the device, which shows what the device is worth.
    negative: Literal["cd", "pcd", "device", "random"] = "cd"
    gibbs_steps: Annotated[int, Bound(1)] = 1  # an update
    chains: Annotated[int, Bound(1)] = 100  # all but cd
    device_every: Annotated[int, Bound(1)] = 10  # updates; device and random
    init_from: str | None = None  # start from a file (.bqm or .json, see `neurobench export`) or a run's machine
    init_sd: Annotated[float, Bound(0)] = 0.01  # of the weights
    l2: Annotated[float, Bound(0)] = 1e-4  # of the readout, where there is no validation split to choose on
    l2_candidates: tuple[Annotated[float, Bound(0)], ...] = (1e-5, 3e-5, 1e-4, 3e-4)
    readout_iterations: Annotated[int, Bound(1)] = 200  # of L-BFGS, at most
    # What the readout sees of a hidden unit. both: p(h|v), and the sum b + vW that it is the logistic function of.
    features: Literal["probability", "both"] = "both"
    sampler: Annotated[str, Uses("sampler")]

    def conflicts(self) -> list[Fault]:
        if not self.l2_candidates:
            return [("l2_candidates", "=[] names none")]
        if self.lr / (1 - self.momentum) > 1 + 1e-9:  # 0.1 with 0.9 is 1, whatever floats make of it
            warnings.warn(
                f"lr={self.lr:g} with momentum={self.momentum:g} moves the weights at an effective rate of "
                f"{self.lr / (1 - self.momentum):.3g}; above 1 training is known to diverge, at most 0.5 is safe",
                stacklevel=3,
            )
        return []

    def demand(self, task: Task) -> Demand:
        """Units of the two layers."""
        return Demand(layers=(prod(seen_shape(task.shape, self.downsample)), self.n_hidden))


@dataclass(frozen=True, kw_only=True)
class TutorialQRBM(ModelSpec):
    """The tutorial's exact arithmetic: update 0 on all images against one device state, then one update an image.

    Source: "Computing on the Dynex Neuromorphic Platform: Image Classification" (14 Sep 2023), whose layer is the
    code of Kalis et al. (2023), arXiv 2304.12418.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.tutorial.TutorialLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")

    n_hidden: Annotated[int, Bound(1)] = 300
    threshold: Annotated[float, Bound(0, 1, below=True)] = 128 / 255
    lr: Annotated[float, Bound(0, above=True)] = 0.05
    momentum: Annotated[float, Bound(0, 1, below=True)] = 0.9
    decay_factor: Annotated[float, Bound(1)] = 1.00005  # lr is divided by it after every update
    init_sd: Annotated[float, Bound(0)] = 0.001  # of the weights
    num_reads: Annotated[int, Bound(1)] = 100  # the best of them starts update 0; 100,000 as published
    steps_per_epoch: Annotated[int, Bound(1)] = 6  # the printed error is divided by it once more
    readout_iterations: Annotated[int, Bound(1)] = 100  # of L-BFGS, at most; scikit-learn's default
    sampler: Annotated[str, Uses("sampler")]

    def demand(self, task: Task) -> Demand:
        """Units of the two layers."""
        return Demand(layers=(prod(task.shape), self.n_hidden))
