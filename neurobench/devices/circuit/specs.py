"""Specs of circuit devices, and published medians of real processors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.devices.circuit.chips import Chip, chips
from neurobench.devices.spec import Demand, DeviceSpec

MOST_QUBITS, MOST_DENSITY = 14, 8  # limits of simulation by state vectors, and by density matrices
MOST_SCALE = 100.0  # factor on a processor's noise
_EVALUATED = 1000  # samples evaluated at once
Chance = Annotated[float, Bound(0, 1)]
Duration = Annotated[float, Bound(0, above=True)]
ChipName = Literal[
    "boston", "pittsburgh", "aachen", "kingston", "marrakesh", "fez", "torino", "miami", "berlin", "brisbane",
    "sherbrooke", "strasbourg", "willow_pink", "garnet",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Statevector(DeviceSpec):
    """Exact simulation: all 2^n amplitudes of each sample. Requested shots are drawn from the probabilities."""

    kind: ClassVar[str] = "circuit"
    opens: ClassVar[str] = "neurobench.devices.circuit.sim_statevector.open_statevector"

    compiled: bool

    def refuse(self, demand: Demand) -> str | None:
        return too_many_for_states(demand.qubits)


@dataclass(frozen=True)
class Profile:
    """Median properties of a processor. Gate errors are average infidelities."""

    error_1q: float
    error_2q: float
    time_1q: float  # ns
    time_2q: float  # ns
    p1_given_0: float  # a 0 is read as 1
    p0_given_1: float
    time_readout: float  # ns
    t1: float  # us
    t2: float  # us

    def scaled(self, factor: float) -> Profile:
        """Multiply errors and the rates 1/T by `factor`; errors grow to those of a random output at most, or stay if
        above them."""
        most = {"error_1q": 0.5, "error_2q": 0.75, "p1_given_0": 0.5, "p0_given_1": 0.5}
        errors = {
            name: min(max(bound, getattr(self, name)), getattr(self, name) * factor) for name, bound in most.items()
        }
        times = {name: getattr(self, name) / factor if factor else float("inf") for name in ("t1", "t2")}
        return replace(self, **errors, **times)


# IBM: fake backends in qiskit-ibm-runtime, calibration stamp 2025-02-26, errors of 0.5 and more left out. IonQ: the
# vendor's page.
PROFILES = {
    "sherbrooke": Profile(2.36e-4, 7.50e-3, 57, 533, 0.0205, 0.0137, 1216, 278, 170),  # Eagle, ecr
    "brisbane": Profile(2.43e-4, 7.68e-3, 60, 660, 0.0205, 0.0132, 1300, 232, 150),  # Eagle, ecr
    "torino": Profile(2.71e-4, 4.08e-3, 32, 68, 0.0200, 0.0229, 1560, 185, 141),  # Heron r1, cz
    "fez": Profile(2.29e-4, 3.82e-3, 24, 84, 0.0039, 0.0115, 1560, 145, 88),  # Heron r2, cz
    "marrakesh": Profile(2.30e-4, 3.23e-3, 36, 68, 0.0054, 0.0134, 2584, 197, 118),  # Heron r2, cz
    # T1 is given as 10 to 100 s; the read-out time is not published, and counted as 0.
    "ionq_aria": Profile(5.0e-4, 4.0e-3, 135e3, 600e3, 0.0039, 0.0039, 0, 1e7, 1e6),
    # Made up, to make noise visible. Depolarizing 5e-3 and 0.1 as infidelities; with noise=added on top of relaxation.
    "bad": Profile(2.5e-3, 7.5e-2, 36, 68, 0.05, 0.10, 0, 50, 30),
}


@dataclass(frozen=True, kw_only=True)
class QPU(DeviceSpec):
    """An emulated gate-based processor. Every gate is followed by depolarization, then relaxation, of its qubits; idle
    ones have no noise. Bits are misread independently. RZ is free; gates fused with RY take two pulses, H or X alone
    one.

    `profile`: a processor's medians, any two of its qubits coupled. `chip`: a snapshot, with the errors of each qubit
    and pair, and only the real chip's couplers; a circuit is laid out and routed.
    """

    kind: ClassVar[str] = "circuit"
    opens: ClassVar[str] = "neurobench.devices.circuit.mock_qpu.QPUDevice"
    energy: ClassVar[str] = "none is published for a circuit or a shot of such a processor"

    profile: Literal["sherbrooke", "brisbane", "torino", "fez", "marrakesh", "ionq_aria", "bad"]
    noise: Literal["residual", "depol", "added"]
    method: Literal["auto", "density", "trajectories"]
    trajectories: Annotated[int, Bound(1, 1_000_000)]
    mitigation: bool
    scale: Annotated[float, Bound(0, MOST_SCALE)]
    error_1q: Chance | None
    error_2q: Chance | None
    p1_given_0: Chance | None
    p0_given_1: Chance | None
    t1: Duration | None
    t2: Duration | None
    reset: Annotated[float, Bound(0)]
    queue: Annotated[float, Bound(0)]
    job: Annotated[int, Bound(1)]
    chip: ChipName | None = None
    layout: Literal["best", "median", "worst", "random"] | tuple[int, ...] = "best"
    layout_seed: Annotated[int, Bound(0)] = 0

    def conflicts(self) -> list[Fault]:
        faults: list[Fault] = []
        if self.noise == "depol":
            times = {name: value for name in ("t1", "t2") if (value := getattr(self, name)) is not None}
            sentence = "={:g} has no effect with noise=depol, which has no relaxation: set {}=null, or noise=added"
            faults += [(name, sentence.format(value, name)) for name, value in times.items()]
        if self.layout_seed and self.layout != "random":
            faults.append(("layout_seed", f"={self.layout_seed} has no effect unless layout=random"))
        return faults + (self._faults_of_profile() if self.chip is None else self._faults_of_chip())

    def _faults_of_profile(self) -> list[Fault]:
        faults, qubit = [], self.properties()
        if qubit.t2 > 2 * qubit.t1:
            faults.append(("t2", f"={qubit.t2:g} us is more than twice t1={qubit.t1:g} us; that is impossible"))
        misread = qubit.p1_given_0 + qubit.p0_given_1
        if self.mitigation and misread >= 1:
            faults.append(("mitigation", f"=True cannot undo p1_given_0 + p0_given_1 = {misread:g}; below 1 it can"))
        if self.layout != "best":
            layout = self.layout if isinstance(self.layout, str) else list(self.layout)
            faults.append(("layout", f"={layout} names qubits of a chip, but chip is null; set chip=boston, say"))
        return faults + _too_random(qubit.error_1q, qubit.error_2q)

    def _faults_of_chip(self) -> list[Fault]:
        faults, chip = [], self.snapshot()
        if not isinstance(self.layout, str):
            faults += [("layout", sentence) for sentence in chip.faults(self.layout)]
        qubits = [*self.calibrated().qubits.values()]
        longest = max(qubits, key=lambda qubit: qubit.t2 / qubit.t1)
        if (self.t1 or self.t2) and longest.t2 > 2 * longest.t1:
            sentence = f"={longest.t2:g} us is more than twice t1={longest.t1:g} us of a qubit of {chip.name}"
            faults.append(("t2", f"{sentence}; that is impossible. Set both"))
        misread = max(qubit.p1_given_0 + qubit.p0_given_1 for qubit in qubits)
        if self.mitigation and misread >= 1:
            faults.append(("mitigation", f"=True cannot undo p1_given_0 + p0_given_1 = {misread:g}; below 1 it can"))
        return faults + _too_random(self.error_1q or 0.0, self.error_2q or 0.0)

    def properties(self) -> Profile:
        """Return the profile with the values set here, scaled."""
        names = ("error_1q", "error_2q", "p1_given_0", "p0_given_1", "t1", "t2")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        profile = replace(PROFILES[self.profile], **given)
        return profile if self.scale == 1 else profile.scaled(self.scale)

    def snapshot(self) -> Chip:
        """Return the chip as calibrated."""
        assert self.chip is not None
        return chips()[self.chip]

    def calibrated(self) -> Chip:
        """Return the chip with the values set here, scaled."""
        names = {"error_1q": "error", "p1_given_0": "p1_given_0", "p0_given_1": "p0_given_1", "t1": "t1", "t2": "t2"}
        given = {key: getattr(self, name) for name, key in names.items() if getattr(self, name) is not None}
        return self.snapshot().changed(given, self.error_2q, self.scale)

    def refuse(self, demand: Demand) -> str | None:
        n = demand.qubits
        if self.chip is not None and not isinstance(self.layout, str) and len(self.layout) != n:
            return (
                f"n_qubits={n}, and backend.circuit.layout={list(self.layout)} names {len(self.layout)}; "
                f"name {n} of {self.chip}'s, or set backend.circuit.layout=best"
            )
        if self.method != "density" or n <= MOST_DENSITY:
            return too_many_for_states(n)
        return (
            f"n_qubits={n} needs density matrices of 4^{n} numbers, {memory(4**n * _EVALUATED // 2)} for {_EVALUATED} "
            f"samples; at most {MOST_DENSITY} qubits are emulated this way. Set backend.circuit.method=trajectories"
        )


def _too_random(error_1q: float, error_2q: float) -> list[Fault]:
    bounds = (("error_1q", error_1q, 0.5), ("error_2q", error_2q, 0.75))
    sentence = "={:g} is more than {:g}, of a fully random output"
    return [(name, sentence.format(error, most)) for name, error, most in bounds if error > most]


def too_many_for_states(n: int) -> str | None:
    """Reason why n qubits cannot be simulated as state vectors, or None."""
    if n <= MOST_QUBITS:
        return None
    return (
        f"n_qubits={n} needs 2^{n} numbers per sample, {memory(2**n * _EVALUATED)} for {_EVALUATED} of them; "
        f"at most {MOST_QUBITS} qubits are simulated. Set a smaller model.n_qubits."
    )


def memory(numbers: int) -> str:
    """Memory of complex64 numbers, as text ("8.2 GB")."""
    size, units = 8.0 * numbers, ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.3g} {units[0]}"
