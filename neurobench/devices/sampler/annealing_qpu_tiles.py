"""A machine too big for a chip, as tiles that fit: each is drawn given the rest, in turn."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from neurobench.problems.rbm import RBM


def tiles(shape: tuple[int, ...], most: int) -> list[tuple[slice, slice]]:
    """Visible and hidden units of each tile: as few tiles as can be, nearly alike, every pair of units in one."""
    visible, hidden = (_cuts(size, most) for size in shape)
    return [(rows, columns) for columns in hidden for rows in visible]


def _cuts(size: int, most: int) -> list[slice]:
    parts = -(-size // most)
    edges = [size * n // parts for n in range(parts + 1)]
    return [slice(lo, hi) for lo, hi in pairwise(edges)]


def conditioned(rbm: RBM, v: Tensor, h: Tensor, rows: slice, columns: slice) -> RBM:
    """The tile's own machine given the other units, whose pull is part of its biases: (R, rows), (R, columns).

    a'_i = a_i + sum over j outside of W_ij h_j,    b'_j = b_j + sum over i outside of v_i W_ij
    """
    W = rbm.W[rows, columns]
    a = rbm.a[rows] + h @ rbm.W[rows].t() - h[:, columns] @ W.t()
    b = rbm.b[columns] + v @ rbm.W[:, columns] - v[:, rows] @ W
    return RBM(W, a, b)
