"""Rounding of a layer's weights, given by direction and length, to the core's grid, and one step of Adam.

    w = g v / |v|  for each output neuron,    m / 2 = clamp(rint(32 w), -128, 127)

Weights are stored as (inputs, outputs), so that an active input is a row. Threads share out rows, or columns if there
are sums over rows: any number of threads gives the same bits.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.cuba.scatter import share_of_columns
from neurobench.kernels.jit import njit

LOW, HIGH = np.float32(-128), np.float32(127)  # limits of m / 2
_GRID = np.float32(32.0)


class AdamStep(NamedTuple):
    """Constants of Adam's update k, counted from 1, all float32."""

    beta1: np.float32
    beta2: np.float32
    lr: np.float32  # lr / (1 - beta1^k)
    correction: np.float32  # 1 / sqrt(1 - beta2^k)
    eps: np.float32


@njit(parallel=True, cache=True, error_model="numpy")
def squares(v, chunks):
    """|v|^2 of each output neuron, (C,) float64.   v (I, C) float32."""
    inputs, width = v.shape
    total = np.zeros(width)
    for c in prange(chunks):
        low, high = share_of_columns(width, c, chunks)
        part = total[low:high]
        for i in range(inputs):
            row = v[i, low:high]
            for j in range(high - low):
                part[j] += np.float64(row[j]) * row[j]
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def to_grid(v, scale, chunks, W, w):
    """Write W (I, C) int8 = m / 2 of the weights v scale, w (I, C) float32 = m / 64.   scale (C,) float32 = g / |v|."""
    inputs, width = v.shape
    for c in prange(chunks):
        for i in range(inputs * c // chunks, inputs * (c + 1) // chunks):
            for j in range(width):
                half = min(max(np.rint(v[i, j] * scale[j] * _GRID), LOW), HIGH)
                W[i, j] = np.int8(half)
                w[i, j] = half / _GRID


@njit(parallel=True, cache=True, error_model="numpy")
def gradient_of_weights(dw, factor, v, scale, gridded, chunks):
    """Multiply dw (I, C) = dL/dw by `factor`, in place; if `gridded`, set it to 0 where the grid clips w.

    The straight-through gradient applies at both ends of the grid. Returns sum_i dL/dw_i v_i, (C,) float64.
    """
    inputs, width = dw.shape
    dots = np.zeros(width)
    for c in prange(chunks):
        low, high = share_of_columns(width, c, chunks)
        part, size = dots[low:high], scale[low:high]
        for i in range(inputs):
            total, row = dw[i, low:high], v[i, low:high]
            for j in range(high - low):
                total[j] *= factor
            if gridded:
                for j in range(high - low):
                    half = np.rint(row[j] * size[j] * _GRID)
                    total[j] = total[j] if half >= LOW and half <= HIGH else np.float32(0.0)
            for j in range(high - low):
                part[j] += np.float64(total[j] * row[j])
    return dots


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def descend(dw, scale, pull, adam, chunks, v, first, second):
    """Take one step of Adam on v, in place, with dL/dv = scale dL/dw - pull v; dw is overwritten by dL/dv.

    All (I, C) float32; scale, pull (C,) float32; adam: AdamStep.
    """
    beta1, beta2, lr, correction, eps = adam
    one = np.float32(1.0)
    inputs, width = v.shape
    for c in prange(chunks):
        for i in range(inputs * c // chunks, inputs * (c + 1) // chunks):
            row, slope, m, s = v[i], dw[i], first[i], second[i]
            for j in range(width):
                d = scale[j] * slope[j] - pull[j] * row[j]
                m[j] = beta1 * m[j] + (one - beta1) * d
                s[j] = beta2 * s[j] + (one - beta2) * d * d
                row[j] -= lr * m[j] / (np.sqrt(s[j]) * correction + eps)
                slope[j] = d
