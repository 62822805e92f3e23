"""What comes back from a read: chains that broke, their repair, and units that are read wrongly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.kernels.random import derive, uniforms
from neurobench.problems.qubo import Units


class Breaks(NamedTuple):
    """Of every unit in every read."""

    broken: Tensor  # (R, N) bool
    share: Tensor  # (R, N) of the chain's qubits that still hold the unit's value; 1 where it is whole


def broken_chains(shape: tuple[int, int], chain_length: int, probability: float, seed: int) -> Breaks:
    """A chain breaks at one place, all places alike: k of L qubits keep the unit's value, the others oppose it."""
    if chain_length < 2 or probability == 0:
        return Breaks(torch.zeros(shape, dtype=torch.bool), torch.ones(shape))
    broken = uniforms(derive(seed, 0), shape) < probability
    kept = 1 + torch.floor(uniforms(derive(seed, 1), shape) * (chain_length - 1))
    return Breaks(broken, torch.where(broken, kept / chain_length, 1.0))


def majority_vote(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """The value of most qubits; a coin where they are even."""
    coin = uniforms(seed, tuple(x.shape)) < 0.5
    opposed = (breaks.share < 0.5) | ((breaks.share == 0.5) & coin)
    return torch.where(opposed, 1 - x, x)


def weighted_random(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """The value of one of the qubits, drawn."""
    return torch.where(uniforms(seed, tuple(x.shape)) >= breaks.share, 1 - x, x)


def minimize_energy(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """Unit by unit whatever lowers the energy of the problem as it was handed in, given the others."""
    x = x.clone()
    bias = problem.bias.expand(x.shape)
    for i in torch.nonzero(breaks.broken.any(0)).flatten():
        field = bias[:, i] + x @ problem.coupling[i]
        x[:, i] = torch.where(breaks.broken[:, i], (field > 0).float(), x[:, i])
    return x


REPAIRS = {
    "majority_vote": majority_vote,
    "weighted_random": weighted_random,
    "minimize_energy": minimize_energy,
}


def misread(x: Tensor, probability: float, seed: int) -> Tensor:
    """Each unit flips with this probability."""
    return torch.where(uniforms(seed, tuple(x.shape)) < probability, 1 - x, x)
