"""An emulated gate-based quantum processor, the recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.devices.circuit.circuit import memory, too_many_for_states
from neurobench.devices.circuit.qpu_profiles import PROFILES, Profile
from neurobench.devices.spec import Demand, DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.circuit.qpu_device import QPUDevice

MOST_DENSITY = 8
_EVALUATED = 1000  # samples that are evaluated at once

Chance = Annotated[float, Bound(0, 1)]
Duration = Annotated[float, Bound(0, above=True)]
OVERRIDES = ("error_1q", "error_2q", "p1_given_0", "p0_given_1", "t1", "t2")


@dataclass(frozen=True, kw_only=True)
class QPU(DeviceSpec):
    """Every gate is followed by depolarization, then relaxation, of its own qubits; idle ones do nothing. Bits are
    read wrongly one by one. RZ is free; a gate fused from several, RY among them, takes two pulses, H or X alone one.
    """

    kind: ClassVar[str] = "circuit"

    profile: Literal["sherbrooke", "brisbane", "torino", "fez", "marrakesh", "ionq_aria", "bad"] = "marrakesh"
    noise: Literal["residual", "depol", "added"] = "residual"  # quoted errors contain relaxation | all as
    # depolarization, no relaxation | relaxation on top of them
    method: Literal["auto", "density", "trajectories"] = "auto"  # auto: density matrices up to 8 qubits
    trajectories: Annotated[int, Bound(1, 1_000_000)] = 64  # random runs of each circuit; Pauli errors only
    mitigation: bool = False  # undo the read-out's confusion in estimates
    scale: Annotated[float, Bound(0, 100)] = 1.0  # multiplies the errors of gates and read-out and the rates 1/T
    error_1q: Chance | None = None  # null: the profile's, as for all that follow
    error_2q: Chance | None = None
    p1_given_0: Chance | None = None
    p0_given_1: Chance | None = None
    t1: Duration | None = None  # us
    t2: Duration | None = None  # us
    reset: Annotated[float, Bound(0)] = 250.0  # us before each shot; IBM's, from memory
    queue: Annotated[float, Bound(0)] = 0.0  # s before each job of at most `job` circuits; unknown, so not counted
    job: Annotated[int, Bound(1)] = 300  # circuits of a job

    energy: ClassVar[str] = "none is published for a circuit or a shot of such a processor"

    def conflicts(self) -> list[Fault]:
        faults = []
        known = self.values()
        if known.t2 > 2 * known.t1:
            faults.append(("t2", f"={known.t2:g} us is more than twice t1={known.t1:g} us; no qubit does that"))
        confusion = known.p1_given_0 + known.p0_given_1
        if self.mitigation and confusion >= 1:
            faults.append(("mitigation", f"=True cannot undo p1_given_0 + p0_given_1 = {confusion:g}; below 1 it can"))
        for name, most in (("error_1q", 0.5), ("error_2q", 0.75)):
            if getattr(known, name) > most:
                faults.append((name, f"={getattr(known, name):g} is more than {most:g}, of a fully random output"))
        return faults

    def values(self) -> Profile:
        """The profile with what is set here, scaled. A scaled chance stays one."""
        given = {name: getattr(self, name) for name in OVERRIDES if getattr(self, name) is not None}
        known = replace(PROFILES[self.profile], **given)
        if self.scale == 1:
            return known
        return replace(
            known,
            error_1q=min(0.5, known.error_1q * self.scale),
            error_2q=min(0.75, known.error_2q * self.scale),
            p1_given_0=min(0.5, known.p1_given_0 * self.scale),
            p0_given_1=min(0.5, known.p0_given_1 * self.scale),
            t1=known.t1 / self.scale if self.scale else float("inf"),
            t2=known.t2 / self.scale if self.scale else float("inf"),
        )

    def refuse(self, demand: Demand) -> str | None:
        """More qubits than can be emulated."""
        n_qubits = demand.qubits
        if self.method == "density" and n_qubits > MOST_DENSITY:
            size = memory(4**n_qubits * _EVALUATED // 2)
            return (
                f"n_qubits={n_qubits} needs density matrices of 4^{n_qubits} numbers, {size} for {_EVALUATED} samples; "
                f"at most {MOST_DENSITY} qubits are emulated so. Set backend.circuit.method=trajectories"
            )
        return too_many_for_states(n_qubits)

    def open(self, seed: int, device: torch.device) -> QPUDevice:
        """The processor. Its errors are a profile's: `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.circuit.qpu_device import QPUDevice

        return QPUDevice(self, device)
