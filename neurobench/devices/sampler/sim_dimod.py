"""Wrapper for any sampler with dimod's interface: simulated annealing, tabu search, a real annealer."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError, did_you_mean
from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.sampleset import checked_states, spread
from neurobench.devices.sampler.specs import DimodSampler
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import conditional_down
from neurobench.problems.bqm import to_bqm
from neurobench.problems.rbm import RBM

SEED_BITS = 31  # supported by every sampler


class WrappedSampler(dimod.Sampler):
    """Wrapped sampler, see DimodSampler. `seed`, the identity of an emulated chip, has no effect."""

    def __init__(self, spec: DimodSampler, seed: int, device: torch.device):
        self.spec = spec
        inner: Any = _class(spec.sampler)(**spec.options)
        for name in spec.composites:
            inner = _class(name)(inner)
        if not isinstance(inner, dimod.Sampler):
            raise UserError(f"{spec.sampler} is not a dimod.Sampler: it cannot serve as a sampler.")
        self.inner = inner
        known = sorted(inner.parameters)
        if unknown := [name for name in spec.parameters if name not in known]:
            guess = did_you_mean(unknown[0], known)
            raise UserError(f"{spec.sampler} has no parameter {unknown[0]}; it has {', '.join(known)}.{guess}")
        unseeded = f"{spec.sampler} takes no seed: another run of this configuration gives other states"
        self.irreproducible = None if "seed" in known else unseeded

    @property
    def properties(self) -> dict[str, Any]:
        return self.inner.properties

    @property
    def parameters(self) -> dict[str, Any]:
        return self.inner.parameters

    def sample(self, bqm: dimod.BinaryQuadraticModel, **kwargs: Any) -> dimod.SampleSet:
        """Call the wrapped sampler, with the parameters of the spec as defaults."""
        return self.inner.sample(bqm, **{**self.spec.parameters, **kwargs})

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Sample an RBM. If the sampler returns fewer states than `num_reads`, they are repeated in turn.

        Chains with given hidden states start at these and at v ~ p(v|h).
        """
        check_call(num_reads, seed, initial_hidden)
        visible, hidden = rbm.W.shape
        given = {"num_reads": num_reads, "seed": derive(seed, 0) % 2**SEED_BITS}
        call: dict[str, Any] = {name: value for name, value in given.items() if name in self.parameters}
        if initial_hidden is not None:
            call |= self._start(rbm, initial_hidden, derive(seed, 1))
        if self.irreproducible:
            warnings.warn(self.irreproducible, stacklevel=2)
        problem = to_bqm(rbm)
        states = checked_states(self.sample(problem, **call), visible + hidden, self.spec.sampler, problem)
        x = torch.from_numpy(spread(states, num_reads).astype(np.float32)).to(rbm.W.device)
        return Reads(x[:, :visible], x[:, visible:], {"reads": float(num_reads)}, {"answered": float(len(states))})

    def _start(self, rbm: RBM, h: Tensor, seed: int) -> dict[str, Any]:
        if "initial_states" not in self.parameters:
            raise UserError(
                f"{self.spec.sampler} takes no initial_states, so it cannot start from given states, which "
                "negative=cd and negative=pcd need. Set model.negative=device."
            )
        v = conditional_down(h, rbm.W, rbm.a, seed).state
        x = torch.cat([v, h], dim=1).cpu().numpy().astype(np.int8)
        return {"initial_states": (x, list(range(x.shape[1]))), "initial_states_generator": "none"}


def _class(path: str) -> Any:
    package, _, name = path.rpartition(".")
    module = importlib.import_module(package)
    if not hasattr(module, name):
        known = [key for key in vars(module) if not key.startswith("_")]
        raise UserError(f"{path}: there is no {name} in {package}.{did_you_mean(name, known)}")
    return getattr(module, name)
