"""Updates of the weights of `eprop.batch` by its summed gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange


class AdamRule(NamedTuple):
    """In the kernel's precision."""

    scale: np.floating  # of the summed gradient
    rate: np.floating  # lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    beta_1: np.floating
    beta_2: np.floating
    epsilon: np.floating
    w_min: np.floating
    w_max: np.floating


@njit(cache=True, forceinline=True, error_model="numpy")
def _take(g, chunks, r, j):
    """The sum of the threads' gradients, which become 0."""
    total = g[0, r, j]
    g[0, r, j] = 0
    for chunk in range(1, chunks):
        total += g[chunk, r, j]
        g[chunk, r, j] = 0
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, rule):
    """A step of Adam in place, on synapses that exist; g (chunks, rows, columns) is summed and zeroed. Returns the sum
    of the weights, which is finite if they are."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            gradient = _take(g, len(g), r, j)
            if mask[r, j]:
                gradient *= rule.scale
                m[r, j] += (1 - rule.beta_1) * (gradient - m[r, j])
                v[r, j] += (1 - rule.beta_2) * (gradient * gradient - v[r, j])
                stepped = w[r, j] - rule.rate * m[r, j] / (np.sqrt(v[r, j]) + rule.epsilon)
                w[r, j] = min(max(stepped, rule.w_min), rule.w_max)
                total += w[r, j]
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, rate, w_min, w_max):
    """Plain gradient descent, as `adam` otherwise."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            gradient = _take(g, len(g), r, j)
            if mask[r, j]:
                w[r, j] = min(max(w[r, j] - rate * gradient, w_min), w_max)
                total += w[r, j]
    return total
