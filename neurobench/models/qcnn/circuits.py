"""Circuits of the hybrid network: gates, text in OpenQASM, and gradients, also from counts alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, Literal

import torch
from torch import Tensor

from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.kernels.random import derive
from neurobench.problems.circuit import Angles, Gate, Program

_AT_ONCE = 2**22  # amplitudes of shifted circuits computed at once: bounds memory
_NUDGE = 0.2  # step of spsa, radians: below it the noise of 100 shots is the larger error, above it the curvature


def one_qubit() -> Program:
    """Circuit H, RY(z), measurement: P(1) = (1 + sin z) / 2. Source: the tutorial."""
    return Program(1, 1, 0, (Gate("h", (0,)), Gate("ry", (0,), 0)), ((0,),))


def layered(n: int, depth: int, reupload: bool, zz: bool, entangled: bool = True) -> Program:
    """Layered circuit: H, RY(x_i) on each wire; `depth` times: [CZ ring,] [RY(s x_i),] RZ(w), RY(w).

    RY comes last, since the weight of an RZ right before measuring Z would have no effect. CZ commutes with Z, so that
    for angles near zero a sum of few sines remains; a CNOT ring would leave products of many.
    Slots: x (n), with re-upload s x (depth x n), then w (depth x n x 2). Without the ring the state is a product of
    single-wire states.
    """
    gates = [gate for i in range(n) for gate in (Gate("h", (i,)), Gate("ry", (i,), i))]
    n_sample = n + (depth * n if reupload else 0)
    for layer in range(depth):
        gates += [Gate("cz", pair) for pair in ring(n)] if entangled else []
        if reupload:
            gates += [Gate("ry", (i,), n + layer * n + i) for i in range(n)]
        for i in range(n):
            first = n_sample + 2 * (layer * n + i)
            gates += [Gate("rz", (i,), first), Gate("ry", (i,), first + 1)]
    pairs = tuple((j, i) for i in range(n) for j in range(i)) if zz else ()
    return Program(n, n_sample, 2 * n * depth, tuple(gates), (*((i,) for i in range(n)), *pairs))


def ring(n: int) -> list[tuple[int, int]]:
    """Pairs of neighbours in a circle; a single one for two wires, since applying CZ twice is the identity."""
    if n < 3:
        return [(0, 1)] if n == 2 else []
    return [(i, (i + 1) % n) for i in range(n)]


def to_qasm(program: Program, sample: list[float] | None, shared: list[float]) -> str:
    """The program in OpenQASM 3, with the gates of its standard library; wire i is q[i] and is read into c[i].

    `sample`: the angles of one sample; None leaves them open, as inputs x0, x1, ... in radians.
    Source: openqasm.com/versions/3.0.
    """
    inputs = [f"x{i}" for i in range(program.n_sample)]
    angles = [*(inputs if sample is None else map(repr, sample)), *map(repr, shared)]
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += [f"input float[64] {name};" for name in inputs] if sample is None else []
    lines += [f"qubit[{program.n}] q;", f"bit[{program.n}] c;"]
    for gate in program.gates:
        argument = "" if gate.slot is None else f"({angles[gate.slot]})"
        lines.append(f"{gate.name}{argument} {', '.join(f'q[{wire}]' for wire in gate.wires)};")
    lines += [f"c[{wire}] = measure q[{wire}];" for wire in range(program.n)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class CircuitRunner:
    """A circuit on a device, and the method by which it is differentiated."""

    device: CircuitDevice
    program: Program
    shots: int | None  # None: exact expectations
    gradient: Literal["autograd", "param_shift", "spsa", "straight_through"]
    factor: float = 0.5  # on f(+pi/2) - f(-pi/2); 1, as in the tutorial, is twice the derivative

    def run(self, angles: Angles, seed: int) -> Tensor:
        """Measured values (B, n_obs) of the observables. `seed` determines all draws, also in the backward pass."""
        if not torch.is_grad_enabled():
            return self.measure(angles, derive(seed, 0))
        if self.gradient == "autograd":
            return self.device.expectation(self.program, angles).values
        if self.gradient == "straight_through":
            exact = self.device.expectation(self.program, angles).values
            return exact + (self.measure(angles, derive(seed, 0)) - exact).detach()
        return _Measured.apply(angles.sample, angles.shared, self, seed)

    @torch.no_grad()
    def measure(self, angles: Angles, seed: int) -> Tensor:
        """Expectations, or their estimates if shots are set, without derivatives."""
        if self.shots is None:
            return self.device.expectation(self.program, angles).values
        counts = self.device.counts(self.program, angles, self.shots, seed).counts
        return self.device.estimate(self.program, counts).to(angles.sample)

    @property
    def exact(self) -> bool:
        """Whether the device has exact expectations, which is assumed if it has no such attribute."""
        return getattr(self.device, "exact", True)

    @property
    def circuits_per_sample(self) -> int:
        """Number of circuits run to learn from one sample."""
        shifted = 2 * (self.program.n_sample + self.program.n_shared)
        return 1 + {"param_shift": shifted, "spsa": 2, "straight_through": 1}.get(self.gradient, 0)

    @property
    def measured_per_sample(self) -> int:
        """Number of these that take shots, if any are set: straight_through is differentiated by an exact one."""
        return self.circuits_per_sample - (self.gradient == "straight_through")


class _Measured(torch.autograd.Function):
    """Measured values, differentiated by measuring again at other angles."""

    @staticmethod
    def forward(ctx: Any, sample: Tensor, shared: Tensor, runner: CircuitRunner, seed: int) -> Tensor:
        ctx.save_for_backward(sample, shared)
        ctx.runner, ctx.seed = runner, seed
        return runner.measure(Angles(sample, shared), derive(seed, 0))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        rule = _parameter_shift if ctx.runner.gradient == "param_shift" else _spsa
        return *rule(ctx.runner, Angles(*ctx.saved_tensors), ctx.seed, grad), None, None


def _parameter_shift(runner: CircuitRunner, angles: Angles, seed: int, grad: Tensor) -> Angles:
    """Gradient d f / d angle = [f(angle + pi/2) - f(angle - pi/2)] / 2, exact for every gate exp(-i angle P/2), even
    with noise after the gate. Source: Schuld et al., arXiv:1811.11184."""
    n_sample, n_shared = runner.program.n_sample, runner.program.n_shared
    shifts = (pi / 2) * torch.eye(n_sample + n_shared, dtype=angles.sample.dtype, device=angles.sample.device)
    slots = max(1, _AT_ONCE // (2 * len(angles.sample) * 2**runner.program.n))
    slopes = []  # for blocks of slots, in order, (slots, B)
    for number, part in enumerate(shifts.split(slots)):
        both = torch.cat([part, -part])[:, None]  # (2 slots, 1, S + W)
        stacked = Angles(angles.sample + both[..., :n_sample], angles.shared + both[..., n_sample:])
        plus, minus = runner.measure(stacked, derive(seed, 1, number)).split(len(part))  # (slots, B, n_obs)
        slopes.append(runner.factor * ((plus - minus) * grad).sum(-1))
    slope = torch.cat(slopes)
    return Angles(slope[:n_sample].t(), slope[n_sample:].sum(1))


def _spsa(runner: CircuitRunner, angles: Angles, seed: int, grad: Tensor) -> Angles:
    """Gradient from shifting all angles at once by +-c: slope_i = sign_i [f(+c signs) - f(-c signs)] / 2c.

    The estimate is right on average.

    Source: Spall, IEEE Trans. Automatic Control 37 (1992) 332.
    """
    generator = torch.Generator(angles.sample.device).manual_seed(derive(seed, 2))
    signs = [torch.randint(2, x.shape, generator=generator, device=x.device).to(x.dtype) * 2 - 1 for x in angles]
    nudged = [Angles(*(x + c * s for x, s in zip(angles, signs, strict=True))) for c in (_NUDGE, -_NUDGE)]
    plus, minus = (runner.measure(part, derive(seed, 1, k)) for k, part in enumerate(nudged))
    slope = ((plus - minus) * grad).sum(-1) / (2 * _NUDGE)  # (B,)
    return Angles(slope[:, None] * signs[0], slope.sum() * signs[1])
