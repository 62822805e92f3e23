"""CMA-ES: minimising what has no gradient. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np


class Generation(NamedTuple):
    """What one round came to."""

    best: float  # smallest value of the round
    mean: np.ndarray  # (n,) of the distribution
    sigma: float


def minimise(
    f: Callable[[np.ndarray], float], start: np.ndarray, sigma: float, seed: int, size: int | None = None
) -> Iterator[Generation]:
    """Rounds without end. Names, constants and formulas are the tutorial's; `start` (n,) is the first mean."""
    n = len(start)
    rng = np.random.default_rng(seed)
    lam = size or 4 + int(3 * np.log(n))
    mu = lam // 2
    w = np.log(mu + 0.5) - np.log(np.arange(1, mu + 1))
    w /= w.sum()
    mu_eff = 1 / (w**2).sum()
    c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n)
    c_s = (mu_eff + 2) / (n + mu_eff + 5)
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) / ((n + 2) ** 2 + mu_eff))
    damping = 1 + 2 * max(0.0, np.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_s
    expected = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))  # length of a standard normal vector
    m, C = np.array(start, float), np.eye(n)
    p_c, p_s = np.zeros(n), np.zeros(n)
    for g in range(1, 1_000_000):
        eigenvalues, B = np.linalg.eigh(C)
        D = np.sqrt(np.maximum(eigenvalues, 1e-12))
        y = rng.standard_normal((lam, n)) * D @ B.T
        values = np.array([f(m + sigma * each) for each in y])
        y = y[np.argsort(values)][:mu]
        step = w @ y
        m = m + sigma * step
        p_s = (1 - c_s) * p_s + np.sqrt(c_s * (2 - c_s) * mu_eff) * (B @ (B.T @ step / D))
        length = np.linalg.norm(p_s)
        going = length / np.sqrt(1 - (1 - c_s) ** (2 * g)) < (1.4 + 2 / (n + 1)) * expected
        p_c = (1 - c_c) * p_c + going * np.sqrt(c_c * (2 - c_c) * mu_eff) * step
        kept = 1 - c_1 - c_mu + (0 if going else c_1 * c_c * (2 - c_c))
        C = kept * C + c_1 * np.outer(p_c, p_c) + c_mu * (y.T * w) @ y
        sigma *= float(np.exp(c_s / damping * (length / expected - 1)))
        yield Generation(float(values.min()), m, sigma)
