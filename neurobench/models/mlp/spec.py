"""What a configuration says about the plain network: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.data.dataset import Layout
from neurobench.models.learner import ModelSpec


@dataclass(frozen=True, kw_only=True)
class MLP(ModelSpec):
    """Image -> hidden units with ReLU -> logits of the classes. Adam, and a rate that rises and falls once."""

    opens: ClassVar[str] = "neurobench.models.mlp.learner.MLPLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)

    hidden: Annotated[int, Bound(1, 100_000)] = 400
    dropout: Annotated[float, Bound(0, 1, below=True)] = 0.5  # of hidden units
    input_dropout: Annotated[float, Bound(0, 1, below=True)] = 0.2
    jitter: Annotated[int, Bound(0, 8)] = 0  # pixels by which training images are moved at random, each way
    smoothing: Annotated[float, Bound(0, 1, below=True)] = 0.0  # share of the target that all classes get alike
    lr: Annotated[float, Bound(0, 1000, above=True)] = 2e-3  # the largest, of a cycle
    weight_decay: Annotated[float, Bound(0, 1000)] = 0.0  # times the rate, of each weight and update
