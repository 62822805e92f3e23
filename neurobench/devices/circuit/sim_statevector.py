"""Exact simulation by state vectors: in compiled loops on a CPU, in torch on any device; and shots drawn from it.

In torch, consecutive gates on one wire become one 2x2 matrix, and the matrices of all wires one Kronecker product for
each half of the register, so that a layer is two matrix products.
"""

from __future__ import annotations

import math
from functools import lru_cache, reduce
from typing import Any

import torch
from torch import Tensor

from neurobench.devices.circuit.protocol import CircuitVariants, Counts, Expectations
from neurobench.devices.circuit.specs import MOST_QUBITS, Statevector, too_many_for_states
from neurobench.kernels.circuit import statevector as kernel
from neurobench.kernels.circuit.statevector import LANES, Amplitudes, HalfAngles
from neurobench.problems.circuit import Angles, Gate, Program, ProgramError, require_angles

_FIXED = {"h": [[1, 1], [1, -1]], "x": [[0, 1], [1, 0]], "sdg": [[1, 0], [0, -1j]]}
ONE_QUBIT = (Gate("h", (0,)), Gate("ry", (0,), 0))  # the tutorial's circuit, which has a closed form


def open_statevector(spec: Statevector, seed: int, device: torch.device) -> StatevectorDevice:
    """Open the simulator. It is ideal: `seed`, the identity of an emulated chip, has no effect."""
    return StatevectorDevice(device, spec.compiled)


class StatevectorDevice:
    """Ideal device, see `neurobench.devices.circuit.protocol.CircuitDevice`."""

    exact = True

    def __init__(self, device: torch.device, compiled: bool = True):
        self.device = device
        self.compiled = compiled and device.type == "cpu"

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        """Expectations sum_k |psi_k|^2 (+-1)_k. One qubit as in the tutorial: <Z> = -sin(angle)."""
        self._require(program, angles)
        table = sign_table(program, angles.sample.dtype, self.device)
        if program.gates == ONE_QUBIT:
            z = -angles.sample.sin()
            values = z.expand(*z.shape[:-1], len(program.observables))
        elif self.compiled:
            values = _Adjoint.apply(*_grouped(angles), _compiled(program), table).reshape(*angles.rows, -1)
        else:
            values = probabilities(program, angles) @ table.t()
        return Expectations(values, {"circuits": math.prod(values.shape[:-1])})

    def probabilities(self, program: Program, angles: Angles) -> Tensor:
        """Probabilities (..., 2^n) of all basis states; without gradients if the loop is compiled."""
        self._require(program, angles)
        if program.gates == ONE_QUBIT:
            one = (1 + angles.sample.sin()) / 2
            return torch.cat([1 - one, one], -1)
        if not self.compiled:
            return probabilities(program, angles)
        sample, shared = _grouped(Angles(angles.sample.detach(), angles.shared.detach()))
        re, im, _, _ = _final_states(sample, shared, _compiled(program))
        return _ungrouped(re.square_().add_(im.square_()), sample.shape[1]).reshape(*angles.rows, -1)

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        counts = draw_counts(self.probabilities(program, angles), shots, seed)
        circuits = math.prod(counts.shape[:-1])
        return Counts(counts, {"circuits": circuits, "shots": circuits * shots})

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        table = sign_table(program, torch.float64, self.device)
        return counts.to(torch.float64) @ table.t() / counts.sum(-1, keepdim=True)

    def seconds(self, program: Program, circuits: int, shots: int) -> None:
        return None

    def ideal(self) -> StatevectorDevice:
        return self

    def variants(self) -> CircuitVariants:
        return CircuitVariants({}, {})

    def _require(self, program: Program, angles: Angles) -> None:
        if program.n > MOST_QUBITS:
            raise ProgramError(str(too_many_for_states(program.n)))
        require_angles(program, angles)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # cached for callers that need a gradient too
def sign_table(program: Program, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Values +-1 of each observable in each basis state, (n_obs, 2^n)."""
    states, last = range(2**program.n), program.n - 1
    rows = [[(-1) ** sum(s >> (last - wire) & 1 for wire in wires) for s in states] for wires in program.observables]
    return torch.tensor(rows, dtype=dtype, device=device)


def draw_counts(probabilities: Tensor, shots: int, seed: int) -> Tensor:
    """Draw counts, (..., 2^n) -> (..., 2^n) int64, one multinomial draw of `shots` for each row.

    Wire by wire: of the shots with the same bits so far, the number with 1 on the next wire is binomial. This gives the
    joint distribution with 2^n - 1 draws instead of `shots`. In float64: of many shots float32 would lose some.
    """
    require_shots(shots)
    p = probabilities.detach().to(torch.float64).clamp(min=0)
    generator = torch.Generator(p.device).manual_seed(seed)
    counts = torch.full((*p.shape[:-1], 1), float(shots), dtype=torch.float64, device=p.device)
    while counts.shape[-1] < p.shape[-1]:
        halves = p.unflatten(-1, (counts.shape[-1], 2, -1)).sum(-1)
        p_one = (halves[..., 1] / halves.sum(-1).clamp(min=1e-300)).clamp(max=1)
        ones = torch.binomial(counts, p_one, generator=generator)
        counts = torch.stack([counts - ones, ones], -1).flatten(-2)
    return counts.to(torch.int64)


def require_shots(shots: object) -> None:
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ProgramError(f"shots={shots!r} is not an integer at least 1")


def probabilities(program: Program, angles: Angles) -> Tensor:
    """Probabilities (..., 2^n) of all basis states, by torch alone."""
    psi = torch.zeros(2**program.n, dtype=complex_of(angles.sample), device=angles.sample.device)
    psi[0] = 1
    waiting: dict[int, Tensor] = {}  # wire -> product of its gates so far, (..., 2, 2)
    for gate in program.gates:
        if len(gate.wires) == 2:
            psi, waiting = two_wires(_all_wires(psi, waiting, program.n), gate, program.n), {}
            continue
        (wire,), U = gate.wires, one_wire(gate, program, angles)
        waiting[wire] = U @ waiting[wire] if wire in waiting else U
    psi = _all_wires(psi, waiting, program.n)
    return (psi.real.square() + psi.imag.square()).expand(*angles.rows, 2**program.n)


def complex_of(angles: Tensor) -> torch.dtype:
    return torch.complex128 if angles.dtype == torch.float64 else torch.complex64


def one_wire(gate: Gate, program: Program, angles: Angles) -> Tensor:
    """Unitary of a gate on one wire, (..., 2, 2) complex."""
    kind, device = complex_of(angles.sample), angles.sample.device
    if gate.slot is None:
        return torch.tensor(_FIXED[gate.name], dtype=kind, device=device) * (2**-0.5 if gate.name == "h" else 1)
    half = slot_angle(program, angles, gate.slot) / 2
    c, s = half.cos(), half.sin()
    if gate.name == "ry":
        return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2)).to(kind)
    zero = torch.zeros_like(c)
    diagonal = [torch.complex(c, -s), torch.complex(zero, zero), torch.complex(zero, zero), torch.complex(c, s)]
    return torch.stack(diagonal, -1).unflatten(-1, (2, 2))


def slot_angle(program: Program, angles: Angles, slot: int) -> Tensor:
    if slot < program.n_sample:
        return angles.sample[..., slot]
    return angles.shared[..., slot - program.n_sample]


def _all_wires(psi: Tensor, gates: dict[int, Tensor], n: int) -> Tensor:
    if not gates:
        return psi
    one = torch.eye(2, dtype=psi.dtype, device=psi.device)
    matrices = [gates.get(wire, one) for wire in range(n)]
    half = (n + 1) // 2
    square = reduce(kron, matrices[:half]) @ psi.unflatten(-1, (2**half, -1))
    if n > 1:
        square = square @ reduce(kron, matrices[half:]).transpose(-1, -2)
    return square.flatten(-2)


def kron(a: Tensor, b: Tensor) -> Tensor:
    """Kronecker product, (..., p, p), (..., q, q) -> (..., pq, pq)"""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.flatten(-4, -3).flatten(-2, -1)


def two_wires(psi: Tensor, gate: Gate, n: int) -> Tensor:
    """Apply cz, cx or ecr to (..., 2^n)."""
    first, second = (n - 1 - wire for wire in gate.wires)
    states = torch.arange(2**n, device=psi.device)
    if gate.name == "ecr":
        other, sign = states ^ (1 << first), 1 - 2 * (states >> first & 1)
        return (psi[..., other] + 1j * sign * psi[..., other ^ (1 << second)]) * 2**-0.5
    if gate.name == "cx":
        return psi[..., states ^ ((states >> first & 1) << second)]
    return psi * (1 - 2 * (states >> first & states >> second & 1))


_compiled = lru_cache(maxsize=16)(kernel.compile_program)


def _grouped(angles: Angles) -> tuple[Tensor, Tensor]:
    """Group samples that have their shared angles in common: (G, B, S) and (G, W)."""
    rows, lead = angles.rows, angles.shared.shape[:-1]
    every = math.prod(rows)
    if all(size == 1 for size in lead):
        groups = 1
    else:  # one for each row, unless the last axis shares them
        groups = every // rows[-1] if lead[-1] == 1 else every
        rows_of_shared = (*rows[:-1], 1) if lead[-1] == 1 else rows
        angles = angles._replace(shared=angles.shared.expand(*rows_of_shared, -1))
    width, common = angles.sample.shape[-1], angles.shared.shape[-1]
    sample = angles.sample.expand(*rows, width).reshape(groups, every // groups, width)
    return sample, angles.shared.reshape(groups, common)


def _final_states(sample: Tensor, shared: Tensor, gates: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run gates: (G, B, S), (G, W) -> re, im (blocks, 2^n, LANES), and cosines and sines (blocks, slots, LANES)."""
    groups, batch, _ = sample.shape
    blocks = -(-batch // LANES)
    padded = torch.nn.functional.pad(sample, (0, 0, 0, blocks * LANES - batch))
    lanes = padded.unflatten(1, (blocks, LANES)).transpose(2, 3).flatten(0, 1)
    common = shared[:, None, :, None].expand(groups, blocks, -1, LANES).flatten(0, 1)
    half = torch.cat([lanes, common], 1) / 2
    c, s = half.cos(), half.sin()
    re = torch.empty(len(half), gates.signs.shape[1], LANES, dtype=half.dtype)
    im = torch.empty_like(re)
    kernel.run_gates(gates, HalfAngles(c.numpy(), s.numpy()), Amplitudes(re.numpy(), im.numpy()))
    return re, im, c, s


def _ungrouped(blocks: Tensor, batch: int) -> Tensor:
    """Reorder (G * blocks, K, LANES) -> (G, B, K)."""
    return blocks.unflatten(0, (-1, -(-batch // LANES))).transpose(2, 3).flatten(1, 2)[:, :batch]


class _Adjoint(torch.autograd.Function):
    """Expectations (G, B, n_obs), differentiable once, by the adjoint method."""

    @staticmethod
    def forward(ctx: Any, sample: Tensor, shared: Tensor, gates: Any, table: Tensor) -> Tensor:
        re, im, c, s = _final_states(sample.detach(), shared.detach(), gates)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(re, im, c, s, table)
            ctx.gates, ctx.shape = gates, sample.shape
        return _ungrouped(table @ (re.square() + im.square()), sample.shape[1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        re, im, c, s, table = ctx.saved_tensors
        groups, batch, width = ctx.shape
        blocks = -(-batch // LANES)
        padded = torch.nn.functional.pad(grad, (0, 0, 0, blocks * LANES - batch))
        weight = (padded @ table).unflatten(1, (blocks, LANES)).transpose(2, 3).flatten(0, 1).contiguous()
        out = torch.zeros_like(c)
        angles, final = HalfAngles(c.numpy(), s.numpy()), Amplitudes(re.numpy(), im.numpy())
        kernel.adjoint_gradient(ctx.gates, angles, final, weight.numpy(), out.numpy())
        shared = out[:, width:].sum(-1).unflatten(0, (groups, blocks)).sum(1)
        return _ungrouped(out[:, :width], batch), shared, None, None
