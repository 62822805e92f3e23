"""Sampler on a D-Wave machine or its mock, through dwave-system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra
from neurobench.devices.jobs import Jobs, Limits
from neurobench.devices.sampler.busclique import Embedding, Search
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.sampler.dwave_secrets import cleaned
from neurobench.devices.sampler.dwave_spec import MOCK, DWave
from neurobench.devices.sampler.embeddings import draw_of
from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.sampleset import checked_states, spread
from neurobench.devices.sampler.working_graph import working_graph
from neurobench.kernels.random import derive
from neurobench.phases import phase
from neurobench.problems.bqm import sampleset, to_bqm
from neurobench.problems.rbm import RBM
from neurobench.storage.journal import Journal


class DWaveDevice(dimod.Sampler):
    """A D-Wave machine or its mock as a sampler, see DWave."""

    def __init__(self, spec: DWave, seed: int, device: torch.device, jobs: Jobs | None = None):
        """Open the sampler. `jobs`: the run's jobs under way at a machine; without it they are not stored."""
        self.spec, self.name = spec, f"D-Wave's {spec.solver}"
        self.system = import_extra("dwave.system", "dwave", "backend=dwave")
        with _named(self.name):
            self.solver = _mock(spec) if spec.solver == MOCK else _machine(spec, jobs or Jobs(Journal(None)))
        self.machine: Mapping[str, str] | None = None
        self.irreproducible: str | None = None
        if spec.solver != MOCK:
            self.name, self.machine = self.solver.name, self.solver.identity
            self.irreproducible = f"{self.name} takes no seed"
        self.embeddings: dict[tuple[int, ...], Embedding] = {}

    @property
    def properties(self) -> dict[str, Any]:
        return self.solver.properties

    @property
    def parameters(self) -> dict[str, Any]:
        return {"num_reads": ["num_reads_range"], **({"seed": []} if self.spec.solver == MOCK else {})}

    def sample(self, bqm: dimod.BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any) -> Any:
        """Sample any model, embedded as if its variables were fully connected."""
        self.remove_unknown_kwargs(**kwargs)
        check_call(num_reads, seed)
        order = list(bqm.variables)
        if not order:
            return sampleset(torch.zeros(num_reads, 0), bqm)
        problem = bqm.relabel_variables({name: k for k, name in enumerate(order)}, inplace=False)
        problem.change_vartype("SPIN", inplace=True)
        states, _ = self._ask(problem, (len(order),), num_reads, seed)
        return sampleset(torch.from_numpy(states.astype("float32")), bqm)

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Sample an RBM, multiplied by `prefactor` and sent as an Ising model; the answer is checked and brought to
        `num_reads` rows."""
        check_call(num_reads, seed, initial_hidden)
        if initial_hidden is not None:
            raise UserError(
                f"{self.name} reprograms the QPU for every given state, which negative=cd and negative=pcd need "
                "at each update: minutes of its time for each second here. Set model.negative=device."
            )
        visible, hidden = rbm.W.shape
        cost = {"reads": float(num_reads), "programmings": 1.0}
        problem = to_bqm(rbm).change_vartype("SPIN", inplace=False)
        problem.scale(self.spec.prefactor)
        states, answer = self._ask(problem, (visible, hidden), num_reads, derive(seed, 0))
        x = torch.from_numpy(spread(states, num_reads).astype("float32")).to(rbm.W.device)
        if self.spec.solver != MOCK and "qpu_access_time" in answer.info["timing"]:  # the mock's times are made up
            cost["device_seconds"] = float(answer.info["timing"]["qpu_access_time"]) * 1e-6
        breaks = answer.record.chain_break_fraction.mean() if "chain_break_fraction" in answer.record.dtype.names else 0
        return Reads(x[:, :visible], x[:, visible:], cost, {"chain_breaks": float(breaks)})

    def _ask(
        self, problem: dimod.BinaryQuadraticModel, sizes: tuple[int, ...], num_reads: int, seed: int
    ) -> tuple[np.ndarray, dimod.SampleSet]:
        """Sample a model in spins 0..N-1. Returns states (rows, N) in {0, 1}, and the answer that contains them."""
        from dwave.embedding import MinimizeEnergy, chain_breaks, embed_bqm
        from dwave.embedding.chain_strength import uniform_torque_compensation

        spec, embedding = self.spec, self._embedding(sizes)
        strength = uniform_torque_compensation(problem, embedding, prefactor=spec.chain_strength)
        target = embed_bqm(problem, embedding, self.solver.adjacency, chain_strength=strength)
        c = self._scale(target)
        scaled = problem.copy()
        scaled.scale(1 / c)
        words = {"draw": seed}
        if spec.solver == MOCK:
            self.solver.substitute_kwargs, words = {"seed": seed % 2**31}, {}
        energy = spec.repair == "minimize_energy"
        with _named(self.name):
            answer = self.system.FixedEmbeddingComposite(self.solver, embedding).sample(
                scaled,
                num_reads=num_reads,
                annealing_time=spec.annealing_time,
                auto_scale=False,
                chain_strength=strength / c,
                chain_break_method=MinimizeEnergy(scaled, embedding) if energy else getattr(chain_breaks, spec.repair),
                **words,
            )
        if spec.repair == "discard" and not len(answer):
            raise UserError(
                f"repair=discard: none of {num_reads} reads of {self.name} came back with all {len(problem)} chains "
                "unbroken. Set backend.sampler.repair=majority_vote, or a larger chain_strength."
            )
        return checked_states(answer, len(problem), self.name, scaled), answer

    def _scale(self, target: dimod.BinaryQuadraticModel) -> float:
        """Divisor, at least 1, that brings the embedded problem into the solver's ranges. Raises UserError if it
        exceeds them and auto_scale is off."""
        spans, (h, (row, column, J), _) = self.properties, target.to_numpy_vectors(sorted(target.variables))
        coupling = np.zeros(len(h))
        np.add.at(coupling, row, J)
        np.add.at(coupling, column, J)
        j_range = "extended_j_range" if "extended_j_range" in spans else "j_range"
        parts = {"h_range": h, j_range: J, "per_qubit_coupling_range": coupling}
        excess = {
            name: max(float((part / bound).max()) for bound in spans[name])
            for name, part in parts.items()
            if name in spans and part.size
        }
        name, over = max(excess.items(), key=lambda item: item[1], default=("", 0.0))
        if over > 1 and not self.spec.auto_scale:
            raise UserError(
                f"the embedded problem exceeds {name}={spans[name]} of {self.name} {over:.4g} times and auto_scale is "
                "off: set backend.sampler.auto_scale=true, or a smaller prefactor or chain_strength."
            )
        return max(1.0, over)

    def _embedding(self, sizes: tuple[int, ...]) -> Embedding:
        """Embedding of one clique or of two layers of these sizes. Raises UserError if the search fails."""
        if sizes not in self.embeddings:
            with phase(f"embedding on {self.name}"):
                embedding = self.search.clique(*sizes) if len(sizes) == 1 else self.search.two_layers(*sizes)
            self.embeddings[sizes] = embedding
        if not self.embeddings[sizes]:
            units = "x".join(map(str, sizes))
            raise UserError(f"{units} units do not fit on {self.name}, according to busclique: make the model smaller.")
        return self.embeddings[sizes]

    @cached_property
    def search(self) -> Search:
        topology = self.solver.properties["topology"]
        return Search(
            self.solver.to_networkx_graph(), self.system.qpu_graph(topology["type"], topology["shape"], None, None)
        )


def _mock(spec: DWave) -> Any:
    """MockDWaveSampler with the working graph of a chip."""
    from dwave.system.testing import MockDWaveSampler

    graph = working_graph(CHIPS[spec.chip], draw_of(spec.chip, spec.chip_seed))
    family, size = CHIPS[spec.chip].shape
    shape = {"pegasus": [size], "zephyr": [size, 4], "chimera": [size, size, 4]}[family]
    return MockDWaveSampler(
        sorted(graph.nodes),
        sorted(tuple(sorted(edge)) for edge in graph.edges),
        topology_type=family,
        topology_shape=shape,
        parameter_warnings=False,
    )


def _machine(spec: DWave, jobs: Jobs) -> Any:
    from neurobench.devices.sampler.dwave_machine import open_machine  # imported here: needs the extra

    return open_machine(spec.solver, jobs, Limits(spec.max_shots, spec.max_seconds))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Context manager: errors are reported without possible credentials, those of the vendor's software with the
    sampler's name; their causes are left out for the same reason."""
    try:
        yield
    except UserError as error:
        error.args = (cleaned(str(error)),)
        raise
    except Exception as error:
        raise UserError(
            f"{name}: {type(error).__name__}: {cleaned(str(error))}. Its account is set up with `dwave config "
            "create` and tried with `dwave ping`; backend.sampler.solver=mock needs none."
        ) from None  # the log contains this error's traceback alone
