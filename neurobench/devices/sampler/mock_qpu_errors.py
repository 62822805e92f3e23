"""Errors of an annealing chip: of programming (scaling, rounding, noise) and of reading (broken chains and their
repair, misread units)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.sampler.specs import AnnealingQPU
from neurobench.kernels.random import derive, uniforms
from neurobench.problems.bqm import Ising, Units

_LOWEST = -1 + 2**-52  # argument of log1p
_OFFSET_H, _OFFSET_J, _GAIN_H, _SIGMA_H, _SIGMA_J, _FLUX = range(6)  # purposes of a draw


ChainLength = int | Tensor  # qubits of every unit alike, or (N,) of each


class Programmed(NamedTuple):
    problem: Ising  # in the chip's units
    scale: float  # the problem's coefficients were divided by it


class FixedErrors(NamedTuple):
    """Constant errors of a chip, drawn from its seed."""

    gain_h: Tensor  # (N,) factor of a field
    offset_h: Tensor  # (N,)
    offset_J: Tensor  # (N, N) symmetric


def fixed_errors(spec: AnnealingQPU, n: int) -> FixedErrors:
    seed = spec.chip_seed
    return FixedErrors(
        gain_h=1 + spec.h_scale_spread * normal((n,), derive(seed, _GAIN_H)),
        offset_h=spec.offset_h * normal((n,), derive(seed, _OFFSET_H)),
        offset_J=spec.offset_j * mirrored(normal((n, n), derive(seed, _OFFSET_J))),
    )


def program(
    spec: AnnealingQPU, fixed: FixedErrors, ideal: Ising, chain_length: ChainLength, call_seed: int, seed: int
) -> Programmed:
    """Scale a problem into the ranges, round it to the DACs' steps, and add errors.

        h_i <- gain_i (h_i + chi sum_j J_ij h_j / L_j) + offset_i + flux_i + N(0, sigma_h)
        J_ij <- J_ij + offset_ij + N(0, sigma_j),   where there is a coupling

    A coupler joins one qubit of each of two chains, which carries 1/L_j of its chain's field: L is the chain length.
    `call_seed` is the same for all programmings of a call, `seed` is not.
    """
    scaled = Ising(ideal.J * spec.prefactor, ideal.h * spec.prefactor)
    parts = {"h_range": scaled.h, "j_range": scaled.J, "coupling_range": scaled.J.sum(1) / chain_length}
    excess = {name: _filled(part, getattr(spec, name)) for name, part in parts.items()}
    name = max(excess, key=lambda key: excess[key])
    over = excess[name]
    if over > 1 and not spec.auto_scale:
        raise UserError(
            f"the problem exceeds {name}={list(getattr(spec, name))} {over:.4g} times and auto_scale is off: set "
            f"backend.sampler.auto_scale=true, or a prefactor of at most {spec.prefactor / over:.4g}."
        )
    c = max(1.0, over)
    J = dac(scaled.J / c, spec.j_range, spec.j_dac)
    h = dac(scaled.h / c, spec.h_range, spec.h_dac)
    n = len(J)
    leak = spec.susceptibility / chain_length * h @ J
    flux = spec.flux * normal((n,), derive(call_seed, _FLUX))
    field = spec.sigma_h * normal((n,), derive(seed, _SIGMA_H))
    coupling = spec.sigma_j * mirrored(normal((n, n), derive(seed, _SIGMA_J)))
    h = fixed.gain_h[:n] * (h + leak) + fixed.offset_h[:n] + flux + field
    J = torch.where(ideal.J != 0, J + fixed.offset_J[:n, :n] + coupling, 0.0)
    return Programmed(Ising(J, h), c / spec.prefactor)


def _filled(x: Tensor, span: tuple[float, ...]) -> float:
    """Largest ratio of x to a bound of its range; above 1, x exceeds the range."""
    return max(float((x / bound).max()) for bound in span) if x.numel() else 0.0


def dac(x: Tensor, span: tuple[float, ...], error: tuple[float, ...]) -> Tensor:
    """Round x to levels whose spacing changes geometrically from one end of the range to the other.

    `error`: largest rounding error at the low and at the high end, half the spacing there. Between them
    the spacing is step(x) = s_lo e^(-k (x - lo)), so u = (e^(k (x - lo)) - 1) / (k s_lo) counts levels. 0 stays 0.
    """
    (lo, hi), (s_lo, s_hi) = span, (2 * e for e in error)
    if s_lo == 0 or s_hi == 0:
        return x
    k = torch.log(torch.tensor(s_lo / s_hi, dtype=torch.float64)) / (hi - lo)
    if abs(k) < 1e-12:
        return torch.round(x / s_lo) * s_lo

    def level(value: Tensor) -> Tensor:
        return torch.expm1(k * (value - lo)) / (k * s_lo)

    zero = level(torch.zeros((), dtype=torch.float64))
    u = torch.round(level(x) - zero) + zero
    # Of coarse steps the last level may lie far beyond the range, or be none: its logarithm does not exist
    rounded = lo + torch.log1p((k * s_lo * u).clamp(min=_LOWEST)) / k
    most = max(error)
    return torch.where(x == 0, 0.0, torch.maximum(torch.minimum(rounded, x + most), x - most))


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    """Standard normal draws, N(0, 1), float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mirrored(x: Tensor) -> Tensor:
    """Symmetric matrix from the upper triangle of x (N, N): one number per pair."""
    upper = x.triu(1)
    return upper + upper.t()


class Breaks(NamedTuple):
    broken: Tensor  # (R, N) bool, of every unit in every read
    share: Tensor  # (R, N) fraction of the chain's qubits with the unit's value; 1 if it is whole


def broken_chains(shape: tuple[int, int], chain_length: ChainLength, probability: float, seed: int) -> Breaks:
    """Draw which chains break, each at one place, uniformly: k of L qubits keep the unit's value, the others take the
    opposite. A chain of a single qubit does not break."""
    breakable = torch.as_tensor(chain_length) > 1
    if not breakable.any() or probability == 0:
        return Breaks(torch.zeros(shape, dtype=torch.bool), torch.ones(shape))
    broken = (uniforms(derive(seed, 0), shape) < probability) & breakable
    unbroken = 1 + torch.floor(uniforms(derive(seed, 1), shape) * (chain_length - 1))
    return Breaks(broken, torch.where(broken, unbroken / chain_length, 1.0))


def majority_vote(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """Repair a chain by the value of most qubits; ties by a fair coin."""
    coin = uniforms(seed, tuple(x.shape)) < 0.5
    opposed = (breaks.share < 0.5) | ((breaks.share == 0.5) & coin)
    return torch.where(opposed, 1 - x, x)


def weighted_random(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """Repair a chain by the value of a randomly drawn qubit."""
    return torch.where(uniforms(seed, tuple(x.shape)) >= breaks.share, 1 - x, x)


def minimize_energy(x: Tensor, breaks: Breaks, problem: Units, seed: int) -> Tensor:
    """Repair unit by unit with the value that lowers the energy of the original problem, given the others."""
    x = x.clone()
    bias = problem.bias.expand(x.shape)
    for i in torch.nonzero(breaks.broken.any(0)).flatten():
        field = bias[:, i] + x @ problem.coupling[i]
        x[:, i] = torch.where(breaks.broken[:, i], (field > 0).float(), x[:, i])
    return x


REPAIRS = {"majority_vote": majority_vote, "weighted_random": weighted_random, "minimize_energy": minimize_energy}


def misread(x: Tensor, probability: float, seed: int) -> Tensor:
    """Flip each unit with this probability."""
    return torch.where(uniforms(seed, tuple(x.shape)) < probability, 1 - x, x)
