"""Gibbs samplers in software: at one temperature, and annealed. Both are ideal: `seed`, the identity of an
emulated chip, has no effect."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from dimod import BinaryQuadraticModel, Sampler, SampleSet
from torch import Tensor

from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.specs import Annealer, BlockGibbs
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import anneal_layers, anneal_units, coins, conditional, conditional_down
from neurobench.live import JobMonitor
from neurobench.problems.bqm import sampleset, units_of_bqm
from neurobench.problems.rbm import RBM, energy


class GibbsSampler(Sampler):
    """Block Gibbs sampler, see BlockGibbs. Models other than RBMs are updated one colour at a time."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {"num_reads": [], "seed": [], "sweeps": []}

    def __init__(self, spec: BlockGibbs, seed: int, device: torch.device):
        self.spec = spec

    def __repr__(self) -> str:
        return f"GibbsSampler({self.spec})"  # dimod's contract tests are named after it

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Draw h ~ p(h|v), v ~ p(v|h), `sweeps` times; with `initial_hidden`, which is the first h, `steps` times."""
        check_call(num_reads, seed, initial_hidden)
        W, beta = rbm.W, self.spec.beta
        if initial_hidden is None:
            sweeps = self.spec.sweeps
            v = coins(derive(seed, 0), (num_reads, len(rbm.a)), rbm.a.device)
            h = conditional(v, W, rbm.b, derive(seed, 1), beta).state
        else:
            sweeps, h = self.spec.steps, initial_hidden
        v = conditional_down(h, W, rbm.a, derive(seed, 2), beta, probabilities=False).state
        monitor = JobMonitor(num_reads, sweeps)
        for sweep in range(1, sweeps):
            monitor.at(0, sweep, partial(_lowest, rbm, v, h))
            h = conditional(v, W, rbm.b, derive(seed, 1, sweep), beta).state
            v = conditional_down(h, W, rbm.a, derive(seed, 2, sweep), beta, probabilities=False).state
        monitor.at(num_reads, sweeps, partial(_lowest, rbm, v, h))
        return Reads(v, h, {"reads": float(num_reads), "sweeps": float(sweeps * num_reads)})

    def sample(self, bqm: BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any) -> SampleSet:
        """Draw `num_reads` states of any binary quadratic model. `sweeps` overrides the spec's."""
        sweeps = kwargs.pop("sweeps", None)
        self.remove_unknown_kwargs(**kwargs)
        sweeps = self.spec.sweeps if sweeps is None else sweeps
        check_call(num_reads, seed)
        if sweeps < 1:
            raise ValueError(f"sweeps={sweeps} is not at least 1")
        problem = units_of_bqm(bqm)
        x = coins(derive(seed, 0), (num_reads, len(problem.bias)))
        blocks = [(units, problem.coupling[:, units].contiguous(), problem.bias[units]) for units in colours(bqm)]
        for sweep in range(sweeps):
            for colour, (units, weights, bias) in enumerate(blocks):  # p(x_i = 1) = s(beta (bias_i + sum_j C_ij x_j))
                x[:, units] = conditional(x, weights, bias, derive(seed, 1, sweep, colour), self.spec.beta).state
        return sampleset(x, bqm)


class AnnealingSampler(Sampler):
    """Annealing sampler, see Annealer. RBMs are annealed a layer at a time, other models a unit at a time."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {"num_reads": [], "seed": []}

    def __init__(self, spec: Annealer, seed: int, device: torch.device):
        cooling = np.geomspace(spec.beta_start, spec.beta_end, spec.sweeps)
        self.schedule = [*cooling.tolist(), *[np.inf] * spec.descents]

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Draw low-energy states; with `initial_hidden`, v ~ p(v|h) alone."""
        check_call(num_reads, seed, initial_hidden)
        betas = self.schedule if initial_hidden is None else [1.0]
        v, h = (coins(derive(seed, i), (num_reads, rbm.W.shape[i]), rbm.W.device) for i in range(2))
        h = h if initial_hidden is None else initial_hidden
        monitor = JobMonitor(num_reads, len(betas))
        monitor.at(0, 0, partial(_lowest, rbm, v, h))
        v, h = anneal_layers(rbm, betas, derive(seed, 2), v, h, initial_hidden is not None)
        monitor.at(num_reads, len(betas), partial(_lowest, rbm, v, h))
        return Reads(v, h, {"reads": float(num_reads), "sweeps": float(len(betas) * num_reads)})

    def sample(self, bqm: BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any) -> SampleSet:
        """Draw low-energy states of any binary quadratic model."""
        self.remove_unknown_kwargs(**kwargs)
        check_call(num_reads, seed)
        problem = units_of_bqm(bqm)
        x = coins(derive(seed, 0), (num_reads, len(problem.bias)))
        return sampleset(anneal_units(problem, self.schedule, derive(seed, 1), x), bqm)


def _lowest(rbm: RBM, v: Tensor, h: Tensor) -> float:
    return float(energy(rbm, v, h).min())


def colours(bqm: BinaryQuadraticModel) -> list[Tensor]:
    """Classes of units without couplings among them, which can be updated together: the smallest free colour, breadth
    first. In two layers every neighbour coloured before lies one step nearer to the start, so they take two colours."""
    place = {variable: n for n, variable in enumerate(bqm.variables)}
    colour: dict[int, int] = {}
    for start in bqm.variables:
        queue = deque([start])
        while queue:
            unit = queue.popleft()
            if place[unit] in colour:
                continue
            neighbours = list(bqm.adj[unit])
            taken = {colour.get(place[other]) for other in neighbours}
            colour[place[unit]] = next(c for c in range(len(taken) + 1) if c not in taken)
            queue.extend(other for other in neighbours if place[other] not in colour)
    used = range(max(colour.values(), default=-1) + 1)
    return [torch.tensor([unit for unit in sorted(colour) if colour[unit] == c]) for c in used]
