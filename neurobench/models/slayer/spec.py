"""What a configuration says about the SLAYER network: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import did_you_mean
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.learner import ModelSpec, Task

Fraction = Annotated[float, Bound(0, 1)]
# What lava-dl does otherwise than it says, and this model does right unless asked: fix | lava.
COMPAT = {
    "augment": "fix",  # lava: the turn is a shear about the origin, not about the sensor's middle
    "decay_grad": "fix",  # lava: the decays' gradient has the wrong sign, 4096 times the size, and v before the reset
    "polarity": "fix",  # lava: the smallest polarity of a recording counts as 0, so one of ON events alone turns OFF
}


@dataclass(frozen=True, kw_only=True)
class SlayerSNN(ModelSpec):
    """Layers of current-based neurons with weight norm, dropout and learned delays.

    Sources: the tutorial "N-MNIST Classification" of lava-dl (values of the network, loss and optimiser) and
    lava-dl's `nmnist.py` (binning and augmentation).
    """

    opens: ClassVar[str] = "neurobench.models.slayer.learner.SlayerLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    initial_files: ClassVar[tuple[str, ...]] = (".net", ".nir", ".pt")

    hidden: tuple[Annotated[int, Bound(1, 60_000)], ...] = (512, 512)
    threshold: Annotated[float, Bound(1 / 64, (131071 + 1) / 64, below=True)] = 1.25  # in units of the weights
    current_decay: Fraction = 0.25  # a step
    voltage_decay: Fraction = 0.03  # a step
    learn_decays: bool = True
    tau_grad: Annotated[float, Bound(0, above=True)] = 0.03  # width of the surrogate, / (100 threshold)
    scale_grad: Annotated[float, Bound(0, above=True)] = 3.0  # its height
    dropout: Annotated[float, Bound(0, 1, below=True)] = 0.05  # of hidden neurons, for a whole sample
    weight_norm: bool = True
    delay: bool = True  # of hidden spikes, learned
    max_delay: Annotated[int, Bound(0, 62)] = 62  # steps
    loss: Literal["rate", "max", "time"] = "rate"
    true_rate: Fraction = 0.2  # spikes a step of the label's neuron; rate and time
    false_rate: Fraction = 0.03  # of the others
    window: Annotated[int, Bound(1)] | None = None  # steps over which rates are taken; null: all. rate and max
    max_mode: Literal["probability", "softmax"] = "probability"  # of what the maximum's likelihood is taken
    time_tau: Annotated[float, Bound(0, above=True)] = 5.0  # steps; of the filter under which trains are compared
    time_order: Annotated[int, Bound(1, 10)] = 1
    lr: Annotated[float, Bound(0)] = 0.001  # of Adam, every parameter; 0: only measure what init_from names
    lr_schedule: Literal["constant", "cosine"] = "constant"  # cosine: down to 0 at the last update
    augment: bool = True  # shift and turn training samples
    shift: tuple[Annotated[int, Bound(-33, 33)], ...] = (-4, 3)  # pixels, both ways; from and to
    angle: Annotated[float, Bound(0, 180)] = 5.0  # degrees, at most, to either side
    sampling_time: Annotated[float, Bound(0, above=True)] = 1.0  # ms a step
    length: Annotated[float, Bound(0, above=True)] = 300.0  # ms of a recording that are seen
    init_from: str | None = None  # start from a file (.net, .nir or .pt, see `neurobench export`) or a run's network
    compat: Mapping[str, str] = dataclasses.field(default_factory=lambda: COMPAT)  # fix | lava
    core: Annotated[str, Uses("core")]

    def conflicts(self) -> list[Fault]:
        return [*self._time_faults(), *self._shift_faults(), *self._compat_faults()]

    @property
    def steps(self) -> int:
        """T, of a sample."""
        return round(self.length / self.sampling_time)

    def _time_faults(self) -> list[tuple[str, str]]:
        if abs(self.steps * self.sampling_time - self.length) > 1e-9 * self.length:
            fault = f"={self.length:g} ms is no whole number of steps of sampling_time={self.sampling_time:g} ms"
            return [("length", fault)]
        longest = self.max_delay if self.delay else 0
        if self.steps <= longest + 3:
            fault = f"={self.length:g} ms is {self.steps} steps; with delays of up to {longest} no spike need arrive. "
            return [("length", f"{fault}Take more than {longest + 3} steps")]
        if self.window is not None and self.window > self.steps:
            return [("window", f"={self.window} is more than the {self.steps} steps of a sample")]
        return []

    def _shift_faults(self) -> list[tuple[str, str]]:
        if len(self.shift) != 2 or self.shift[0] > self.shift[1]:
            return [("shift", f"={list(self.shift)!r} is not [from, to]")]
        return []

    def _compat_faults(self) -> list[tuple[str, str]]:
        if not isinstance(self.compat, Mapping):
            return [("compat", f"={self.compat!r} is not a section of switches")]
        faults = []
        for key, value in self.compat.items():
            if key not in COMPAT:
                faults.append((f"compat.{key}", f": there is no such switch.{did_you_mean(str(key), COMPAT)}"))
            elif value not in ("fix", "lava"):
                faults.append((f"compat.{key}", f"={value!r} is not one of fix, lava"))
        return faults + [(f"compat.{key}", " is missing") for key in COMPAT if key not in self.compat]

    def as_lava(self, switch: str) -> bool:
        return self.compat[switch] == "lava"

    def demand(self, task: Task) -> Demand:
        """Inputs, hidden neurons of each layer and outputs; the neuron that each of them is."""
        settings = {name: getattr(self, name) for name in ("current_decay", "voltage_decay", "threshold")}
        return Demand(layers=(prod(task.shape), *self.hidden, task.n_classes), settings=settings)
