"""A software sampler: block Gibbs, the device."""

from __future__ import annotations

from typing import Any, ClassVar

import dimod
import torch
from torch import Tensor

from neurobench.devices.sampler.chromatic import sweep_bqm
from neurobench.devices.sampler.gibbs import BlockGibbs
from neurobench.devices.sampler.protocol import Reads
from neurobench.kernels.random import derive, uniforms
from neurobench.kernels.rbm.layers import conditional, transposed
from neurobench.problems.rbm import RBM


class GibbsDevice(dimod.Sampler):
    """Block Gibbs on a machine's two layers, and the same on any model's classes of units that do not touch."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {"num_reads": [], "seed": [], "sweeps": []}

    def __init__(self, recipe: BlockGibbs, device: torch.device):
        self.recipe, self.device = recipe, device

    def __repr__(self) -> str:
        return f"GibbsDevice({self.recipe})"

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """h ~ p(h|v), v ~ p(v|h), `sweeps` times; with `initial_hidden` the first of them is that h."""
        _at_least_one(num_reads=num_reads)
        if initial_hidden is not None and len(initial_hidden) != num_reads:
            raise ValueError(f"num_reads={num_reads}, but initial_hidden holds {len(initial_hidden)} chains")
        upward, downward, beta = rbm.W, transposed(rbm.W), self.recipe.beta
        if initial_hidden is None:
            sweeps = self.recipe.sweeps
            v = (uniforms(derive(seed, 0), (num_reads, len(rbm.a)), rbm.a.device) < 0.5).float()
            h = conditional(v, upward, rbm.b, derive(seed, 1), beta).state
        else:
            sweeps, h = self.recipe.steps, initial_hidden
        v = conditional(h, downward, rbm.a, derive(seed, 2), beta).state
        for sweep in range(1, sweeps):
            h = conditional(v, upward, rbm.b, derive(seed, 1, sweep), beta).state
            v = conditional(h, downward, rbm.a, derive(seed, 2, sweep), beta).state
        return Reads(v, h, {"reads": float(num_reads), "sweeps": float(sweeps)})

    def sample(
        self,
        bqm: dimod.BinaryQuadraticModel,
        num_reads: int = 1,
        seed: int = 0,
        sweeps: int | None = None,
        **kwargs: Any,
    ) -> dimod.SampleSet:
        """`num_reads` states of any binary quadratic model; energies are those of the model as it was handed in."""
        kwargs = self.remove_unknown_kwargs(**kwargs)
        sweeps = self.recipe.sweeps if sweeps is None else sweeps
        _at_least_one(num_reads=num_reads, sweeps=sweeps)
        states = sweep_bqm(bqm.change_vartype(dimod.BINARY, inplace=False), num_reads, seed, sweeps, self.recipe.beta)
        if bqm.vartype is dimod.SPIN:
            states = 2 * states - 1
        return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm)


def _at_least_one(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}={number} is not at least 1")
