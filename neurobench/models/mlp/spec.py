"""Configuration of the plain network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neurobench.config.bounds import Bound
from neurobench.data.dataset import Layout
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec


@dataclass(frozen=True, kw_only=True)
class MLP(ModelSpec):
    """Image -> hidden units with ReLU -> logits of the classes; Adam with a learning rate that rises and falls once."""

    opens: ClassVar[str] = "neurobench.models.mlp.learner.MLPLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    exports: ClassVar[str] = "neurobench.models.mlp.learner.exports"
    formats: ClassVar[Mapping[str, str]] = FORMATS
    operations: ClassVar[str] = "neurobench.models.mlp.learner.operations"
    moves: ClassVar[Mapping[str, Any]] = {"jitter": 0}

    hidden: Annotated[int, Bound(1, 100_000)]
    dropout: Annotated[float, Bound(0, 1, below=True)]
    input_dropout: Annotated[float, Bound(0, 1, below=True)]
    jitter: Annotated[int, Bound(0, 8)]
    smoothing: Annotated[float, Bound(0, 1, below=True)]
    lr: Annotated[float, Bound(0, 1000, above=True)]
    weight_decay: Annotated[float, Bound(0, 1000)]
