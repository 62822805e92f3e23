"""The arithmetic of a spiking core."""

from typing import NamedTuple

from neurobench.devices.spec import Demand


class Core(NamedTuple):
    """The arithmetic of a spiking core, as numbers: time loops belong to kernels, which are handed these.

    States are in 1/4096 of a unit of the weights, weights and thresholds in 1/64.
    """

    arithmetic: str  # "fixed", or "float": then nothing is rounded and the rest is without meaning
    u_limit: int  # the current wraps once where it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit
    i_decay: tuple[int, int]  # what iDecay and vDecay, in 1/4096 a step, can be
    v_decay: tuple[int, int]
    threshold_mantissa: int  # at most


def refused_neuron(
    demand: Demand, i_decay: tuple[int, int], v_decay: tuple[int, int], threshold_mantissa: int
) -> str | None:
    """Why a core with these ranges (see `Core`) cannot have the neuron that is asked for, or None."""
    faults = []
    for name, (low, high) in (("current_decay", i_decay), ("voltage_decay", v_decay)):
        steps = round(4096 * demand.settings[name])
        if not low <= steps <= high:
            faults.append(
                f"model.{name}={demand.settings[name]:g} is {steps}/4096; this core's go from {low} to {high}"
            )
    threshold = demand.settings["threshold"]
    if int(64 * threshold) > threshold_mantissa:
        faults.append(f"model.threshold={threshold:g} is more than {threshold_mantissa}/64, the core's largest")
    return "; ".join(faults) or None
