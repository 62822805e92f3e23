"""Any sampler that speaks dimod: simulated annealing, tabu search, a real annealer."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, NoReturn

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError, did_you_mean
from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.specs import DimodSampler
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import conditional, transposed
from neurobench.problems.bqm import to_bqm
from neurobench.problems.rbm import RBM

SEED_BITS = 31  # every sampler takes so many


class WrappedSampler(dimod.Sampler):
    """See DimodSampler. `seed`, the identity of an emulated chip, makes no difference."""

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

    @property
    def properties(self) -> dict[str, Any]:
        return self.inner.properties

    @property
    def parameters(self) -> dict[str, Any]:
        return self.inner.parameters

    def sample(self, bqm: dimod.BinaryQuadraticModel, **kwargs: Any) -> dimod.SampleSet:
        """As the wrapped sampler does, with the parameters of the spec where the call sets no others."""
        return self.inner.sample(bqm, **{**self.spec.parameters, **kwargs})

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Where the sampler returns fewer states than `num_reads`, they are repeated in turn.

        Chains with given hidden states start there and at v ~ p(v|h).
        """
        check_call(num_reads, seed, initial_hidden)
        visible, hidden = rbm.W.shape
        given = {"num_reads": num_reads, "seed": derive(seed, 0) % 2**SEED_BITS}
        call: dict[str, Any] = {name: value for name, value in given.items() if name in self.parameters}
        if initial_hidden is not None:
            call |= self._start(rbm, initial_hidden, derive(seed, 1))
        if "seed" not in self.parameters:
            unseeded = f"{self.spec.sampler} takes no seed: another run of this configuration gives other states"
            warnings.warn(unseeded, stacklevel=2)
        states = checked_states(self.sample(to_bqm(rbm), **call), visible + hidden, self.spec.sampler)
        x = torch.from_numpy(np.resize(states, (num_reads, visible + hidden)).astype(np.float32)).to(rbm.W.device)
        return Reads(x[:, :visible], x[:, visible:], {"reads": float(num_reads)}, {"answered": float(len(states))})

    def _start(self, rbm: RBM, h: Tensor, seed: int) -> dict[str, Any]:
        if "initial_states" not in self.parameters:
            raise UserError(
                f"{self.spec.sampler} takes no initial_states, so it cannot go on from given states, which "
                "negative=cd and negative=pcd ask for. Set model.negative=device."
            )
        v = conditional(h, transposed(rbm.W), rbm.a, seed).state
        x = torch.cat([v, h], dim=1).cpu().numpy().astype(np.int8)
        return {"initial_states": (x, list(range(x.shape[1]))), "initial_states_generator": "none"}


def checked_states(answer: Any, n: int, sampler: str) -> np.ndarray:
    """(rows, n) in {0, 1}, each row as often as it occurred, of what a sampler returned. Spins are converted; whatever
    else is not such a table raises UserError with the sampler's name."""

    def refuse(fault: str) -> NoReturn:
        raise UserError(f"{sampler} answered {fault}. What it returned is not used; try another sampler.")

    if not isinstance(answer, dimod.SampleSet):
        refuse(f"with a {type(answer).__name__}, not with a dimod.SampleSet")
    record = answer.record
    if not len(record):
        refuse("with no sample at all")
    if missing := set(range(n)) - set(answer.variables):
        refuse(f"without {len(missing)} of {n} variables (first: {min(missing)})")
    if not np.isfinite(record.energy).all():
        refuse("with an energy that is no finite number")
    if (record.num_occurrences < 1).any():
        refuse("with a sample that occurred less than once")
    states = record.sample[:, [answer.variables.index(k) for k in range(n)]]
    values = {*np.unique(states).tolist()}
    if values <= {-1, 1} and answer.vartype is dimod.SPIN:
        states = (states + 1) // 2
    elif not values <= {0, 1}:
        refuse(f"with values {', '.join(map(str, sorted(values)[:5]))}, where there are 0 and 1")
    return np.repeat(states, record.num_occurrences, axis=0)


def _class(path: str) -> Any:
    package, _, name = path.rpartition(".")
    module = importlib.import_module(package)
    if not hasattr(module, name):
        known = [key for key in vars(module) if not key.startswith("_")]
        raise UserError(f"{path}: there is no {name} in {package}.{did_you_mean(name, known)}")
    return getattr(module, name)
