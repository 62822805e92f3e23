"""What a configuration says about the e-prop network: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.eprop.pixels import N_ACTIVE, SENSOR
from neurobench.models.learner import ModelSpec, Task

Positive = Annotated[float, Bound(0, above=True)]
NotNegative = Annotated[float, Bound(0)]
Fraction = Annotated[float, Bound(0, 1)]
BelowOne = Annotated[float, Bound(0, 1, below=True)]

BSSHSLM = "iaf_bsshslm_2020"  # the authors' initials: e-prop as they published it
NO_CUTOFF = 100  # the field's default, which engine=minibatch does not use


@dataclass(frozen=True, kw_only=True)
class EpropRSNN(ModelSpec):
    """Inputs -> recurrent integrate-and-fire neurons -> leaky readouts, trained by e-prop.

    Defaults are those of NEST's tutorial "Classification of N-MNIST with e-prop", network and learning rule, with the
    engine that learns it fastest. Rates, factors and weights that the tutorial scales by (1 - kappa) are given before
    scaling, as it does.
    """

    opens: ClassVar[str] = "neurobench.models.eprop.learner.EpropLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    # Fields that came after runs were made: see `neurobench.experiment.identity`
    later: ClassVar[tuple[str, ...]] = ("regular_spike_arrival", "regular_spike_arrival_out", "average_gradient")

    engine: Literal["exact", "online", "minibatch"] = "minibatch"  # exact, online: NEST's stream of samples
    hidden: Annotated[int, Bound(1, 100_000)] = 150
    steps: Annotated[int, Bound(2, 100_000)] = 300  # T: time steps of 1 ms of a sample
    window: Annotated[int, Bound(1)] = 10  # of them, those at the end with a target
    neuron: Literal["iaf", "iaf_adapt", "psc_delta", "psc_delta_adapt", "iaf_bsshslm_2020"] = "iaf"
    tau_m: Positive = 30.0  # ms
    tau_out: Positive = 100.0  # ms
    v_th: float = 0.6  # mV
    v_min: float | None = None  # mV; null: no lower bound
    v_reset: float = -0.5  # mV; psc_delta only
    t_ref: Annotated[int, Bound(0)] = 0  # ms
    refractory_input: bool = False  # psc_delta: input in the refractory time waits for its end, else is lost
    adapt_beta: NotNegative = 1.0  # of the threshold; *_adapt only
    adapt_tau: Positive = 10.0  # ms
    regular_spike_arrival: bool = True  # a spike counts whole, else times 1 - alpha; iaf_bsshslm_2020 only
    regular_spike_arrival_out: bool = False  # the same at the readouts
    average_gradient: bool = False  # a gradient is divided by `window`; iaf_bsshslm_2020 only
    delay: int = 1  # ms
    surrogate: Literal["piecewise_linear", "exponential", "fast_sigmoid_derivative", "arctan"] = "piecewise_linear"
    surrogate_height: Positive = 0.5
    surrogate_width: Positive = 0.5882352941176471  # mV, 1 / 1.7
    kappa: Fraction = 0.99
    kappa_reg: Fraction = 0.99
    cutoff: Annotated[int, Bound(0)] = NO_CUTOFF  # ms of a gap between spikes in which traces are integrated
    c_reg: NotNegative = 2.0  # over T (1 - kappa)^2; iaf_bsshslm_2020: over T
    f_target: NotNegative = 10.0  # spikes / s
    sparsity: tuple[Fraction, ...] = (0.75, 0.99, 0.0)  # share of missing synapses: in, recurrent, out
    optimizer: Literal["gradient_descent", "adam"] = "adam"
    lr: NotNegative = 2e-3  # gradient_descent: times (1 - kappa)^2, adam and iaf_bsshslm_2020: as it is
    lr_out: NotNegative = 0.01  # factor on lr of the readout; minibatch only
    lr_decay: Literal["none", "linear", "cosine"] = "none"  # to 0 at the end of training; minibatch only
    beta_1: BelowOne = 0.9
    beta_2: BelowOne = 0.999
    epsilon: NotNegative = 1e-12  # of Adam; NEST's default is 1e-7
    w_min: float = -100.0  # pA
    w_max: float = 100.0  # pA
    each_step: bool = False  # exact: an update at each replayed step, not one an arrival
    batch: Annotated[int, Bound(1)] = 1  # exact: time steps an update
    error: Literal["difference", "softmax"] = "difference"  # y - onehot | softmax(y) - onehot; minibatch only
    shift: Annotated[int, Bound(0, 16)] = 0  # augmentation: whole pixels, up to so many each way; minibatch only
    numpy_seed: Annotated[int, Bound(0, 2**32 - 1)] | None = None  # of the initial weights; null: from the run's seed
    record: tuple[Literal["v", "psi", "learning_signal", "readout", "error", "spikes", "inputs"], ...] = (
        "inputs",
        "spikes",
        "v",
        "psi",
        "learning_signal",
        "readout",
        "error",
    )  # dynamic variables that are drawn before and after training; exact and online
    record_weights: Annotated[int, Bound(0, 1000)] = 5  # synapses of each kind whose weight is drawn over training
    learning_core: Annotated[str, Uses("learning_core")]

    def conflicts(self) -> list[Fault]:
        faults = []

        def fault(field: str, sentence: str) -> None:
            faults.append((field, f"={getattr(self, field)!r} {sentence}"))

        if self.window > self.steps:
            fault("window", f"is more than steps={self.steps}")
        if self.v_min is not None and self.v_th < self.v_min:
            fault("v_th", f"is below v_min={self.v_min}")
        if self.neuron.startswith("psc_delta") and self.v_reset >= self.v_th:
            fault("v_reset", f"is not below v_th={self.v_th}")
        if self.w_min > self.w_max:
            fault("w_min", f"is above w_max={self.w_max}")
        if self.delay != 1:
            fault("delay", "is not 1, the only delay that e-prop has here")
        if len(self.sparsity) != 3:
            fault("sparsity", "is not three shares: in, recurrent, out")
        if self.kappa == 1.0:
            fault("kappa", "leaves nothing of what is scaled by 1 - kappa; take less than 1")
        if self.engine != "minibatch":
            for field, only in (("lr_decay", "none"), ("error", "difference"), ("shift", 0)):
                if getattr(self, field) != only:
                    fault(field, f"is for engine=minibatch; engine={self.engine} needs {field}={only}")
        if self.engine == "online":
            if self.cutoff < 2:
                fault("cutoff", "is below 2, where NEST's traces lag behind; engine=exact has that")
            if self.kappa_reg != self.kappa:
                fault("kappa_reg", f"differs from kappa={self.kappa}, for which engine=online has no second trace")
            if self.optimizer != "gradient_descent" or self.neuron.endswith("_adapt"):
                fault("engine", "has gradient_descent and neurons without adaptation only; take exact or minibatch")
        if self.engine != "exact":
            for field, only in (("each_step", False), ("batch", 1)):
                if getattr(self, field) != only:
                    fault(field, f"is for engine=exact; engine={self.engine} needs {field}={only}")
        if self.engine == "minibatch" and self.kappa_reg != self.kappa and self.neuron != BSSHSLM:  # which needs none
            fault("kappa_reg", f"differs from kappa={self.kappa}; engine=minibatch filters both alike")
        return faults + self._bsshslm_misfits()

    def _bsshslm_misfits(self) -> list[tuple[str, str]]:
        if self.neuron != BSSHSLM:
            defaults = {"regular_spike_arrival": True, "regular_spike_arrival_out": False, "average_gradient": False}
            wrong = [(name, value) for name, value in defaults.items() if getattr(self, name) != value]
            return [(name, f"={not v} is for neuron={BSSHSLM}; neuron={self.neuron} needs {v}") for name, v in wrong]
        faults = []
        if self.engine != "minibatch":
            sentence = f"={self.engine!r} updates at spikes, neuron={BSSHSLM} after samples: engine=minibatch"
            faults.append(("engine", sentence))
        if self.cutoff != NO_CUTOFF:
            faults.append(("cutoff", f"={self.cutoff} is not what neuron={BSSHSLM} has; leave it at {NO_CUTOFF}"))
        return faults

    def on_cpu_alone(self, fixed_point: bool) -> bool:
        """Streams of samples one after the other, a chip, and iaf_bsshslm_2020 do not compute on a GPU."""
        return self.engine != "minibatch" or self.neuron == BSSHSLM or fixed_point

    def demand(self, task: Task) -> Demand:
        """Inputs (before pooling), recurrent neurons and readouts; the rule by which they learn."""
        inputs = N_ACTIVE if tuple(task.shape) == SENSOR else prod(task.shape)
        settings = {name: getattr(self, name) for name in ("engine", "neuron", "t_ref")}
        return Demand(layers=(inputs, self.hidden, task.n_classes), recurrent=True, settings=settings)
