"""What a QRBM has to be measured against: no machine at all, and another program's machine. The specs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import Layout
from neurobench.models.learner import ModelSpec


@dataclass(frozen=True, kw_only=True)
class PixelsLR(ModelSpec):
    """Multinomial logistic regression on the pixels themselves: what a machine's features have to beat."""

    opens: ClassVar[str] = "neurobench.models.qrbm.pixels_learner.PixelsLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")

    threshold: Annotated[float, Bound(0, 1, below=True)] | None = 128 / 255  # a brighter pixel is 1; null: grey
    l2: Annotated[float, Bound(0)] = 1e-4  # where there is no validation split to choose on
    l2_candidates: tuple[Annotated[float, Bound(0)], ...] = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
    readout_iterations: Annotated[int, Bound(1)] = 200  # of L-BFGS, at most

    def conflicts(self) -> list[Fault]:
        return [] if self.l2_candidates else [("l2_candidates", "=[] names none")]


@dataclass(frozen=True, kw_only=True)
class SklearnRBM(ModelSpec):
    """scikit-learn's BernoulliRBM, persistent contrastive divergence at a constant rate, with the QRBM's readout.

    Source: lr = 0.1 and a batch of 10 are its own defaults.
    """

    opens: ClassVar[str] = "neurobench.models.qrbm.sklearn_learner.SklearnLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image", "vector")

    n_hidden: Annotated[int, Bound(1)] = 300
    threshold: Annotated[float, Bound(0, 1, below=True)] = 128 / 255  # a brighter pixel is 1
    lr: Annotated[float, Bound(0, above=True)] = 0.1
    chains: Annotated[int, Bound(1)] = 10  # as many as a batch has images
    l2: Annotated[float, Bound(0)] = 1e-4  # where there is no validation split to choose on
    l2_candidates: tuple[Annotated[float, Bound(0)], ...] = (1e-5, 3e-5, 1e-4, 3e-4)
    readout_iterations: Annotated[int, Bound(1)] = 200  # of L-BFGS, at most

    def conflicts(self) -> list[Fault]:
        return [] if self.l2_candidates else [("l2_candidates", "=[] names none")]
