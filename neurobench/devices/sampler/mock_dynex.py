"""An emulated Dynex device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from dimod import BinaryQuadraticModel, Sampler, SampleSet
from torch import Tensor

from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.specs import Dynex
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import anneal_units, coins, conditional_down
from neurobench.live import JobMonitor, watched
from neurobench.problems.bqm import Units, energies, sampleset, units_of_bqm, units_of_rbm
from neurobench.problems.rbm import RBM

_START, _WALK, _CLONE = range(3)  # purposes of a draw
LOOKED_AT = 50  # reads relaxed between two updates of the live view of a job
_SET_BY_CALL = ("annealing_time", "minimum_stepsize", "clones")


class DynexSampler(Sampler):
    """Emulated Dynex device, see Dynex. All are alike: `seed`, the identity of an emulated chip, has no effect."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {name: [] for name in ("num_reads", "seed", *_SET_BY_CALL)}

    def __init__(self, spec: Dynex, seed: int, device: torch.device):
        self.spec = spec

    def sample(self, bqm: BinaryQuadraticModel, num_reads: int = 32, seed: int = 0, **kwargs: Any) -> SampleSet:
        """Return one row, the best of all reads. `annealing_time`, `minimum_stepsize`, `clones` override the
        spec's."""
        given = {name: kwargs.pop(name) for name in _SET_BY_CALL if name in kwargs}
        self.remove_unknown_kwargs(**kwargs)
        check_call(num_reads, seed)
        spec = replace(self.spec, **{name: value for name, value in given.items() if value is not None})
        return sampleset(_best(spec, quantized(spec, units_of_bqm(bqm)), num_reads, seed), bqm)

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Run one job, whose best read is the state of all `num_reads` rows.

        With `initial_hidden` each row is a separate job, whose reads (one, and one for each further clone) relax from
        there and v ~ p(v|h): one job for all would give all chains of a learner the same state.
        """
        check_call(num_reads, seed, initial_hidden)
        device, visible = rbm.W.device, len(rbm.W)
        rbm = RBM(*(part.cpu() for part in rbm))
        problem = quantized(self.spec, units_of_rbm(rbm))
        if initial_hidden is None:
            x = _best(self.spec, problem, num_reads, seed).expand(num_reads, -1)
            reads, jobs = num_reads * self.spec.clones, 1
        else:
            h = initial_hidden.cpu()
            v = conditional_down(h, rbm.W, rbm.a, derive(seed, _START)).state
            x = _best_of_clones(self.spec, problem, torch.cat([v, h], dim=1), seed)
            reads, jobs = num_reads * self.spec.clones, num_reads
        x = x.to(device)
        cost = {"reads": float(reads), "jobs": float(jobs), "sweeps": float(self.spec.annealing_time * reads)}
        return Reads(x[:, :visible].contiguous(), x[:, visible:].contiguous(), cost)


def quantized(spec: Dynex, problem: Units) -> Units:
    """Problem as the device stores it: scaled down to the device's largest coefficient, rounded to its precision."""
    most = max((float(part.abs().max()) for part in problem if part.numel()), default=0.0)
    scale = max(1.0, most / spec.largest)
    if spec.precision == 0:
        return Units(*(part / scale for part in problem))
    rounded = ((part.double() / scale / spec.precision).round() * spec.precision for part in problem)
    return Units(*(part.float() for part in rounded))


def _best(spec: Dynex, problem: Units, num_reads: int, seed: int) -> Tensor:
    """Read with the lowest energy in the device's problem.   -> (1, N)"""
    best, lowest = torch.zeros(1, len(problem.bias)), np.inf
    monitor = JobMonitor(num_reads * spec.clones, spec.annealing_time)
    for clone in range(spec.clones):
        for block, begin in enumerate(range(0, num_reads, 1000)):  # the states of all reads need not fit in memory
            rows = min(1000, num_reads - begin)
            draw = derive(seed, clone, block)
            x = _block(spec, problem, rows, draw, partial(monitor.ended, clone * num_reads + begin))
            energy = energies(problem, x)
            n = int(energy.argmin())
            if float(energy[n]) < lowest:
                best, lowest = x[n : n + 1], float(energy[n])
    return best


def _best_of_clones(spec: Dynex, problem: Units, start: Tensor, seed: int) -> Tensor:
    """For each row of `start`, the read of lowest energy among those of all clones.   -> (R, N)"""
    best = _relaxed(spec, problem, start, seed)
    for clone in range(1, spec.clones):
        x = _relaxed(spec, problem, start, derive(seed, _CLONE, clone))
        lower = energies(problem, x) < energies(problem, best)
        best = torch.where(lower[:, None], x, best)
    return best


def _block(
    spec: Dynex, problem: Units, rows: int, seed: int, ended: Callable[[int, Callable[[], float]], None]
) -> Tensor:
    """States of a block's reads, computed a few at a time if the job is watched, which changes none of them."""
    start, size = coins(derive(seed, _START), (rows, len(problem.bias))), LOOKED_AT if watched() else rows
    parts = []
    for first in range(0, rows, size):
        x = _relaxed(spec, problem, start[first : first + size], seed, first)
        parts.append(x)
        ended(first + len(x), partial(_lowest, problem, x))
    return torch.cat(parts)


def _lowest(problem: Units, x: Tensor) -> float:
    return float(energies(problem, x).min())


def _relaxed(spec: Dynex, problem: Units, x: Tensor, seed: int, first: int = 0) -> Tensor:
    """Relax for `annealing_time` steps, in each of which a unit is updated with probability `minimum_stepsize`.
    `first`: number of the first read."""
    schedule = [np.inf] * spec.annealing_time
    return anneal_units(problem, schedule, derive(seed, _WALK), x, spec.minimum_stepsize, first)
