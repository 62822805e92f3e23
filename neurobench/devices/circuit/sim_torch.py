"""State vectors with torch alone: any device, and torch's own derivatives.

Neighbouring gates on one wire become one 2x2 matrix; the matrices of all wires, one Kronecker product for each half
of the register, so that a layer is two matrix products.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from neurobench.problems.circuit import Angles, Gate, Program


def probabilities(program: Program, angles: Angles) -> Tensor:
    """(..., 2^n) of all basis states."""
    psi = state(program, angles)
    return (psi.real.square() + psi.imag.square()).expand(*angles.rows, 2**program.n)


def state(program: Program, angles: Angles) -> Tensor:
    """(..., 2^n) complex amplitudes."""
    psi = torch.zeros(2**program.n, dtype=complex_of(angles.sample), device=angles.sample.device)
    psi[0] = 1
    waiting: dict[int, Tensor] = {}  # wire -> product of its gates so far, (..., 2, 2)
    for gate in program.gates:
        if len(gate.wires) == 2:
            psi, waiting = two_wires(_all_wires(psi, waiting, program.n), gate, program.n), {}
            continue
        (wire,), U = gate.wires, one_wire(gate, program, angles)
        waiting[wire] = U @ waiting[wire] if wire in waiting else U
    return _all_wires(psi, waiting, program.n)


def complex_of(angles: Tensor) -> torch.dtype:
    return torch.complex128 if angles.dtype == torch.float64 else torch.complex64


def one_wire(gate: Gate, program: Program, angles: Angles) -> Tensor:
    """(..., 2, 2) complex."""
    kind, device = complex_of(angles.sample), angles.sample.device
    if gate.slot is None:
        entries = [[1, 1], [1, -1]] if gate.name == "h" else [[0, 1], [1, 0]]
        return torch.tensor(entries, dtype=kind, device=device) * (2**-0.5 if gate.name == "h" else 1)
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
    """(..., p, p), (..., q, q) -> (..., pq, pq)"""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.flatten(-4, -3).flatten(-2, -1)


def two_wires(psi: Tensor, gate: Gate, n: int) -> Tensor:
    """cz or cx on (..., 2^n)."""
    first, second = (n - 1 - wire for wire in gate.wires)
    states = torch.arange(2**n, device=psi.device)
    if gate.name == "cx":
        return psi[..., states ^ ((states >> first & 1) << second)]
    return psi * (1 - 2 * (states >> first & states >> second & 1))
