"""Specs of samplers: software, any package with dimod's interface, or an emulated machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault, fault_of
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed, outside_fault
from neurobench.devices.sampler.chips import CHIPS, Chip, ChipName
from neurobench.devices.sampler.embeddings import FaultyChip, draw_of, embedded, tabulated
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.costs import Energy

SAMPLERS = tuple(
    f"dwave.samplers.{name}Sampler"
    for name in ("SimulatedAnnealing", "Tabu", "SteepestDescent", "PathIntegralAnnealing", "Random")
)

MOST_READS = 10_000  # of an annealing chip per call

Count = Annotated[int, Bound(1)]
Positive = Annotated[float, Bound(0, above=True)]
Probability = Annotated[float, Bound(0, 0.5)]
Spread = Annotated[float, Bound(0, 1)]  # of a programmed coefficient, if the largest coupling is 1
Range = tuple[float, ...]  # [lowest, highest]
Microseconds = Annotated[float, Bound(0)]


@dataclass(frozen=True, kw_only=True)
class BlockGibbs(DeviceSpec):
    """Block Gibbs sampling of p(x) ~ exp(-beta E(x)); a sweep updates the whole hidden, then the whole visible layer.

    Chains with given hidden states begin with the visible layer, so that one step from there is "CD-1".
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.sim_gibbs.GibbsSampler"

    sweeps: Count
    steps: Count
    beta: Positive  # 1/energy


@dataclass(frozen=True, kw_only=True)
class Annealer(DeviceSpec):
    """Simulated annealing: block Gibbs from hot to cold, then downhill; an optimiser, not a sampler at one temperature.

    The inverse temperature grows by a constant factor from sweep to sweep. On an RBM trained for an epoch on MNIST,
    a chain at 0.05 is still quite random; if started at 0.5 it reaches lower energies in less time.

    Chains with given hidden states take one sweep at inverse temperature 1, as in block Gibbs. (Greedy sweeps from the
    data's states as negative phase ended at 17 % on MNIST.) To train on annealed states set model.negative=device.
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.sim_gibbs.AnnealingSampler"

    sweeps: Count
    beta_start: Positive  # 1/energy
    beta_end: Positive
    descents: Count

    def conflicts(self) -> list[Fault]:
        if self.beta_start < self.beta_end:
            return []
        return [("beta_start", f"={self.beta_start:g} is not below beta_end={self.beta_end:g}")]


@dataclass(frozen=True, kw_only=True)
class DimodSampler(DeviceSpec):
    """A `dimod.Sampler` class, the arguments of its constructor, and those of each call.

    Some of dwave-samplers (an optional extra) are allowed by default; for others see `neurobench.config.targets`. A
    real annealer, in which each unit needs a chain of qubits, is a class with a composite around it:

        sampler: dwave.system.DWaveSampler
        composites: [dwave.system.EmbeddingComposite]

    Note: SimulatedAnnealingSampler takes seeds of 31 bits. TabuSampler's timeout is in milliseconds and makes its
    answer depend on the speed of the computer unless num_restarts ends the search first.
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.sim_dimod.WrappedSampler"

    sampler: str  # dotted name of the class
    options: Mapping[str, Any]  # arguments of the constructor
    parameters: Mapping[str, Any]  # arguments of each call of its `sample`
    composites: tuple[str, ...]  # dotted names of classes wrapped around it, innermost first

    def section_faults(self) -> list[Fault]:
        given = {"options": self.options, "parameters": self.parameters}
        return [
            (name, f"={value!r} is not a section of keys; {{}} is an empty one")
            for name, value in given.items()
            if not isinstance(value, Mapping)
        ]

    def conflicts(self) -> list[Fault]:
        faults = [(field, fault) for field, name in self._classes() if (fault := outside_fault(name, SAMPLERS))]
        parameters = ((name, _parameter_fault(name, value)) for name, value in self.parameters.items())
        faults += [(f"parameters.{name}", fault) for name, fault in parameters if fault]
        secrets = [f"{key}.{name}" for key in ("options", "parameters") for name in getattr(self, key) if _SECRET(name)]
        return [
            *faults,
            *((name, " would be stored with every run: put it where the client looks for it") for name in secrets),
        ]

    def absent_extras(self) -> list[Fault]:
        return [(field, fault) for field, name in self._classes() if (fault := _absent_package(name))]

    def _classes(self) -> list[tuple[str, str]]:
        """Field and dotted name of each class that the configuration names."""
        return [("sampler", self.sampler), *(("composites", name) for name in self.composites)]


# Parameters of samplers with a known meaning: a bad value is refused before anything runs.
KNOWN: dict[str, Any] = {
    "num_sweeps": Count,
    "num_sweeps_per_beta": Count,
    "num_restarts": Annotated[int, Bound(0)],
    "tenure": Annotated[int, Bound(0)],
    "timeout": Positive,
    "time_limit": Positive,
    "beta_range": tuple[Positive, ...],
    "annealing_time": Positive,
}
GIVEN = {
    "num_reads": "the model sets the number of reads",
    "seed": "it follows from the seed of the run",
    "initial_states": "the model sets the states where chains start",
}


_SECRET = re.compile("token|password|secret|api_?key|credential", re.IGNORECASE).search


def _absent_package(path: str) -> str | None:
    module = path.rpartition(".")[0]
    if is_installed(module):
        return None
    if path in SAMPLERS:
        return not_installed(f"={path}", module, "annealing")
    return f"={path} needs {module}, which is not installed: pip install the package that it belongs to"


def _parameter_fault(name: str, value: Any) -> str | None:
    if name in GIVEN:
        return f"={value!r} cannot be set: {GIVEN[name]}"
    if name not in KNOWN or value is None:
        return None
    if fault := fault_of(value, KNOWN[name]):
        return fault + (" (in milliseconds)" if name == "timeout" else "")
    if name == "beta_range" and not (len(value) == 2 and value[0] <= value[1]):
        return f"={value!r} is not [hottest, coldest], an ascending pair"
    return None


@dataclass(frozen=True, kw_only=True)
class Dynex(DeviceSpec):
    """An emulated Dynex: relaxes a problem many times, briefly, and returns only the best read. Every problem fits.

    Coefficients are scaled down to at most 9 and rounded to 1e-7. A read starts at random; in each of `annealing_time`
    steps every unit, in turn, takes its lower-energy state with probability `minimum_stepsize`. Their product is the
    mean number of updates of a unit in a read, 0.5 here and 0.4 in the tutorial (200 steps of 0.002), far from relaxed.
    These dynamics are an assumption, as the real ones are unpublished in detail, judged by one figure: on untrained
    weights N(0, 0.001), 784x300, the tutorial's device stopped at an energy of -3.0914, 46 % of the optimum. On a
    trained RBM, whose biases give random states a high energy, it stops far from the optimum too.

    Sources: the tutorial (14 Sep 2023); parameters, their limits and defaults are those of the Dynex SDK 1.4.7.
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.mock_dynex.DynexSampler"
    energy: ClassVar[str] = "none is published for a Dynex job, and a prediction needs none"

    annealing_time: Annotated[int, Bound(1, 10_000)]
    minimum_stepsize: Annotated[float, Bound(0, 1, above=True)]
    clones: Annotated[int, Bound(1, 128)]
    precision: Annotated[float, Bound(0, 1)]
    largest: Positive


@dataclass(frozen=True, kw_only=True)
class AnnealingQPU(DeviceSpec):
    """An emulated annealing chip: programs a problem with errors, and samples the result, p(s) ~ exp(-beta E(s)).

    The problem is scaled into the chip's ranges: multiplied by `prefactor`, then (auto_scale) divided by
    c = max(1, the largest factor by which a range is exceeded). In units of the model the inverse temperature is
    beta * prefactor / c. Errors act on units as if each were one qubit.

    With `faults=published`, as many qubits and couplers are missing as on the chip, at places drawn from
    `chip_seed`, and a problem is embedded around them by minorminer's busclique: from a table of some
    draws of each chip (`neurobench help chips`), for which a larger seed is taken modulo their number, or by a search
    when the device is opened (`embedding=live`).

    Sources of ranges, times and errors: D-Wave's QPU solver datasheet and "Error sources" pages (errors at the end of
    the anneal; spreads were measured on the 2X generation), h-scale and DAC figures included. beta = 6.35: D-Wave's
    example of sampling at unit temperature divides a model by 6.35 (Advantage2). Flux noise is drawn once per call:
    its slow part is the fixed offset, since a device keeps no random state. Reads from given states, and those of a
    tile, are programmed one by one but share the errors of one programming, drawn for each call and tile. offset_h,
    offset_j (half of the spreads) and chain_break are estimates; no figures are published.
    """

    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "neurobench.devices.sampler.mock_qpu.AnnealingChip"
    energy: ClassVar[Energy | str] = Energy(
        "D-Wave, in IEEE Spectrum, 'How much power will quantum computing need?', 2015: slightly less than 25 kW, "
        "refrigerator and servers included, and about that for generations to come; times the access time",
        power=25e3,
    )

    chip: ChipName
    chip_seed: Annotated[int, Bound(0, 2**31 - 1)]
    faults: Literal["none", "published"] = "none"
    embedding: Literal["table", "live"] = "table"
    too_big: Literal["error", "block"]
    rounds: Count
    annealing_time: Annotated[float, Bound(0.5, 2000)]  # us
    sweeps_per_us: Positive
    beta: Positive
    prefactor: Positive
    auto_scale: bool
    h_range: Range
    j_range: Range
    coupling_range: Range
    h_dac: tuple[Spread, ...]  # [at the lowest, at the highest value]
    j_dac: tuple[Spread, ...]
    sigma_h: Spread
    sigma_j: Spread
    offset_h: Spread
    offset_j: Spread
    flux: Spread
    h_scale_spread: Spread
    susceptibility: Annotated[float, Bound(-1, 0)]  # chi: a field leaks to its neighbours as chi J h
    chain_break: Probability
    repair: Literal["majority_vote", "weighted_random", "minimize_energy", "discard"]
    readout: Probability
    programming_time: Microseconds
    readout_time: Microseconds  # per read, as the next; D-Wave's are 17 to 235, depending on the number of qubits
    delay_time: Microseconds

    def conflicts(self) -> list[Fault]:
        faults = []
        for name in ("h_range", "j_range", "coupling_range", "h_dac", "j_dac"):
            value = list(getattr(self, name))
            if name.endswith("_dac") and len(value) != 2:
                faults.append((name, f"={value} is not [at the lowest, at the highest value]"))
            elif name.endswith("_dac") and 0 in value and any(value):
                faults.append((name, f"={value} has no rounding at one end only: set both to 0, or neither"))
            elif name.endswith("_range") and not (len(value) == 2 and value[0] < 0 < value[1]):
                faults.append((name, f"={value} is not [lowest, highest] with 0 between them"))
        if self.faults == "none" and self.embedding == "live":
            faults.append(("embedding", "=live finds a way around faults, and faults=none has none: set it to table"))
        elif self.embedding == "live" and not is_installed("minorminer"):
            faults.append(("embedding", not_installed("=live", "minorminer", "embedding")))
        return faults

    @property
    def sweeps(self) -> int:
        return max(1, round(self.annealing_time * self.sweeps_per_us))

    @property
    def graph(self) -> Chip | FaultyChip:
        """The chip that problems are embedded in, with or without faults."""
        if self.faults == "none":
            return CHIPS[self.chip]
        if self.embedding == "table":
            return tabulated(self.chip, draw_of(self.chip, self.chip_seed))
        return embedded(self.chip, self.chip_seed)

    def refuse(self, demand: Demand) -> str | None:
        """Reason why an RBM is too large or needs too many reads, or None; too_big=block samples it in tiles."""
        for name in ("chains", "num_reads"):
            if (reads := demand.settings.get(name, 0)) > MOST_READS:
                return f"model.{name}={reads} is more than the {MOST_READS:,} reads of a call: set {MOST_READS}."
        misfit = self.graph.misfit(*demand.layers)
        if misfit is None or self.too_big == "block":
            return None
        return (
            f"{misfit}. Set backend.sampler.too_big=block to sample tiles that fit one after another, or make the "
            f"model smaller: {self._smaller()}."
        )

    def _smaller(self) -> str:
        """Suggest an RBM on square images that fits, with at least half as many hidden units as pixels."""
        sizes = ((side, hidden) for side in range(13, 0, -1) for hidden in (128, 100, 64, 48, 32, 24, 16, 8, 4, 2, 1))
        side, hidden = next(
            (side, hidden)
            for side, hidden in sizes
            if 2 * hidden >= side * side and self.graph.misfit(side * side, hidden) is None
        )
        return (
            f"{side}x{side} = {side * side} pixels and {hidden} hidden units fit "
            f"(model.downsample={side} model.n_hidden={hidden})"
        )
