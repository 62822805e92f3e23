"""Multinomial logistic regression on fixed features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class Readout(NamedTuple):
    """scores = ((f - mean) / scale) weight + bias"""

    mean: Tensor  # (F,)
    scale: Tensor  # (F,)
    weight: Tensor  # (F, C)
    bias: Tensor  # (C,)


def scores(r: Readout, f: Tensor) -> Tensor:
    """f (B, F) -> (B, C), highest for the predicted class."""
    weight = r.weight / r.scale[:, None]
    return f @ weight + (r.bias - r.mean @ weight)


def accuracy(r: Readout, f: Tensor, y: Tensor) -> float:
    return float((scores(r, f).argmax(1) == y).double().mean())


def fit(f: Tensor, y: Tensor, n_classes: int, l2: float, iterations: int, standardise: bool = True) -> Readout:
    """Minimise  mean cross-entropy + l2 sum weight^2  from zero, by full-batch L-BFGS.

    f (N, F), y (N,) int64. The bias goes free. Features are centred and divided by their sd + 1e-3: the
    millesimal keeps a unit that never moves from being blown up.
    """
    one, zero = torch.ones(f.shape[1], device=f.device), torch.zeros(f.shape[1], device=f.device)
    mean, scale = (f.mean(0), f.std(0, correction=0) + 1e-3) if standardise else (zero, one)
    x = (f - mean) / scale
    weight = torch.zeros(f.shape[1], n_classes, device=f.device, requires_grad=True)
    bias = torch.zeros(n_classes, device=f.device, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = cross_entropy(torch.addmm(bias, x, weight), y) + l2 * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return Readout(mean, scale, weight.detach(), bias.detach())


class Chosen(NamedTuple):
    readout: Readout
    figures: dict[str, float]


def choose(
    f: Tensor,
    y: Tensor,
    held_f: Tensor,
    held_y: Tensor,
    *,
    n_classes: int,
    l2: float,
    candidates: Sequence[float],
    iterations: int,
) -> Chosen:
    """Fit with the candidate that does best on the held-out samples, on all samples.

    Where nothing is held out, `l2` is used as given and `readout_l2_chosen` is 0.
    """
    figures = {"readout_l2_chosen": 0.0}
    if len(held_y):
        tried = {c: accuracy(fit(f, y, n_classes, c, iterations), held_f, held_y) for c in candidates}
        l2 = max(tried, key=lambda c: tried[c])
        figures = {"readout_l2_chosen": 1.0, "readout_validation_accuracy": tried[l2]}
        f, y = torch.cat([f, held_f]), torch.cat([y, held_y])
    readout = fit(f, y, n_classes, l2, iterations)
    return Chosen(readout, {**figures, "readout_l2": l2, "readout_train_accuracy": accuracy(readout, f, y)})
