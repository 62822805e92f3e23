"""State-vector simulation gate by gate, LANES samples at a time, and the derivative of <D> by a walk back through them.

The adjoint method needs no stored intermediate state: after a rotation exp(-i angle P/2), with psi the state and
lambda = (later gates)^+ D |final state>, d<D>/d angle = Im <lambda| P |psi>. Source: Jones, Gacon, arXiv:2009.02823.
Amplitudes are stored as real and imaginary parts, samples innermost, so that each line becomes a vector instruction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurobench.kernels.jit import njit
from neurobench.problems.circuit import Program

LANES = 16  # samples side by side: in float32 one vector of 512 bits, or two of 256
H, X, RY, RZ, CX, SIGN = range(6)
_CODES = {"h": H, "x": X, "ry": RY, "rz": RZ, "cx": CX}


class Gates(NamedTuple):
    """A compiled program."""

    ops: np.ndarray  # (n_ops, 4) int64: code, bit of the wire, bit of the second wire, slot (or row of the signs)
    signs: np.ndarray  # (n_rows, 2^n) int8, one row for each sequence of adjacent cz gates


class HalfAngles(NamedTuple):
    cos: np.ndarray  # (blocks, n_slots, LANES), for every rotation
    sin: np.ndarray  # (blocks, n_slots, LANES)


class Amplitudes(NamedTuple):
    re: np.ndarray  # (blocks, 2^n, LANES)
    im: np.ndarray  # (blocks, 2^n, LANES)


def compile_program(program: Program) -> Gates:
    ops: list[tuple[int, int, int, int]] = []
    rows: list[np.ndarray] = []
    states = np.arange(2**program.n)
    for gate in program.gates:
        bits = [program.n - 1 - wire for wire in gate.wires]
        if gate.name != "cz":
            ops.append((_CODES[gate.name], bits[0], bits[-1], -1 if gate.slot is None else gate.slot))
            continue
        flips = 1 - 2 * (states >> bits[0] & states >> bits[1] & 1)
        if ops and ops[-1][0] == SIGN:
            rows[-1] = rows[-1] * flips
        else:
            ops.append((SIGN, 0, 0, len(rows)))
            rows.append(flips)
    table = np.array(rows, np.int8) if rows else np.ones((1, len(states)), np.int8)
    return Gates(np.array(ops, np.int64).reshape(-1, 4), table)


@njit(cache=True)
def run_gates(gates, angles, out):
    """Apply all gates to |0...0>; out: Amplitudes, written."""
    ops, signs = gates
    re, im = out
    for block in range(re.shape[0]):
        re[block], im[block] = 0, 0
        re[block, 0] = 1
        c, s = angles.cos[block], angles.sin[block]
        minus_s = -s
        for op in ops:
            _apply(op, signs, c, s, minus_s, re[block], im[block])


@njit(cache=True)
def adjoint_gradient(gates, angles, final, weight, out):
    """Derivative of sum_k weight_k |psi_k|^2 with respect to each angle.

    final: Amplitudes as written by `run_gates`; weight: (blocks, 2^n, LANES); out: (blocks, n_slots, LANES), written.
    """
    ops, signs = gates
    for block in range(out.shape[0]):
        pr, pi = final.re[block].copy(), final.im[block].copy()
        lr, li = pr * weight[block], pi * weight[block]
        c, s = angles.cos[block], angles.sin[block]
        minus_s = -s
        for number in range(len(ops) - 1, -1, -1):
            op = ops[number]
            if op[0] in (RY, RZ):
                _overlap(op[0], 1 << op[1], lr, li, pr, pi, out[block, op[3]])
            _apply(op, signs, c, minus_s, s, pr, pi)  # the inverse gate
            _apply(op, signs, c, minus_s, s, lr, li)


@njit(cache=True, inline="always")
def _overlap(code, step, lr, li, pr, pi, out):
    """out (LANES,) = Im <lambda| P |psi> for Y or Z of one wire; lambda, psi: real, imaginary parts (2^n, LANES)."""
    out[:] = 0
    for start in range(0, pr.shape[0], 2 * step):
        for i in range(start, start + step):
            j = i + step
            if code == RY:
                for b in range(LANES):
                    out[b] += lr[j, b] * pr[i, b] + li[j, b] * pi[i, b]
                    out[b] -= lr[i, b] * pr[j, b] + li[i, b] * pi[j, b]
            else:
                for b in range(LANES):
                    out[b] += lr[i, b] * pi[i, b] - li[i, b] * pr[i, b]
                    out[b] -= lr[j, b] * pi[j, b] - li[j, b] * pr[j, b]


@njit(cache=True)
def _apply(op, signs, c, s, minus_s, re, im):
    """Apply one operation to a block (2^n, LANES), in place, or its inverse if s and minus_s are exchanged. c, s,
    minus_s: (n_slots, LANES)."""
    code, step, slot = op[0], 1 << op[1], op[3]
    size = re.shape[0]
    if code == SIGN:
        for k in range(size):
            if signs[slot, k] < 0:
                for b in range(LANES):
                    re[k, b], im[k, b] = -re[k, b], -im[k, b]
        return
    if code == CX:
        target = 1 << op[2]
        for k in range(size):
            if k & step and not k & target:
                _swap(re, im, k, k | target)
        return
    for start in range(0, size, 2 * step):
        for i in range(start, start + step):
            j = i + step
            if code == RY:
                _rotate(re, im, i, j, c[slot], s[slot])
            elif code == RZ:
                _phase(re, im, i, c[slot], minus_s[slot])
                _phase(re, im, j, c[slot], s[slot])
            elif code == H:
                root = re.dtype.type(0.5**0.5)
                for b in range(LANES):
                    r0, r1, i0, i1 = re[i, b], re[j, b], im[i, b], im[j, b]
                    re[i, b], im[i, b] = root * (r0 + r1), root * (i0 + i1)
                    re[j, b], im[j, b] = root * (r0 - r1), root * (i0 - i1)
            else:
                _swap(re, im, i, j)


@njit(cache=True, inline="always")
def _rotate(re, im, i, j, c, s):
    """Rotate amplitudes i, j of one wire's 0 and 1 by (c, -s; s, c). c, s: (LANES,)"""
    for b in range(LANES):
        r0, r1, i0, i1 = re[i, b], re[j, b], im[i, b], im[j, b]
        re[i, b] = c[b] * r0 - s[b] * r1
        re[j, b] = s[b] * r0 + c[b] * r1
        im[i, b] = c[b] * i0 - s[b] * i1
        im[j, b] = s[b] * i0 + c[b] * i1


@njit(cache=True, inline="always")
def _phase(re, im, i, c, s):
    """Multiply amplitude i by c + i s."""
    for b in range(LANES):
        r, m = re[i, b], im[i, b]
        re[i, b] = c[b] * r - s[b] * m
        im[i, b] = s[b] * r + c[b] * m


@njit(cache=True, inline="always")
def _swap(re, im, i, j):
    for b in range(LANES):
        r, m = re[i, b], im[i, b]
        re[i, b], im[i, b] = re[j, b], im[j, b]
        re[j, b], im[j, b] = r, m
