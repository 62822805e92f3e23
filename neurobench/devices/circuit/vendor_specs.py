"""Circuit devices of vendors, as their own software offers them: what YAML says of them, and nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed, load
from neurobench.devices.circuit.specs import too_many_for_states
from neurobench.devices.spec import BUDGETS, Demand, DeviceSpec
from neurobench.metrics.costs import Price

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs

SIMULATORS = ("statevector", "aer")
SNAPSHOT, CHIP = "Fake", "ibm_"  # how names begin
IBM_PRICE = Price("IBM Cloud documentation, Qiskit Runtime plans: pay as you go", "2022-10-04", per_second=1.60)


@dataclass(frozen=True, kw_only=True)
class Qiskit(DeviceSpec):
    """What Qiskit's primitives reach: simulators, snapshots of chips and chips. Whatever it is, it only counts."""

    kind: ClassVar[str] = "circuit"
    opens: ClassVar[str] = "neurobench.devices.circuit.qiskit_device.open_qiskit"
    energy: ClassVar[str] = "none is published for a circuit or a shot"
    not_computed: ClassVar[tuple[str, ...]] = BUDGETS

    device: str
    layout: tuple[Annotated[int, Bound(0, 10_000)], ...] | None
    optimization_level: Annotated[int, Bound(0, 3)]
    job: Annotated[int, Bound(1, 100_000)]
    max_shots: Annotated[int, Bound(1)] | None
    max_seconds: Annotated[float, Bound(0, above=True)] | None

    @property
    def is_chip(self) -> bool:
        return self.device.startswith(CHIP)

    def conflicts(self) -> list[Fault]:
        if self.device not in SIMULATORS and not self.device.startswith((SNAPSHOT, CHIP)):
            names = (
                f"{', '.join(SIMULATORS)}, {SNAPSHOT}Marrakesh and other snapshots, and {CHIP}marrakesh and other chips"
            )
            return [("device", f"={self.device!r} is none of Qiskit's; there is {names}")]
        needed = ["qiskit"]
        if self.device == "aer" or self.device.startswith(SNAPSHOT):
            needed.append("qiskit_aer")
        if self.device not in SIMULATORS:
            needed.append("qiskit_ibm_runtime")
        missing = [module for module in needed if not is_installed(module)]
        faults = [("device", not_installed(f"={self.device}", module, "qiskit")) for module in missing[:1]]
        if self.layout is not None and len(set(self.layout)) < len(self.layout):
            faults.append(("layout", f"={list(self.layout)} names a qubit twice"))
        if self.layout is not None and self.device in SIMULATORS:
            faults.append(("layout", f" is for chips and their snapshots; device={self.device} has no map of qubits"))
        if not self.is_chip:
            unused = [name for name in BUDGETS if getattr(self, name) is not None]
            faults += [(name, f" is for chips; device={self.device} costs nothing") for name in unused]
        return faults

    def refuse(self, demand: Demand) -> str | None:
        if self.layout is not None and len(self.layout) != demand.qubits:
            return f"backend.circuit.layout names {len(self.layout)} qubits, the circuit has {demand.qubits} wires"
        return too_many_for_states(demand.qubits) or counts_alone(demand, self.device)

    def price(self) -> Price | str:
        return IBM_PRICE if self.is_chip else super().price()

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        return load(self.opens)(self, device, jobs)


def counts_alone(demand: Demand, device: str) -> str | None:
    """Why a device that only counts cannot serve a model that asks for exact expectations, or None."""
    if (key := demand.settings.get("exact_for")) is None:
        return None
    return (
        f"backend.circuit.device={device} counts, and {key} asks for exact expectations: set model.shots=100, or more, "
        "with model.gradient=param_shift or model.train_on=ideal"
    )
