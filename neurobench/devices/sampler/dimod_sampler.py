"""Any sampler that speaks dimod, the recipe: simulated annealing, tabu search, a real annealer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from neurobench.config.bounds import Bound, Fault, fault_of
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed, outside_fault
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.sampler.dimod_sampler_device import DimodDevice

SAMPLERS = tuple(
    f"dwave.samplers.{name}"
    for name in (
        "SimulatedAnnealingSampler",
        "TabuSampler",
        "SteepestDescentSampler",
        "PathIntegralAnnealingSampler",
        "RandomSampler",
    )
)

# Of samplers' own parameters those whose meaning is known here: a bad value is told before anything runs.
Count = Annotated[int, Bound(1)]
KNOWN: dict[str, Any] = {
    "num_sweeps": Count,
    "num_sweeps_per_beta": Count,
    "num_restarts": Annotated[int, Bound(0)],
    "tenure": Annotated[int, Bound(0)],
    "timeout": Annotated[float, Bound(0, above=True)],
    "time_limit": Annotated[float, Bound(0, above=True)],
    "beta_range": tuple[Annotated[float, Bound(0, above=True)], ...],
    "annealing_time": Annotated[float, Bound(0, above=True)],
}
GIVEN = {
    "num_reads": "the model says how many reads it needs",
    "seed": "it follows from the seed of the run",
    "initial_states": "the model says where chains start",
}


@dataclass(frozen=True, kw_only=True)
class DimodSampler(DeviceSpec):
    """A class that is a `dimod.Sampler`, what it is made with, and what each of its calls is given.

    Of dwave-samplers (an optional extra) some are allowed as they are; for others see `neurobench.config.targets`. A
    real annealer, where each unit needs a chain of qubits, is a class with a composite around it:

        sampler: dwave.system.DWaveSampler
        composites: [dwave.system.EmbeddingComposite]

    Note: SimulatedAnnealingSampler takes 31 bits of seed, TabuSampler's timeout is in milliseconds and makes its
    answer depend on the speed of the machine unless num_restarts ends the search first.
    """

    kind: ClassVar[str] = "sampler"

    sampler: str  # dotted name of the class
    options: Mapping[str, Any]  # what the class is made with
    parameters: Mapping[str, Any]  # what each call of its `sample` is given
    composites: tuple[str, ...] = ()  # dotted names of classes put around it, innermost first

    def conflicts(self) -> list[Fault]:
        classes = [("sampler", self.sampler), *(("composites", name) for name in self.composites)]
        faults = [(field, fault) for field, name in classes if (fault := _class_fault(name))]
        faults += [(f"parameters.{name}", sentence) for name, sentence in _parameter_faults(self.parameters)]
        return faults

    def open(self, seed: int, device: torch.device) -> DimodDevice:
        """The device. `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.sampler.dimod_sampler_device import DimodDevice

        return DimodDevice(self)


def _class_fault(path: str) -> str | None:
    fault = outside_fault(path, SAMPLERS)
    if fault:
        return fault
    module = path.rpartition(".")[0]
    if is_installed(module):
        return None
    if path in SAMPLERS:
        return not_installed(f"={path}", module, "annealing")
    return f"={path} needs {module}, which is not installed: pip install the package that it belongs to"


def _parameter_faults(parameters: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name, value in parameters.items():
        if name in GIVEN:
            faults.append((name, f"={value!r} cannot be set: {GIVEN[name]}"))
        elif name in KNOWN and value is not None:
            fault = fault_of(value, KNOWN[name])
            unit = " (in milliseconds)" if name == "timeout" else ""
            if fault:
                faults.append((name, fault + unit))
            elif name == "beta_range" and not (len(value) == 2 and value[0] <= value[1]):
                faults.append((name, f"={value!r} is not [hottest, coldest], an ascending pair"))
    return faults
