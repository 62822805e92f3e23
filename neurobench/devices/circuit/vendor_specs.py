"""Specs of vendors' circuit devices, as their own software offers them, without heavy imports."""

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
SNAPSHOT, CHIP = "Fake", "ibm_"  # prefixes of names
LOCAL, ARN = {"braket_sv": 26, "braket_dm": 13}, "arn:aws:braket:"  # LocalSimulator's backends and most qubits of each
BRAKET_PRICE = "no list price is stored: AWS bills tasks (here: jobs) and shots, and minutes of its simulators"
IBM_PRICE = Price("IBM Cloud documentation, Qiskit Runtime plans: pay as you go", "2022-10-04", per_second=1.60)


@dataclass(frozen=True, kw_only=True)
class Qiskit(DeviceSpec):
    """Device behind Qiskit's primitives: a simulator, a snapshot of a chip or a chip. Each only counts."""

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
            return [("device", f"={self.device!r} is not a Qiskit device; there is {names}")]
        faults: list[Fault] = []
        if self.layout is not None and len(set(self.layout)) < len(self.layout):
            faults.append(("layout", f"={list(self.layout)} names a qubit twice"))
        if self.layout is not None and self.device in SIMULATORS:
            faults.append(("layout", f" is for chips and their snapshots; device={self.device} has no map of qubits"))
        return faults if self.is_chip else [*faults, *useless_limits(self)]

    def absent_extras(self) -> list[Fault]:
        needed = ["qiskit"]
        if self.device == "aer" or self.device.startswith(SNAPSHOT):
            needed.append("qiskit_aer")
        if self.device not in SIMULATORS:
            needed.append("qiskit_ibm_runtime")
        missing = [module for module in needed if not is_installed(module)]
        return [("device", not_installed(f"={self.device}", module, "qiskit")) for module in missing[:1]]

    def refuse(self, demand: Demand) -> str | None:
        if self.layout is not None and len(self.layout) != demand.qubits:
            return f"backend.circuit.layout names {len(self.layout)} qubits, the circuit has {demand.qubits} wires"
        return too_many_for_states(demand.qubits) or counts_alone(demand, self.device)

    def price(self) -> Price | str:
        return IBM_PRICE if self.is_chip else super().price()

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        return load(self.opens)(self, device, jobs)


@dataclass(frozen=True, kw_only=True)
class Braket(DeviceSpec):
    """Device behind Amazon Braket's SDK: LocalSimulator, or a device of an AWS account. Each only counts.

    Account, region and credentials come from AWS's configuration. No key here contains them.
    """

    kind: ClassVar[str] = "circuit"
    opens: ClassVar[str] = "neurobench.devices.circuit.braket_device.open_braket"
    energy: ClassVar[str] = "none is published for a circuit or a shot"
    not_computed: ClassVar[tuple[str, ...]] = ("max_shots",)

    device: str
    job: Annotated[int, Bound(1, 100_000)]
    max_shots: Annotated[int, Bound(1)] | None

    @property
    def is_remote(self) -> bool:
        return self.device.startswith(ARN)

    def conflicts(self) -> list[Fault]:
        if self.device not in LOCAL and not self.is_remote:
            names = f"{', '.join(LOCAL)}, and devices of an account by their ARN, {ARN}..."
            return [("device", f"={self.device!r} is not a Braket device; there is {names}")]
        return [] if self.is_remote else useless_limits(self)

    def absent_extras(self) -> list[Fault]:
        if is_installed("braket.devices"):
            return []
        return [("device", not_installed(f"={self.device}", "amazon-braket-sdk", "braket"))]

    def refuse(self, demand: Demand) -> str | None:
        if self.device in LOCAL and demand.qubits > LOCAL[self.device]:
            return f"n_qubits={demand.qubits}: {self.device} simulates at most {LOCAL[self.device]} qubits"
        return too_many_for_states(demand.qubits) or counts_alone(demand, self.device)

    def price(self) -> Price | str:
        return BRAKET_PRICE if self.is_remote else super().price()

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        return load(self.opens)(self, device, jobs)


def useless_limits(spec: Qiskit | Braket) -> list[Fault]:
    """Limits that are set for a device that costs nothing."""
    limits = [name for name in spec.not_computed if getattr(spec, name) is not None]
    return [(name, f" limits what is paid for; device={spec.device} costs nothing") for name in limits]


def counts_alone(demand: Demand, device: str) -> str | None:
    """Reason why a device that only counts cannot serve a model that needs exact expectations, or None."""
    if (key := demand.settings.get("exact_for")) is None:
        return None
    return (
        f"backend.circuit.device={device} returns counts, but {key} needs exact expectations: set model.shots=100 or "
        "more with model.gradient=param_shift or model.train_on=ideal"
    )
