"""Running a circuit so that its outcome can be learned from, also where only counts are to be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from typing import Any, Literal

import torch
from torch import Tensor

from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.kernels.random import derive
from neurobench.problems.circuit import Angles, Program

_AT_ONCE = 2**22  # amplitudes of shifted circuits: bounds memory
_NUDGE = 0.2  # spsa's step, radians: below it the noise of 100 shots, above it the curvature, is the larger error


@dataclass(frozen=True)
class Way:
    """How circuits are run and differentiated."""

    device: CircuitDevice
    program: Program
    shots: int | None  # null: exact expectations
    gradient: Literal["autograd", "param_shift", "spsa", "straight_through"]
    factor: float = 0.5  # of f(+pi/2) - f(-pi/2); 1 is the tutorial's, twice the derivative

    def circuits(self) -> int:
        """Circuits run to learn from one sample."""
        shifted = 2 * (self.program.n_sample + self.program.n_shared)
        return 1 + {"param_shift": shifted, "spsa": 2}.get(self.gradient, 0)


def run(way: Way, angles: Angles, seed: int) -> Tensor:
    """(B, n_obs) measured values of the observables. `seed` decides all draws, the backward pass's too."""
    if not torch.is_grad_enabled():
        return measured(way, angles, derive(seed, 0))
    if way.gradient == "autograd":
        return way.device.expectation(way.program, angles)
    if way.gradient == "straight_through":
        exact = way.device.expectation(way.program, angles)
        return exact + (measured(way, angles, derive(seed, 0)) - exact).detach()
    rule = _ParameterShift if way.gradient == "param_shift" else _Spsa
    return rule.apply(angles.sample, angles.shared, way, seed)


@torch.no_grad()
def measured(way: Way, angles: Angles, seed: int) -> Tensor:
    """Expectations, or with shots estimates of them."""
    if way.shots is None:
        return way.device.expectation(way.program, angles)
    counts = way.device.counts(way.program, angles, way.shots, seed)
    return way.device.estimate(way.program, counts).to(angles.sample.dtype)


class _ParameterShift(torch.autograd.Function):
    """d f / d angle = [f(angle + pi/2) - f(angle - pi/2)] / 2, exact for every gate exp(-i angle P/2), with noise
    after the gate too. Source: Schuld et al., arXiv:1811.11184."""

    @staticmethod
    def forward(ctx: Any, sample: Tensor, shared: Tensor, way: Way, seed: int) -> Tensor:
        ctx.save_for_backward(sample, shared)
        ctx.way, ctx.seed = way, seed
        return measured(way, Angles(sample, shared), derive(seed, 0))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        sample, shared = ctx.saved_tensors
        slopes = [
            ctx.way.factor * ((plus - minus) * grad).sum(-1)
            for plus, minus in _shifted(ctx.way, Angles(sample, shared), ctx.seed)
        ]
        each = torch.cat(slopes)  # (S + W, B)
        return each[: sample.shape[-1]].t(), each[sample.shape[-1] :].sum(1), None, None


def _shifted(way: Way, angles: Angles, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of (slots, B, n_obs) with angles shifted by +-pi/2, some slots at a time, in order."""
    own, common = way.program.n_sample, way.program.n_shared
    shifts = (pi / 2) * torch.eye(own + common, dtype=angles.sample.dtype, device=angles.sample.device)
    some = max(1, _AT_ONCE // (2 * len(angles.sample) * 2**way.program.n))
    for number, part in enumerate(shifts.split(some)):
        both = torch.cat([part, -part])[:, None]  # (2 slots, 1, S + W)
        stacked = Angles(angles.sample + both[..., :own], angles.shared + both[..., own:])
        values = measured(way, stacked, derive(seed, 1, number))
        yield values[: len(part)], values[len(part) :]


class _Spsa(torch.autograd.Function):
    """All angles nudged at once by +-c: slope_i = sign_i [f(+c signs) - f(-c signs)] / 2c, right on average.

    Source: Spall, IEEE Trans. Automatic Control 37 (1992) 332.
    """

    @staticmethod
    def forward(ctx: Any, sample: Tensor, shared: Tensor, way: Way, seed: int) -> Tensor:
        ctx.save_for_backward(sample, shared)
        ctx.way, ctx.seed = way, seed
        return measured(way, Angles(sample, shared), derive(seed, 0))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        sample, shared = ctx.saved_tensors
        draw = torch.Generator(sample.device).manual_seed(derive(ctx.seed, 2))
        own, common = (
            torch.randint(2, part.shape, generator=draw, device=part.device).to(part.dtype) * 2 - 1
            for part in (sample, shared)
        )
        both = [Angles(sample + c * own, shared + c * common) for c in (_NUDGE, -_NUDGE)]
        plus, minus = (measured(ctx.way, angles, derive(ctx.seed, 1, k)) for k, angles in enumerate(both))
        slope = ((plus - minus) * grad).sum(-1) / (2 * _NUDGE)  # (B,)
        return slope[:, None] * own, slope.sum() * common, None, None
