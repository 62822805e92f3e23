"""Snapshots of processors on one day: the calibration of each qubit and of each pair that can be coupled.

chips.json.gz is written by `python -m neurobench.devices.circuit.extract`, which documents the source of each value.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NamedTuple

DEAD = 0.5  # gate error, or half the sum of both misreading errors, at which a part carries no information


class Qubit(NamedTuple):
    """Calibration of a qubit. Gate errors are average infidelities, here of one pulse."""

    error: float
    time: float  # ns
    p1_given_0: float  # a 0 is read as 1
    p0_given_1: float
    time_readout: float  # ns
    t1: float  # us
    t2: float  # us, at most 2 t1

    def scaled(self, factor: float) -> Qubit:
        """Multiply errors and the rates 1/T by `factor`; errors grow to one half at most, or stay if above it."""
        before = {name: getattr(self, name) for name in ("error", "p1_given_0", "p0_given_1")}
        errors = {name: min(max(0.5, value), value * factor) for name, value in before.items()}
        times = {name: getattr(self, name) / factor if factor else float("inf") for name in ("t1", "t2")}
        return self._replace(**errors, **times)


class Pair(NamedTuple):
    error: float
    time: float  # ns

    def scaled(self, factor: float) -> Pair:
        return self._replace(error=min(0.75, self.error * factor))


@dataclass(frozen=True, eq=False)  # compared by identity: results for a chip are cached
class Chip:
    """A snapshot. `qubits` and `pairs` contain only working ones: with all values, and errors below one half."""

    name: str
    vendor: str
    processor: str
    date: str | None  # of the snapshot; single values in it may be weeks older
    source: str
    entangler: str  # cz, or ecr with the control first in a pair
    pulses: int  # most pulses of a gate of one qubit
    size: int  # qubits, broken ones included
    qubits: Mapping[int, Qubit]
    pairs: Mapping[tuple[int, int], Pair]

    @cached_property
    def neighbours(self) -> Mapping[int, tuple[int, ...]]:
        touching: dict[int, set[int]] = {number: set() for number in self.qubits}
        for a, b in self.pairs:
            touching[a].add(b)
            touching[b].add(a)
        return {number: tuple(sorted(others)) for number, others in touching.items()}

    def direction(self, a: int, b: int) -> tuple[int, int]:
        """Order in which a pair is calibrated."""
        return (a, b) if (a, b) in self.pairs else (b, a)

    def changed(self, given: Mapping[str, float], error_2q: float | None, factor: float) -> Chip:
        """Copy with values `given` for every qubit and this error for every pair, then errors and the rates 1/T times
        `factor`."""
        qubits = {number: qubit._replace(**given).scaled(factor) for number, qubit in self.qubits.items()}
        pairs = {
            wires: Pair(pair.error if error_2q is None else error_2q, pair.time).scaled(factor)
            for wires, pair in self.pairs.items()
        }
        return replace(self, qubits=qubits, pairs=pairs)

    def faults(self, layout: Sequence[int]) -> list[str]:
        """Reasons why qubits, in the order of a circuit's wires, cannot carry it."""
        if not layout:
            return ["=[] names no qubit; name one for each wire, or use layout=best"]
        if outside := [number for number in layout if not 0 <= number < self.size]:
            return [f"={list(layout)}: {self.name} has the qubits 0 to {self.size - 1}, not {_listed(outside)}"]
        if repeated := sorted({number for number in layout if layout.count(number) > 1}):
            return [f"={list(layout)} names {_listed(repeated)} more than once; each wire needs its own qubit"]
        if broken := [number for number in layout if number not in self.qubits]:
            return [f"={list(layout)}: {_listed(broken)} did not work on {self.name} at {self.date or 'that time'}"]
        if apart := set(layout) - self._reached(layout):
            return [
                f"={list(layout)} is not connected on {self.name}: no working coupler leads from {layout[0]} to "
                f"{_listed(sorted(apart))} within it; {layout[0]} couples to {_listed(self.neighbours[layout[0]])}"
            ]
        return []

    def _reached(self, layout: Sequence[int]) -> set[int]:
        reached, waiting = set(layout[:1]), list(layout[:1])
        while waiting:
            new = set(self.neighbours[waiting.pop()]) & set(layout) - reached
            reached |= new
            waiting += new
        return reached


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


@cache
def chips() -> Mapping[str, Chip]:
    """All shipped chips by name."""
    plain = json.loads(gzip.decompress(files("neurobench.devices.circuit").joinpath("chips.json.gz").read_bytes()))
    return {entry["name"]: _chip(entry) for entry in plain}


def _chip(entry: dict[str, Any]) -> Chip:
    qubits = {number: _qubit(values) for number, values in enumerate(entry["qubits"])}
    working = {number: qubit for number, qubit in qubits.items() if qubit}
    pairs = {
        (a, b): Pair(error, time)
        for a, b, error, time in entry["pairs"]
        if error < DEAD and a in working and b in working
    }
    names = ("name", "vendor", "processor", "date", "source", "entangler", "pulses")
    return Chip(**{name: entry[name] for name in names}, size=len(qubits), qubits=working, pairs=pairs)


def _qubit(values: Sequence[float | None]) -> Qubit | None:
    """Qubit from its values; None if it did not work. T2 above 2 T1, which fits can give, is cut, as in Qiskit Aer."""
    error, time, p1_given_0, p0_given_1, time_readout, t1, t2 = values
    if error is None or time is None or p1_given_0 is None or p0_given_1 is None or t1 is None or t2 is None:
        return None
    if error >= DEAD or p1_given_0 + p0_given_1 >= 2 * DEAD or min(t1, t2) <= 0:
        return None
    return Qubit(error, time, p1_given_0, p0_given_1, time_readout or 0.0, t1, min(t2, 2 * t1))
