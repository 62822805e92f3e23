"""Exact simulation of quantum circuits, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from neurobench.devices.spec import Demand, DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.circuit.circuit_device import StatevectorDevice

MOST_QUBITS = 14
_EVALUATED = 1000  # samples that are evaluated at once


def memory(numbers: int) -> str:
    """Of so many complex64 numbers ("8.2 GB")."""
    size = 8.0 * numbers
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def too_many_for_states(n: int) -> str | None:
    """Why n qubits cannot be simulated as state vectors, or None."""
    if n <= MOST_QUBITS:
        return None
    return (
        f"n_qubits={n} needs 2^{n} numbers a sample, {memory(2**n * _EVALUATED)} for {_EVALUATED} of them; "
        f"at most {MOST_QUBITS} qubits are simulated. Set a smaller model.n_qubits."
    )


@dataclass(frozen=True)
class Statevector(DeviceSpec):
    """All 2^n amplitudes of each sample. Shots are asked for by the model, and drawn from the exact probabilities."""

    kind: ClassVar[str] = "circuit"

    compiled: bool = True  # on a CPU: our own compiled loop over gates; false: torch's matrix products

    def refuse(self, demand: Demand) -> str | None:
        return too_many_for_states(demand.qubits)

    def open(self, seed: int, device: torch.device) -> StatevectorDevice:
        """The device. It is ideal: `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.circuit.circuit_device import StatevectorDevice

        return StatevectorDevice(device, self.compiled)
