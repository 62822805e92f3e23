"""Configuration of the network that learns from exact spike times: parameters and bounds, no heavy imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import Layout
from neurobench.models.learner import ModelSpec

Milliseconds = Annotated[float, Bound(0, 10_000, above=True)]
NotNegative = Annotated[float, Bound(0, 1e6)]


@dataclass(frozen=True, kw_only=True)
class EventPropSNN(ModelSpec):
    """Leaky integrate-and-fire neurons in continuous time; the output neuron that spikes first names the class.

    Sources: Wunderlich & Pehle (2021), Sci. Rep. 11:12829 (exact gradient, loss); Göltz et al. (2021), Nat. Mach.
    Intell. 3:823 (closed form of spike times where tau_m = 2 tau_s, silent labels); Göltz et al. (2025), Nat. Commun.
    16, "DelGrad" (learned delays).
    """

    opens: ClassVar[str] = "neurobench.models.eventprop.learner.EventPropLearner"
    gpu_from_batch: ClassVar[int | None] = None  # events are processed in turn, a few hundred operations each
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    figures: ClassVar[str] = "neurobench.models.eventprop.figures.figures"
    operations: ClassVar[str] = "neurobench.models.eventprop.learner.operations"

    hidden: tuple[Annotated[int, Bound(1, 60_000)], ...]
    tau_syn: Milliseconds
    length: Milliseconds
    bias_time: Annotated[float, Bound(0, 10_000)] | None  # ms
    most_spikes: Annotated[int, Bound(1, 1000)]
    init_first: tuple[float, ...]
    init_later: tuple[float, ...]
    delay: bool
    delay_lr: NotNegative
    loss_tau: Milliseconds
    early: NotNegative
    early_tau: Milliseconds
    wake: NotNegative
    lr: Annotated[float, Bound(0, 1000, above=True)]
    lr_schedule: Literal["constant", "cosine"]
    clip: Annotated[float, Bound(0, above=True)] | None

    def conflicts(self) -> list[Fault]:
        faults: list[Fault] = []
        for name in ("init_first", "init_later"):
            pair = getattr(self, name)
            if len(pair) != 2 or pair[1] < 0:
                faults.append((name, f"={list(pair)!r} is not [mean, standard deviation]"))
        if self.length > 300 * self.tau_mem:
            fault = f"={self.length:g} ms is more than 300 membrane time constants of {self.tau_mem:g} ms"
            faults.append(("length", f"{fault}; numbers would overflow. Use a longer tau_syn"))
        if self.length > 300 * self.early_tau:
            fault = f"={self.length:g} ms is more than 300 times early_tau={self.early_tau:g} ms"
            faults.append(("length", f"{fault}; exp(length / early_tau) would overflow. Use a longer early_tau"))
        if self.bias_time is not None and self.bias_time >= self.length:
            faults.append(("bias_time", f"={self.bias_time:g} ms is not within the {self.length:g} ms of a sample"))
        return faults

    @property
    def tau_mem(self) -> float:
        """Membrane time constant (ms): twice the synaptic one, for which spike times have a closed form."""
        return 2 * self.tau_syn
