"""Spec of D-Wave's software, and through it of a D-Wave machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed, load
from neurobench.devices.sampler.chips import CHIPS, ChipName
from neurobench.devices.sampler.embeddings import draw_of, tabulated
from neurobench.devices.sampler.specs import Positive
from neurobench.devices.spec import BUDGETS, Demand, DeviceSpec
from neurobench.metrics.costs import Energy, Price

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs

MOCK = "mock"


@dataclass(frozen=True, kw_only=True)
class DWave(DeviceSpec):
    """Sampler of dwave-system (extra `dwave`): MockDWaveSampler, without network or account, or a D-Wave machine.

    An RBM's two layers are embedded once, by minorminer's busclique, in the working graph that the sampler reports, and
    sent with FixedEmbeddingComposite. `solver=mock` uses the working graph of a published chip with faults drawn
    from `chip_seed`, as `backend=mock_qpu` does; it descends to the nearest minimum from random states and emulates
    neither noise nor ranges nor time. It takes the seed of each call; a machine takes none, and the run's record
    says that it is not reproducible.

    Address, token and the default solver of an account come from D-Wave's configuration (`dwave config create`,
    or the environment variable DWAVE_API_TOKEN). No key here contains them.
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.dwave.DWaveDevice"
    not_computed: ClassVar[tuple[str, ...]] = BUDGETS
    energy: ClassVar[Energy | str] = "a prediction does not use the QPU, and the mock's times are made up"

    solver: str
    chip: ChipName
    chip_seed: Annotated[int, Bound(0, 2**31 - 1)]
    annealing_time: Positive  # us
    prefactor: Positive
    auto_scale: bool
    chain_strength: Positive
    repair: Literal["majority_vote", "minimize_energy", "discard"]
    max_shots: Annotated[int, Bound(1)] | None = None
    max_seconds: Annotated[float, Bound(0, above=True)] | None = None

    def conflicts(self) -> list[Fault]:
        if not self.solver.strip():
            return [("solver", "='' is not a solver: use mock, default, or a solver of your account")]
        budgets = [name for name in BUDGETS if getattr(self, name) is not None]
        return [(name, " is for QPUs; solver=mock costs nothing") for name in budgets if self.solver == MOCK]

    def absent_extras(self) -> list[Fault]:
        if is_installed("dwave.system"):
            return []
        return [("solver", not_installed(f"={self.solver}", "dwave.system", "dwave"))]

    def refuse(self, demand: Demand) -> str | None:
        """Reason why layers do not fit on the mock's chip, or None; a machine's limits are known once it is opened."""
        if self.solver != MOCK:
            return None
        misfit = tabulated(self.chip, draw_of(self.chip, self.chip_seed)).misfit(*demand.layers)
        return f"{misfit}. Make the model smaller, or choose another chip: {', '.join(CHIPS)}." if misfit else None

    def price(self) -> Price | str:
        return super().price() if self.solver == MOCK else "no list price is stored: D-Wave bills access time"

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        return load(self.opens)(self, seed, device, jobs)
