"""A spiking core is the arithmetic of its neurons, as numbers: time loops belong to kernels, which are handed these."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

    from neurobench.devices.spec import Demand


class FloatCore(NamedTuple):
    """Nothing is rounded, cut off or out of range."""

    def refuse(self, demand: Demand) -> None:
        return None


class FixedCore(NamedTuple):
    """Integers: states are in 1/4096 of a unit of the weights, weights and thresholds in 1/64."""

    u_limit: int  # the current wraps once where it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit
    i_decay: tuple[int, int]  # lowest and highest iDecay and vDecay, in 1/4096 a step
    v_decay: tuple[int, int]
    threshold_mantissa: int  # the highest, in 1/64

    def refuse(self, demand: Demand) -> str | None:
        """Why the core cannot have the neuron that is asked for, every reason at once."""
        faults = []
        for name, (low, high) in (("current_decay", self.i_decay), ("voltage_decay", self.v_decay)):
            decay = demand.settings[name]
            if not low <= round(4096 * decay) <= high:
                faults.append(
                    f"model.{name}={decay:g} is {round(4096 * decay)}/4096; this core's go from {low} to {high}"
                )
        threshold = demand.settings["threshold"]
        if int(64 * threshold) > self.threshold_mantissa:
            faults.append(
                f"model.threshold={threshold:g} is more than {self.threshold_mantissa}/64, the core's largest"
            )
        return "; ".join(faults) or None


Core = FloatCore | FixedCore


class _CoreSpec(Protocol):
    @property
    def core(self) -> Core: ...


def open_core(spec: _CoreSpec, seed: int, device: torch.device) -> Core:
    """The core that a spec describes. It is digital: every chip is like the other, and `seed` makes no difference."""
    return spec.core
