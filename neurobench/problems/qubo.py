"""One problem in the three forms that annealers use: a two-layered machine, units in {0, 1}, spins in {-1, 1}."""

from __future__ import annotations

from typing import NamedTuple

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.problems.rbm import RBM


class Units(NamedTuple):
    """E(x) = -bias.x - x'Cx / 2 over x in {0, 1}^N."""

    coupling: Tensor  # (N, N) float32, C: symmetric with an empty diagonal
    bias: Tensor  # (N,) float32, or (R, N) where every read has its own


class Ising(NamedTuple):
    """E(s) = h.s + s'Js / 2 over s in {-1, 1}^N; a constant apart it is the energy of the units x = (s + 1) / 2."""

    J: Tensor  # (N, N) symmetric with an empty diagonal: each pair is counted once
    h: Tensor  # (N,), or (R, N) where every read has its own


def units_of_bqm(bqm: dimod.BinaryQuadraticModel) -> Units:
    """In the order of `bqm.variables`; the constant of the energy is dropped."""
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    linear, (row, column, bias), _ = binary.to_numpy_vectors(list(bqm.variables))
    coupling = torch.zeros(len(linear), len(linear))
    coupling[row, column] = coupling[column, row] = -torch.from_numpy(np.asarray(bias, np.float32))
    return Units(coupling, -torch.from_numpy(np.asarray(linear, np.float32)))


def units_of_rbm(rbm: RBM) -> Units:
    """x = (v, h): C = [0 W; W' 0], bias = (a, b)."""
    visible, hidden = rbm.W.shape
    coupling = torch.zeros(visible + hidden, visible + hidden)
    coupling[:visible, visible:] = rbm.W
    coupling[visible:, :visible] = rbm.W.t()
    return Units(coupling, torch.cat([rbm.a, rbm.b], dim=-1).cpu())


def rbm_of_units(units: Units, visible: int) -> RBM:
    """The machine whose first `visible` units do not touch each other, nor do the others."""
    return RBM(
        units.coupling[:visible, visible:].contiguous(),
        units.bias[..., :visible].contiguous(),
        units.bias[..., visible:].contiguous(),
    )


def ising_of_units(units: Units) -> Ising:
    """J = -C/4,  h_i = -(bias_i / 2 + sum_j C_ij / 4)"""
    C = units.coupling.double()
    return Ising(-C / 4, -(units.bias.double() / 2 + C.sum(1) / 4))


def units_of_ising(ising: Ising) -> Units:
    """C = -4J,  bias_i = 2 sum_j J_ij - 2 h_i"""
    return Units((-4 * ising.J).float(), (2 * ising.J.sum(1) - 2 * ising.h).float())


def energies(units: Units, x: Tensor) -> Tensor:
    """E(x) = -bias.x - x'Cx / 2.   (R, N) -> (R,)"""
    return -(x * (units.bias + x @ units.coupling / 2)).sum(-1)


def sampleset(x: Tensor, bqm: dimod.BinaryQuadraticModel, **info: object) -> dimod.SampleSet:
    """States (R, N) in {0, 1}, in the order of `bqm.variables`, with the energies of the model as it was handed in."""
    states = x.numpy().astype(np.int8)
    if bqm.vartype is dimod.SPIN:
        states = 2 * states - 1
    return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm, info=dict(info))
