"""Initial weights, drawn from numpy's legacy generator in the order of NEST's tutorial."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """[target, source], float64, pA. A synapse exists where its mask is 1."""

    w_in: np.ndarray  # (N, I)
    w_rec: np.ndarray  # (N, N)
    w_out: np.ndarray  # (K, N)
    feedback: np.ndarray  # (N, K), fixed
    mask_in: np.ndarray  # (N, I) bool
    mask_rec: np.ndarray
    mask_out: np.ndarray


def draw(seed: int, I: int, N: int, K: int, scale: float, sparsity: tuple[float, float, float]) -> Weights:
    """As the tutorial's script after `np.random.seed(seed)`. `scale` is 1 - kappa; `sparsity` of in, rec, out.

    W_in ~ N(0, 1 / I), W_rec ~ N(0, 1 / N) without self-connections, W_out uniform (Glorot) times `scale`,
    B ~ N(0, 1) / scale. Masked weights keep the sign of their zero, as in the script.
    """
    numpy = np.random.RandomState(seed)
    w_in = numpy.randn(I, N).T / np.sqrt(I)
    w_rec = numpy.randn(N, N).T / np.sqrt(N)
    np.fill_diagonal(w_rec, 0.0)
    limit = np.sqrt(3.0 * (1.0 / max(1.0, (N + K) / 2.0)))
    w_out = numpy.uniform(low=-limit, high=limit, size=(N, K)).T * scale
    feedback = numpy.randn(N, K) / scale
    matrices = (w_in, w_rec, w_out)
    first, second, third = (
        w * numpy.choice([0, 1], w.shape, p=[zeros, 1 - zeros]) for w, zeros in zip(matrices, sparsity, strict=True)
    )
    return of_matrices(first, second, third, feedback)


def of_matrices(w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, feedback: np.ndarray) -> Weights:
    """A synapse for each weight that is not 0."""
    return Weights(w_in, w_rec, w_out, feedback, w_in != 0, w_rec != 0, w_out != 0)
