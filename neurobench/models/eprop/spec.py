"""Configuration of the e-prop network: its parameters and their bounds. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.learner import ModelSpec, Step, Task

Positive = Annotated[float, Bound(0, above=True)]
NotNegative = Annotated[float, Bound(0)]
Fraction = Annotated[float, Bound(0, 1)]
BelowOne = Annotated[float, Bound(0, 1, below=True)]
Variable = Literal["v", "psi", "learning_signal", "readout", "error", "spikes", "inputs"]

BSSHSLM = "iaf_bsshslm_2020"  # the authors' initials: e-prop as they published it
NO_CUTOFF = 100  # the shipped value, which engine=minibatch does not use
NO_KAPPA_REG = 0.99  # likewise for iaf_bsshslm_2020
LEAST_KAPPA, LEAST_TAU = 1e-3, 0.1  # (ms) for engines that divide by powers of these decays
LEAST_EPSILON = 1e-30  # smaller ones would be 0 in float32
SENSOR = (2, 34, 34)  # of N-MNIST: polarities, rows, columns
N_ACTIVE = 1196  # number of its pixels that ever see an event: the tutorial's inputs
SNAPSHOTS = 500  # approximate maximum number of snapshots of the weights plotted over training

# Fields that only one engine uses -> the value with which they have no effect.
ENGINE_FIELDS: dict[str, dict[str, Any]] = {
    "minibatch": {"lr_decay": "none", "error": "difference", "feedback": "random", "shift": 0},
    "exact": {"each_step": False, "batch": 1},
}
BSSHSLM_FIELDS = {"regular_spike_arrival": True, "regular_spike_arrival_out": False, "average_gradient": False}


@dataclass(frozen=True, kw_only=True)
class EpropRSNN(ModelSpec):
    """Inputs -> recurrent integrate-and-fire neurons -> leaky readouts, trained by e-prop.

    Source: NEST's tutorial "Classification of N-MNIST with e-prop". Rates, factors and weights that it scales by
    (1 - kappa) are given before scaling, as in the tutorial.
    """

    opens: ClassVar[str] = "neurobench.models.eprop.learner.EpropLearner"
    gpu_from_batch: ClassVar[int | None] = (
        None  # small kernels in a loop over steps: 0.01 to 0.04 of 16 cores on an H100
    )
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    drawings: ClassVar[str] = "neurobench.models.eprop.figures.figures"
    exports: ClassVar[str] = "neurobench.models.eprop.exports.formats"
    formats: ClassVar[Mapping[str, str]] = {"nir": "NIR, with recurrent edges"}
    operations: ClassVar[str] = "neurobench.models.eprop.evaluation.operations"
    tutorial_metrics: ClassVar[str] = "neurobench.models.eprop.evaluation.tutorial_metrics"
    moves: ClassVar[Mapping[str, Any]] = {"shift": 0}

    engine: Literal["exact", "online", "minibatch"]
    hidden: Annotated[int, Bound(1, 100_000)]
    steps: Annotated[int, Bound(2, 100_000)]
    window: Annotated[int, Bound(1)]
    neuron: Literal["iaf", "iaf_adapt", "psc_delta", "psc_delta_adapt", "iaf_bsshslm_2020"]
    tau_m: Positive
    tau_out: Positive
    v_th: float
    v_min: float | None
    v_reset: float
    t_ref: Annotated[int, Bound(0)]
    refractory_input: bool
    adapt_beta: NotNegative
    adapt_tau: Positive
    regular_spike_arrival: bool = True
    regular_spike_arrival_out: bool = False
    average_gradient: bool = False
    delay: int
    surrogate: Literal["piecewise_linear", "exponential", "fast_sigmoid_derivative", "arctan"]
    surrogate_height: Positive
    surrogate_width: Positive
    kappa: Fraction
    kappa_reg: Fraction
    cutoff: Annotated[int, Bound(0)]
    c_reg: NotNegative
    f_target: NotNegative
    sparsity: tuple[Fraction, ...]
    optimizer: Literal["gradient_descent", "adam"]
    lr: NotNegative
    lr_out: NotNegative
    lr_decay: Literal["none", "linear", "cosine"]
    beta_1: BelowOne
    beta_2: BelowOne
    epsilon: NotNegative
    w_min: float
    w_max: float
    each_step: bool
    batch: Annotated[int, Bound(1)]
    error: Literal["difference", "softmax"]
    feedback: Literal["random", "symmetric"] = "random"
    shift: Annotated[int, Bound(0, 16)]
    numpy_seed: Annotated[int, Bound(0, 2**32 - 1)] | None
    record: tuple[Variable, ...]
    record_weights: Annotated[int, Bound(0, 1000)]
    learning_core: Annotated[str, Uses("learning_core")]
    test_iterations: Annotated[int, Bound(1, 10_000)] | None = None

    @property
    def any_threads(self) -> bool:
        """Whether several threads can be used; the engines other than minibatch run one sample after the other."""
        return self.engine == "minibatch"

    def conflicts(self) -> list[Fault]:
        sentences = [*self._range_conflicts(), *self._foreign_fields(), *self._engine_conflicts()]
        return [(field, f"={getattr(self, field)!r} {sentence}") for field, sentence in sentences]

    def _range_conflicts(self) -> Iterator[Fault]:
        if self.window > self.steps:
            yield "window", f"is more than steps={self.steps}"
        if self.v_min is not None and self.v_th < self.v_min:
            yield "v_th", f"is below v_min={self.v_min}"
        if self.neuron.startswith("psc_delta") and self.v_reset >= self.v_th:
            yield "v_reset", f"is not below v_th={self.v_th}"
        if self.optimizer == "adam" and self.epsilon < LEAST_EPSILON:
            yield "epsilon", f"is below {LEAST_EPSILON:g}: Adam would divide 0 by 0 where a gradient is 0"
        if self.w_min > self.w_max:
            yield "w_min", f"is above w_max={self.w_max}"
        if self.delay != 1:
            yield "delay", "is not 1, the only delay supported here"
        if len(self.sparsity) != 3:
            yield "sparsity", "is not three shares: in, recurrent, out"
        if self.kappa == 1.0:
            yield "kappa", "removes all terms scaled by 1 - kappa; use less than 1"

    def _foreign_fields(self) -> Iterator[Fault]:
        owners = [("engine", engine, neutral) for engine, neutral in ENGINE_FIELDS.items()]
        for kind, owner, neutral in (*owners, ("neuron", BSSHSLM, BSSHSLM_FIELDS)):
            given = getattr(self, kind)
            for field, value in neutral.items() if given != owner else ():
                if getattr(self, field) != value:
                    yield field, f"is for {kind}={owner}; {kind}={given} needs {field}={value}"
        if self.refractory_input and not self.neuron.startswith("psc_delta"):
            yield "refractory_input", f"is for neuron=psc_delta and psc_delta_adapt; neuron={self.neuron} needs false"

    def _engine_conflicts(self) -> Iterator[Fault]:
        if self.engine == "online":
            if self.cutoff < 2:
                yield "cutoff", "is below 2, where NEST's traces lag behind; use engine=exact"
            for field in ("tau_m", "tau_out"):
                if getattr(self, field) < LEAST_TAU:
                    yield field, f"is below {LEAST_TAU} ms; engine=online divides by its decays; use engine=exact"
            if self.kappa_reg != self.kappa:
                yield "kappa_reg", f"differs from kappa={self.kappa}, for which engine=online has no second trace"
            if self.optimizer != "gradient_descent" or self.neuron.endswith("_adapt"):
                yield "engine", "supports only gradient_descent and neurons without adaptation; use exact or minibatch"
        if self.neuron == BSSHSLM and self.engine != "minibatch":
            yield "engine", f"updates at spikes, neuron={BSSHSLM} after samples: set engine=minibatch"
        if self.neuron == BSSHSLM and self.cutoff != NO_CUTOFF:
            yield "cutoff", f"does not apply to neuron={BSSHSLM}; leave it at {NO_CUTOFF}"
        elif self.engine == "minibatch" and self.cutoff != NO_CUTOFF:
            yield "cutoff", f"does not apply to engine=minibatch; leave it at {NO_CUTOFF}"
        if self.neuron == BSSHSLM and self.kappa_reg not in (self.kappa, NO_KAPPA_REG):
            fault = f"does not apply to neuron={BSSHSLM}, which takes the mean rate of a sample"
            yield "kappa_reg", f"{fault}; leave it at {NO_KAPPA_REG}"
        if self.neuron != BSSHSLM and self.engine != "exact" and self.kappa < LEAST_KAPPA:
            yield "kappa", f"is below {LEAST_KAPPA:g}; engine={self.engine} divides by its powers; use engine=exact"
        if self.neuron != BSSHSLM and self.engine == "minibatch" and self.kappa_reg != self.kappa:
            yield "kappa_reg", f"differs from kappa={self.kappa}; engine=minibatch filters both alike"

    def demand(self, task: Task) -> Demand:
        """Numbers of inputs (before pooling), recurrent neurons and readouts, and the learning rule."""
        inputs = N_ACTIVE if tuple(task.shape) == SENSOR else prod(task.shape)
        names = ("engine", "neuron", "t_ref", "feedback", "error", "v_min", "surrogate")
        settings = {name: getattr(self, name) for name in names}
        return Demand(layers=(inputs, self.hidden, task.n_classes), recurrent=True, settings=settings)

    def snapshots(self, at: Step) -> list[str]:
        """Snapshot labels: weights/K after update K (from 1)."""
        due = self.record_weights and at.k % max(1, at.n // SNAPSHOTS) == 0
        return [f"weights/{at.k + 1}"] if due else []
