"""A software annealer."""

from __future__ import annotations

from typing import Any, ClassVar

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.devices.sampler import walks
from neurobench.devices.sampler.protocol import Reads
from neurobench.devices.sampler.specs import Annealer
from neurobench.kernels.random import derive
from neurobench.problems.qubo import sampleset, units_of_bqm
from neurobench.problems.rbm import RBM


class AnnealingSampler(dimod.Sampler):
    """See Annealer: a machine is annealed a layer at a time, any other model a unit at a time. `seed`, the identity of
    an emulated chip, makes no difference."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {"num_reads": [], "seed": []}

    def __init__(self, spec: Annealer, seed: int, device: torch.device):
        cooling = np.geomspace(spec.beta_start, spec.beta_end, spec.sweeps)
        self.schedule = [*cooling.tolist(), *[np.inf] * spec.descents]

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Low-energy states; from `initial_hidden` v ~ p(v|h) alone."""
        walks.check_call(num_reads, seed, initial_hidden)
        betas = self.schedule if initial_hidden is None else [1.0]
        v = walks.coins(derive(seed, 0), (num_reads, rbm.W.shape[0]), rbm.W.device)
        h = walks.coins(derive(seed, 1), (num_reads, rbm.W.shape[1]), rbm.W.device)
        h = h if initial_hidden is None else initial_hidden
        v, h = walks.layers(rbm, betas, derive(seed, 2), v, h, hidden_given=initial_hidden is not None)
        return Reads(v, h, {"reads": float(num_reads), "sweeps": float(len(betas) * num_reads)})

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any
    ) -> dimod.SampleSet:
        """Low-energy states of any binary quadratic model; energies are those of the model as it was handed in."""
        self.remove_unknown_kwargs(**kwargs)
        walks.check_call(num_reads, seed)
        problem = units_of_bqm(bqm)
        x = walks.coins(derive(seed, 0), (num_reads, len(problem.bias)))
        return sampleset(walks.units(problem, self.schedule, derive(seed, 1), x), bqm)
