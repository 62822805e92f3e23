"""Configuration of a network given as a NIR graph: its discretisation, readout and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.models.learner import ModelSpec

MOST_STEPS = 100_000  # per sample


@dataclass(frozen=True, kw_only=True)
class NIRGraph(ModelSpec):
    """A graph of weights, convolutions, pooling, delays and spiking neurons, in floats. Its weights are trained by
    backpropagation through time with a surrogate gradient; its neurons stay unchanged.

    Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15:8122 (2024).
    """

    opens: ClassVar[str] = "neurobench.models.nir_graph.learner.NIRGraphLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    exports: ClassVar[str] = "neurobench.models.nir_graph.learner.exports"
    formats: ClassVar[Mapping[str, str]] = {"nir": "NIR, the graph as it came with the weights as they are now"}
    initial_files: ClassVar[tuple[str, ...]] = (".nir",)

    init_from: str | None
    hidden: tuple[Annotated[int, Bound(1, 60_000)], ...]
    dt: Annotated[float, Bound(0, above=True)] | None  # ms
    bin: Annotated[float, Bound(0, above=True)] | None  # ms
    length: Annotated[float, Bound(0, above=True)]  # ms
    counts: bool
    scheme: Literal["euler", "lagged", "exponential"]
    reset: Literal["value", "subtract"]
    tie: Literal["above", "reached"]
    readout: Literal["sum", "max", "last"]
    lr: Annotated[float, Bound(0, 1000)]
    core: Annotated[str | None, Uses("core")] = None

    def steps(self, bin: float) -> int:
        """Number of steps T of a sample; bin: ms of a recording per step."""
        return max(1, round(self.length / bin))
