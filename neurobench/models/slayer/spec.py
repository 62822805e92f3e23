"""Configuration of the SLAYER network: its parameters and their bounds. Imports nothing heavy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec, Step, Task
from neurobench.models.slayer.architecture import FORM, WORDS, Convolution, convolutions

Fraction = Annotated[float, Bound(0, 1)]
COMPAT = ("augment", "decay_grad", "polarity")  # switches where lava-dl departs from its documentation, see the YAML
TUTORIAL_EPOCHS = (19, 39, 59, 79, 99)  # counted from 0; the tutorial prints their figures
MOST_INPUTS = 65_535  # event lists store input numbers in 16 bits


@dataclass(frozen=True, kw_only=True)
class SlayerSNN(ModelSpec):
    """Layers of current-based neurons with weight norm, dropout and learned delays.

    Sources: the tutorial "N-MNIST Classification" of lava-dl (values of the network, loss and optimiser) and
    lava-dl's `nmnist.py` (binning and augmentation).
    """

    opens: ClassVar[str] = "neurobench.models.slayer.learner.SlayerLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    drawings: ClassVar[str] = "neurobench.models.slayer.figures.all_figures"
    exports: ClassVar[str] = "neurobench.models.slayer.exports.formats"
    formats: ClassVar[Mapping[str, str]] = {
        "netx": "HDF5 for lava-dl's netx and Loihi 2; integers, to the bit",
        "nir": "NIR for norse, SpikingJelly and others; in floats",
        "nir-snntorch": "NIR for snnTorch (--format nir --for snntorch), whose importer assumes steps of 0.1 ms",
        "pt": "parameters under the names of lava-dl's own state",
        "safetensors": f"{FORMATS['safetensors']} in lava-dl's state",
    }
    operations: ClassVar[str] = "neurobench.models.slayer.evaluation.operations"
    activity: ClassVar[str] = "neurobench.models.slayer.evaluation.activity"
    tutorial_metrics: ClassVar[str] = "neurobench.models.slayer.evaluation.tutorial_metrics"
    printout: ClassVar[str] = "neurobench.models.slayer.printout.printout"
    leaves: ClassVar[Mapping[str, str]] = {"netx": "network.net"}
    moves: ClassVar[Mapping[str, Any]] = {"augment": False}
    initial_files: ClassVar[tuple[str, ...]] = (".net", ".h5", ".hdf5", ".nir", ".pt")

    hidden: tuple[Annotated[int, Bound(1, 60_000)], ...]
    threshold: Annotated[float, Bound(1 / 64, (131071 + 1) / 64, below=True)]
    current_decay: Fraction
    voltage_decay: Fraction
    learn_decays: bool
    tau_grad: Annotated[float, Bound(0, above=True)]
    scale_grad: Annotated[float, Bound(0, above=True)]
    dropout: Annotated[float, Bound(0, 1, below=True)]
    weight_norm: bool
    delay: bool
    max_delay: Annotated[int, Bound(0, 62)]  # steps
    loss: Literal["rate", "max", "time"]
    true_rate: Fraction
    false_rate: Fraction
    window: Annotated[int, Bound(1)] | None  # steps
    max_mode: Literal["probability", "softmax"]
    time_tau: Annotated[float, Bound(0, above=True)]  # steps
    time_order: Annotated[int, Bound(1, 10)]
    lr: Annotated[float, Bound(0)]
    lr_schedule: Literal["constant", "cosine"]
    augment: bool
    shift: tuple[Annotated[int, Bound(-33, 33)], ...]  # pixels, from and to
    angle: Annotated[float, Bound(0, 180)]  # degrees
    sampling_time: Annotated[float, Bound(0, above=True)]  # ms a step
    length: Annotated[float, Bound(0, above=True)]  # ms
    init_from: str | None
    compat: Mapping[str, str]
    core: Annotated[str, Uses("core")]
    convolutions: tuple[str, ...] = ()
    saccades: Annotated[int, Bound(1, 100)] = 1
    weight_scale: Annotated[float, Bound(0, above=True)] = 1.0  # factor on initial weights; the weight of pooling

    @property
    def any_threads(self) -> bool:
        return True

    def conflicts(self) -> list[Fault]:
        faults = [*self._time_faults(), *self._compat_faults(), *self._loss_faults()]
        faults += [
            ("convolutions", f": {text} is not {WORDS}") for text in self.convolutions if not FORM.fullmatch(text)
        ]
        if len(self.shift) != 2 or self.shift[0] > self.shift[1]:
            faults.append(("shift", f"={list(self.shift)!r} is not [from, to]"))
        return faults

    @property
    def steps(self) -> int:
        """Number of time steps T of a sample."""
        return round(self.length / self.saccades / self.sampling_time)

    def _time_faults(self) -> list[tuple[str, str]]:
        whole = f"={self.length:g} ms"
        if self.saccades > 1:
            whole += f" in {self.saccades} saccades of {self.length / self.saccades:g} ms"
        if abs(self.saccades * self.steps * self.sampling_time - self.length) > 1e-9 * self.length:
            return [("length", f"{whole} is not a whole number of steps of sampling_time={self.sampling_time:g} ms")]
        longest = self.max_delay if self.delay else 0
        if self.steps <= longest + 3:
            fault = f"{whole} is {self.steps} steps; with delays of up to {longest} a spike may never arrive. "
            return [("length", f"{fault}Use more than {longest + 3} steps")]
        if self.window is not None and self.window > self.steps:
            return [("window", f"={self.window} is more than the {self.steps} steps of a sample")]
        return []

    def _loss_faults(self) -> list[tuple[str, str]]:
        faults = []
        if self.window is not None and self.loss == "time":
            faults.append(("window", f"={self.window} is for loss=rate and max; loss=time needs window=null"))
        if self.max_mode != "probability" and self.loss != "max":
            fault = f"={self.max_mode} is for loss=max; loss={self.loss} needs max_mode=probability"
            faults.append(("max_mode", fault))
        return faults

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

    def sizes(self, task: Task) -> tuple[int, ...]:
        """Numbers of inputs, of neurons in each layer, and of outputs."""
        convolved = (prod(conv.outputs) for conv in self.convolved(task))
        return (prod(self.input_shape(task)), *convolved, *self.hidden, task.n_classes)

    def convolved(self, task: Task) -> tuple[Convolution, ...]:
        return convolutions(self.convolutions, self.input_shape(task))

    def input_shape(self, task: Task) -> tuple[int, ...]:
        """Shape of the input: polarities of all saccades, rows, columns."""
        polarities, *pixels = task.shape
        return (self.saccades * polarities, *pixels)

    def as_lava(self, switch: str) -> bool:
        return self.compat[switch] == "lava"

    def demand(self, task: Task) -> Demand:
        """Numbers of inputs, hidden neurons in each layer and outputs, and the neuron's constants."""
        inputs, *widths = self.sizes(task)
        for width in widths[: len(self.convolutions)]:
            if width > MOST_INPUTS:
                raise UserError(
                    f"model.convolutions: a layer of {width} neurons is more than {MOST_INPUTS}. Use a stride."
                )
        if inputs > MOST_INPUTS:
            sizes = f"model=slayer_snn reads at most {MOST_INPUTS} inputs; recordings of {task.shape} have {inputs}"
            saccades = f" in {self.saccades} saccades" if self.saccades > 1 else ""
            raise UserError(f"{sizes}{saccades}. Use a smaller sensor, or pool pixels: dataset.pool=2")
        settings = {name: getattr(self, name) for name in ("current_decay", "voltage_decay", "threshold")}
        convolved = self.convolved(task)
        if any(conv.pools for conv in convolved):
            settings["pool_weight"] = self.weight_scale
        dense = pairwise((inputs, *widths)[len(convolved) :])
        connections = (*(conv.synapses * prod(conv.outputs) for conv in convolved), *(a * b for a, b in dense))
        return Demand(layers=(inputs, *widths), settings=settings, connections=connections)

    def snapshots(self, at: Step) -> Sequence[str]:
        """Snapshot labels: gradient flow at the last update of every epoch, the network at the tutorial's epochs."""
        if not at.ends_epoch:
            return ()
        network = (f"epoch/{at.epoch}",) if at.epoch in TUTORIAL_EPOCHS else ()
        return (f"flow/{at.epoch}", *network)
