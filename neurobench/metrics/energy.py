"""Joules of what a device does, where a source gives them. A device's recipe holds its `Energy`, or why it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurobench.metrics.costs import Totals
    from neurobench.metrics.operations import Operations

SIMULATED = "the device is simulated: no chip whose energy could be told"


@dataclass(frozen=True)
class Energy:
    """Published figures; what is 0 is left out, and `source` says so."""

    source: str
    accumulation: float = 0.0  # J, a spike that meets a weight
    update: float = 0.0  # J, a neuron's step in which its potential changes
    rest: float = 0.0  # J, one in which it does not
    power: float = 0.0  # W of the whole system while the device is busy: joules of a run, none of a sample


Energies = Mapping[str, Energy | str]  # device -> figures, or why there are none


def of_sample(energies: Energies, batches: Sequence[Operations]) -> float | str:
    """J of one prediction by the device that computes it, a mean over samples; or why it cannot be told."""
    if not energies:
        return "this model asks no device"
    (energy,) = energies.values() if len(energies) == 1 else (" ".join(str(told) for told in energies.values()),)
    if isinstance(energy, str):
        return energy
    if not energy.accumulation:
        return "the source gives the system's power alone: joules of the whole run stand in device_costs"
    accumulations = sum(c.effective for b in batches for c in b.connections if c.spikes)
    neurons = [p for b in batches for p in b.populations if p.updates is not None]
    updates = sum(p.updates or 0 for p in neurons)
    rests = sum(max(0, p.total - (p.updates or 0)) for p in neurons)
    joules = energy.accumulation * accumulations + energy.update * updates + energy.rest * rests
    return joules / sum(b.samples for b in batches)


def of_run(energies: Energies, costs: Totals) -> Totals:
    """Costs with the joules of devices whose system's power is published: device_joules = power x device_seconds."""
    told = {name: dict(entries) for name, entries in costs.items()}
    for name, energy in energies.items():
        if isinstance(energy, Energy) and energy.power and "device_seconds" in told.get(name, {}):
            told[name]["device_joules"] = energy.power * told[name]["device_seconds"]
    return told


def sources(energies: Energies) -> dict[str, str]:
    """Where the figures of each device come from."""
    return {name: energy.source for name, energy in energies.items() if isinstance(energy, Energy)}
