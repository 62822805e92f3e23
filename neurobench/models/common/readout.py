"""Multinomial logistic regression on fixed features, by scikit-learn."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.phases import phase, tracked
from neurobench.process import importing

_SUBSET = 10_000  # samples on which l2 is chosen: of 55,000 MNIST images these rank the candidates alike
_NEVER = -1e6  # bias of a class that has no samples: below every score, and its cross-entropy stays finite


class Readout(NamedTuple):
    """scores = ((f - mean) / scale) weight + bias"""

    mean: Tensor  # (F,)
    scale: Tensor  # (F,)
    weight: Tensor  # (F, C)
    bias: Tensor  # (C,)


class Search(NamedTuple):
    """How a readout is fitted; a model's settings of the same names, and the seed of the subset."""

    l2: float  # taken where no samples are held out
    candidates: tuple[float, ...]
    iterations: int  # of L-BFGS, at most
    seed: int


class Chosen(NamedTuple):
    readout: Readout
    figures: dict[str, float]


def scores(r: Readout, f: Tensor) -> Tensor:
    """f (B, F) -> (B, C), highest for the predicted class."""
    weight = r.weight / r.scale[:, None]
    return f @ weight + (r.bias - r.mean @ weight)


def accuracy(r: Readout, f: Tensor, y: Tensor) -> float:
    return float((scores(r, f).argmax(1) == y).double().mean())


def fit(
    f: Tensor,
    y: Tensor,
    n_classes: int,
    l2: float,
    iterations: int,
    *,
    standardise: bool = True,
    start: Readout | None = None,
) -> Readout:
    """Minimise  mean cross-entropy + l2 sum weight^2  by scikit-learn's L-BFGS; the bias is not penalised.

    f (N, F), y (N,) int64. Begins at the weights of `start`, else at 0; stops where no derivative exceeds 1e-4
    (scikit-learn's default) or after `iterations`. With `standardise`, features are centred and divided by their
    sd + 1e-3: a unit that hardly moves is not blown up.
    """
    mean, scale = torch.zeros_like(f[0]), torch.ones_like(f[0])
    if standardise:
        mean, scale = f.mean(0), f.std(0, correction=0) + 1e-3
    classes = y.unique()
    weight, bias = f.new_zeros(f.shape[1], n_classes), f.new_full((n_classes,), _NEVER)
    if len(classes) == 1:
        bias[classes] = 0
    else:
        x = f.sub(mean).div_(scale).cpu().numpy() if standardise else f.cpu().numpy()
        begin = None
        if start is not None and bool((start.bias[classes] > _NEVER).all()):
            begin = start.weight[:, classes], start.bias[classes]
        fitted = _minimise(x, y.cpu().numpy(), l2, iterations, begin)
        weight[:, classes], bias[classes] = (part.to(f) for part in fitted)
    return Readout(mean, scale, weight, bias)


def _minimise(
    x: np.ndarray, y: np.ndarray, l2: float, iterations: int, begin: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Weight (F, C) and bias (C,) of the classes in y.

    scikit-learn minimises  strength sum cross-entropy + sum weight^2 / 2,  strength = 1 / (2 l2 N). Of two classes it
    has one column w alone: the columns -w/2 and w/2 give the same probabilities with half the squares, so that twice
    the strength is the same minimum.
    """
    with importing("scikit-learn"):
        from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    two = len(np.unique(y)) == 2
    strength = (2 if two else 1) / (2 * l2 * len(y)) if l2 else np.inf
    model = LogisticRegression(C=strength, max_iter=iterations, warm_start=True)
    if begin is not None:
        coef, intercept = (part.cpu().numpy().T for part in begin)
        model.coef_, model.intercept_ = (c[1:] - c[:1] if two else c for c in (coef, intercept))
    # One thread: products this small wait for their threads more than they gain by them. 16 threads took 7 times as
    # long as one, two on cores that others use as well 27 times. And the bits are the same whatever `threads` is.
    with threadpool_limits(1), warnings.catch_warnings():  # `iterations` is a budget, not a promise
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        model.fit(x, y)
    weight, bias = torch.from_numpy(model.coef_.T), torch.from_numpy(model.intercept_)
    return (torch.cat([-weight, weight], 1) / 2, torch.cat([-bias, bias]) / 2) if two else (weight, bias)


def choose(f: Tensor, y: Tensor, held_f: Tensor, held_y: Tensor, n_classes: int, search: Search) -> Chosen:
    """Fit all samples with the l2 that does best on the held-out samples after a fit of a subset of the others.

    Candidates are tried from the largest to the smallest, and every fit begins at the weights of one before. Where
    nothing is held out, `search.l2` is used as given and `readout_l2_chosen` is 0.
    """
    l2, figures = search.l2, {"readout_l2_chosen": 0.0}
    start: Readout | None = None
    if len(held_y):
        some = stratified(y, _SUBSET, search.seed)
        f_some, y_some = f[some], y[some]
        share = len(some) / len(y)  # N l2, which stands for the prior of the weights, is that of the fit of all samples
        tried: dict[float, Readout] = {}
        for candidate in tracked("choosing the readout's penalty", sorted(search.candidates, reverse=True)):
            start = next(reversed(tried.values()), None)
            tried[candidate] = fit(f_some, y_some, n_classes, candidate / share, search.iterations, start=start)
        l2 = max(tried, key=lambda c: accuracy(tried[c], held_f, held_y))  # of equals the largest
        with phase("fitting the readout"):
            start = fit(f, y, n_classes, l2, search.iterations, start=tried[l2])
        figures = {"readout_l2_chosen": 1.0, "readout_validation_accuracy": accuracy(start, held_f, held_y)}
        f, y = torch.cat([f, held_f]), torch.cat([y, held_y])
    with phase("fitting the readout"):
        readout = fit(f, y, n_classes, l2, search.iterations, start=start)
    return Chosen(readout, {**figures, "readout_l2": l2, "readout_train_accuracy": accuracy(readout, f, y)})


def stratified(y: Tensor, size: int, seed: int) -> Tensor:
    """Positions in y (N,) of `size` samples, or of all, each class in its share to within one. Drawn with `seed`."""
    size = min(size, len(y))
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed)).to(y.device)
    by_class = shuffled[y[shuffled].argsort(stable=True)]
    return by_class[torch.arange(size, device=y.device) * len(y) // size]
