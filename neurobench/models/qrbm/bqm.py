"""The machine as annealers know it: a binary quadratic model whose energy is the machine's own."""

from __future__ import annotations

import dimod
import numpy as np

from neurobench.backends.devices import RBM


def to_bqm(rbm: RBM) -> dimod.BinaryQuadraticModel:
    """E(x) = -a.v - b.h - v'Wh over x = (v, h) in {0, 1}: variables 0..V-1 are visible, V..V+H-1 hidden.

    `change_vartype("SPIN")` gives the Ising form with its offset: s = 2x - 1, J = -W/4,
    h_i = -(a_i/2 + sum_j W_ij/4), h_j = -(b_j/2 + sum_i W_ij/4).
    """
    W, a, b = (part.detach().cpu().numpy().astype(np.float64) for part in rbm)
    visible, hidden = W.shape
    row, column = np.divmod(np.arange(W.size), hidden)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.concatenate([-a, -b]), (row, column + visible, -W.ravel()), 0.0, dimod.BINARY
    )
