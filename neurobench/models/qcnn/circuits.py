"""The circuits of the hybrid network."""

from __future__ import annotations

from neurobench.problems.circuit import Gate, Program


def one_qubit() -> Program:
    """H, RY(z), measure: P(1) = (1 + sin z) / 2. Source: the tutorial."""
    return Program(1, 1, 0, (Gate("h", (0,)), Gate("ry", (0,), 0)), ((0,),))


def layered(n: int, depth: int, reupload: bool, zz: bool) -> Program:
    """H, RY(x_i) on each wire; `depth` times: CZ ring, [RY(s x_i),] RZ(w), RY(w).

    RY comes last, so that no weight stands right before Z where it would do nothing. CZ commutes with Z, so a sum of
    few sines stays of each angle near zero; a CNOT ring would leave products of many.
    Slots: x (n), with re-upload s x (depth x n), then w (depth x n x 2).
    """
    gates = [gate for i in range(n) for gate in (Gate("h", (i,)), Gate("ry", (i,), i))]
    own = n + (depth * n if reupload else 0)
    for layer in range(depth):
        gates += [Gate("cz", pair) for pair in ring(n)]
        if reupload:
            gates += [Gate("ry", (i,), n + layer * n + i) for i in range(n)]
        for i in range(n):
            first = own + 2 * (layer * n + i)
            gates += [Gate("rz", (i,), first), Gate("ry", (i,), first + 1)]
    pairs = tuple((j, i) for i in range(n) for j in range(i)) if zz else ()
    return Program(n, own, 2 * n * depth, tuple(gates), (*((i,) for i in range(n)), *pairs))


def ring(n: int) -> list[tuple[int, int]]:
    """Neighbours in a circle. Of two wires one pair: twice CZ is nothing."""
    if n < 3:
        return [(0, 1)] if n == 2 else []
    return [(i, (i + 1) % n) for i in range(n)]
