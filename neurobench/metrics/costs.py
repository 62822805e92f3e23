"""Costs of a run's requests to its devices, by phase, and their joules if a source gives them.

Training is not billed for requests that only serve a figure. A device's spec contains its `Energy`, or why it has none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurobench.metrics.numbers import plain

if TYPE_CHECKING:
    from neurobench.metrics.operations import Operations

Check = Callable[[str, str, tuple[Any, ...], Any], Any]
Totals = dict[str, dict[str, float]]  # device -> "calls", "reads", "shots", ... -> how many

# Phases that make up the run; other requests (test's loss, tutorial's metrics, counts, figures) are not part of it.
RUN = ("training", "validation", "finalize", "test")
IRREPRODUCIBLE = "not reproducible"  # begins the note on a device whose answers no seed determines
SIMULATED = "the device is simulated: there is no chip whose energy could be estimated"


class Ledger:
    """Totals by phase and device. Checkpoints contain it, so that a killed run's record covers all its sessions."""

    def __init__(self, phases: Mapping[str, Totals] | None = None) -> None:
        self.phases: dict[str, Totals] = {name: dict(totals) for name, totals in (phases or {}).items()}
        self.notes: dict[str, str] = {}  # device -> what a reader of the record must know about it
        self.machines: dict[str, Mapping[str, str]] = {}  # device -> the machine that answered
        self._phase = RUN[0]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Context manager: bill the requests made in it to that phase."""
        before, self._phase = self._phase, name
        try:
            yield
        finally:
            self._phase = before

    def add(self, device: str, cost: Mapping[str, float]) -> None:
        entries = self.phases.setdefault(self._phase, {}).setdefault(device, {})
        for key, value in cost.items():
            entries[key] = entries.get(key, 0) + plain(value)

    def of_run(self) -> Totals:
        """Totals of the phases that make up the run."""
        together = Ledger()
        for name in RUN:
            for device, entries in self.phases.get(name, {}).items():
                together.add(device, entries)
        return together.phases.get(RUN[0], {})


class Billed:
    """An opened device whose answers are checked by `check(device, verb, arguments, answer)`, which returns them in the
    form to be used, and billed: the `cost` of each, and the call itself.

    Answers without a cost (a property of the device, another device) are passed on unbilled. A device whose answers are
    not determined by a seed says so in `irreproducible`, and one that represents a machine names it in `machine`; the
    record of a run repeats both.
    """

    def __init__(self, name: str, device: Any, ledger: Ledger, check: Check | None = None):
        self._name, self._device, self._ledger, self._check = name, device, ledger, check
        if note := getattr(device, "irreproducible", None):
            ledger.notes[name] = f"{IRREPRODUCIBLE}: {note}"
        if isinstance(
            machine := getattr(device, "machine", None), Mapping
        ):  # a user's device may give anything this name
            ledger.machines[name] = machine

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(self._device, name)
        except AttributeError as error:
            if hasattr(type(self._device), name):  # a fault within a property
                raise
            raise AttributeError(
                f"backend.{self._name} is a {type(self._device).__name__} without {name!r}, which the model uses; "
                "neurobench/devices/KIND/protocol.py lists all that a device of its kind has."
            ) from error
        return self._billed(name, value) if callable(value) and not name.startswith("_") else value

    def _billed(self, verb: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def billed(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            if answer is self._device:  # an ideal device is its own model
                return self
            if self._check:
                request = inspect.signature(call).bind(*args, **kwargs) if kwargs else None
                values = args if request is None else (*request.args, *request.kwargs.values())
                answer = self._check(self._name, verb, values, answer)
            cost = getattr(answer, "cost", None)
            if isinstance(cost, Mapping):
                self._ledger.add(self._name, {"calls": 1, **cost})
            return answer

        return billed


@dataclass(frozen=True)
class Energy:
    """Published energy figures; those of 0 are left out, and `source` says so."""

    source: str
    accumulation: float = 0.0  # J per spike that meets a weight
    update: float = 0.0  # J per step of a neuron in which its potential changes
    rest: float = 0.0  # J per step in which it does not
    power: float = 0.0  # W of the whole system while the device is busy: gives joules of a run, not of a sample


@dataclass(frozen=True)
class Price:
    """A vendor's published list price in US dollars, and the date when it was read."""

    source: str
    date: str
    per_second: float = 0.0  # of device time
    per_shot: float = 0.0
    per_job: float = 0.0

    def of(self, costs: Mapping[str, float]) -> float:
        rates = {"device_seconds": self.per_second, "shots": self.per_shot, "jobs": self.per_job}
        return sum(rate * costs.get(key, 0.0) for key, rate in rates.items())

    def words(self, costs: Mapping[str, float]) -> str:
        return f"${self.of(costs):,.2f} by the price list of {self.date} ({self.source})"


Energies = Mapping[str, Energy | str]  # device -> figures, or why there are none


def joules_of_sample(energies: Energies, batches: Sequence[Operations]) -> float | str:
    """Joules of one prediction by the device that computes it, averaged over samples; or why they are not known."""
    if not energies:
        return "this model uses no device"
    (energy,) = energies.values() if len(energies) == 1 else (" ".join(map(str, energies.values())),)
    if isinstance(energy, str):
        return energy
    if not (energy.accumulation or energy.update or energy.rest):
        return "the source gives only the system's power: joules of the whole run are in device_costs"
    accumulations = sum(c.effective for b in batches for c in b.connections if c.spikes)
    neurons = [p for b in batches for p in b.populations if p.updates is not None]
    updates = sum(p.updates or 0 for p in neurons)
    rests = sum(max(0, p.total - (p.updates or 0)) for p in neurons)
    joules = energy.accumulation * accumulations + energy.update * updates + energy.rest * rests
    return joules / sum(b.samples for b in batches)


def with_joules(energies: Energies, costs: Totals) -> Totals:
    """Costs with joules for devices whose system power is published: device_joules = power x device_seconds."""
    totals = {name: dict(entries) for name, entries in costs.items()}
    for name, energy in energies.items():
        if isinstance(energy, Energy) and energy.power and "device_seconds" in totals.get(name, {}):
            totals[name]["device_joules"] = energy.power * totals[name]["device_seconds"]
    return totals


def energy_sources(energies: Energies) -> dict[str, str]:
    """Source of each device's energy figures."""
    return {name: energy.source for name, energy in energies.items() if isinstance(energy, Energy)}
