"""Multinomial logistic regression on fixed features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.adaptive_threads import AdaptiveThreads
from neurobench.kernels.aligned import on_lines
from neurobench.kernels.softmax import CLASSES, FEATURES, cross_entropy
from neurobench.phases import phase, tracked
from neurobench.process import importing

_SUBSET = 10_000  # samples on which l2 is chosen: they rank the candidates as all 55,000 MNIST images do
_PART = 1000  # samples per block, which fits into the cache: `Tensor.std` takes 5 times as long
_adaptive = AdaptiveThreads()  # chooses the threads of passes over the samples, across successive fits
_NEVER = -1e6  # bias of a class without samples: below every score, yet its cross-entropy stays finite


class Readout(NamedTuple):
    """Fitted regression: scores = ((f - mean) / scale) weight + bias."""

    mean: Tensor  # (F,)
    scale: Tensor  # (F,)
    weight: Tensor  # (F, C)
    bias: Tensor  # (C,)


class Search(NamedTuple):
    """Settings of a readout's fit, from those of the model, and the seed of the subset."""

    l2: float  # used if no samples are held out
    candidates: tuple[float, ...]
    iterations: int  # of L-BFGS, at most
    seed: int


class Chosen(NamedTuple):
    readout: Readout
    figures: dict[str, float]


def scores(r: Readout, f: Tensor) -> Tensor:
    """Scores (B, C) of features f (B, F), highest for the predicted class."""
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
    """Minimise  mean cross-entropy + l2 sum weight^2  by L-BFGS; the bias is not penalised.

    f (N, F), y (N,) int64. Starts at the weights of `start`, else at 0; stops when no derivative exceeds 1e-4
    (scikit-learn's default) or after `iterations`. With `standardise`, features are centred and divided by their
    sd + 1e-3, so that an almost constant unit is not amplified. Raises ValueError if features are not finite.
    """
    x = on_lines((len(f), _padded(f.shape[1], FEATURES)), np.float32)  # numpy's memory has large pages, torch's none
    x[:, f.shape[1] :] = 0
    inside, given = torch.from_numpy(x)[:, : f.shape[1]], f.cpu()
    mean, scale = torch.zeros_like(given[0]), torch.ones_like(given[0])
    if standardise:
        mean = given.mean(0)
        squares = sum((part - mean).square_().sum(0) for part in given.split(_PART))
        scale = (squares / len(f)).sqrt() + 1e-3
    for part, place in zip(given.split(_PART), inside.split(_PART), strict=True):
        place.copy_((part - mean).div_(scale) if standardise else part)
    classes, labels = y.unique(return_inverse=True)
    weight, bias = f.new_zeros(f.shape[1], n_classes), f.new_full((n_classes,), _NEVER)
    if len(classes) == 1:
        bias[classes] = 0
    else:
        begin = f.new_zeros(f.shape[1], len(classes)), f.new_zeros(len(classes))
        if start is not None and bool((start.bias[classes] > _NEVER).all()):
            begin = start.weight[:, classes], start.bias[classes]
        fitted = _minimise(x, labels.cpu().numpy(), l2, iterations, begin)
        weight[:, classes], bias[classes] = (part.to(f) for part in fitted)
    return Readout(mean.to(f), scale.to(f), weight, bias)


def _minimise(
    x: np.ndarray, y: np.ndarray, l2: float, iterations: int, begin: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Weight (F, C) and bias (C,), computed by SciPy's L-BFGS starting at `begin`.

    Stops when scikit-learn's LogisticRegression would, which takes 3 times as long on one thread: `bench_readout.py`.
    """
    with importing("SciPy"):
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

    features, n_classes = begin[0].shape
    n_weights = features * n_classes
    weight = np.zeros((_padded(n_classes, CLASSES), x.shape[1]), np.float32)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean cross-entropy + l2 sum weight^2, and its derivatives."""
        w, b = parameters[:n_weights].reshape(n_classes, features), parameters[n_weights:]
        weight[:n_classes, :features] = w
        total, by_weight, by_bias = _adaptive(cross_entropy, x, y, weight, b.astype(np.float32))
        by_weight = by_weight[:n_classes, :features] / len(x) + 2 * l2 * w
        return total / len(x) + l2 * np.square(w).sum(), np.concatenate([by_weight.ravel(), by_bias / len(x)])

    start = torch.cat([begin[0].t().flatten(), begin[1]]).double().cpu().numpy()
    options = {"maxiter": iterations, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
    with threadpool_limits(1, "blas"):  # idle threads of BLAS spin and would occupy the kernel's cores
        minimum = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    if not np.isfinite(minimum.fun):
        raise ValueError("a logistic regression cannot be fitted: its features are not finite")
    w, b = minimum.x[:n_weights].reshape(n_classes, features), minimum.x[n_weights:]
    return torch.from_numpy(w.T), torch.from_numpy(b)


def _padded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def choose(f: Tensor, y: Tensor, held_out: int, n_classes: int, search: Search) -> Chosen:
    """Fit all samples with the l2 that scores best on the last `held_out` of them after a fit of a subset of the rest.

    Candidates are tried from the largest to the smallest, and every fit starts at the weights of an earlier one. If
    nothing is held out, `search.l2` is used as given and `readout_l2_chosen` is 0.
    """
    l2, figures = search.l2, {"readout_l2_chosen": 0.0}
    start: Readout | None = None
    if held_out:
        (seen_f, held_f), (seen_y, held_y) = (all_of.split([len(y) - held_out, held_out]) for all_of in (f, y))
        some = stratified(seen_y, _SUBSET, search.seed)
        f_some, y_some = seen_f[some], seen_y[some]
        share = len(some) / len(seen_y)  # keeps N l2, the prior of the weights, as for all of them
        tried: dict[float, Readout] = {}
        for candidate in tracked("choosing the readout's penalty", sorted(search.candidates, reverse=True)):
            start = next(reversed(tried.values()), None)
            tried[candidate] = fit(f_some, y_some, n_classes, candidate / share, search.iterations, start=start)
        l2 = max(tried, key=lambda c: accuracy(tried[c], held_f, held_y))  # the largest of equals
        with phase("fitting the readout"):
            start = fit(seen_f, seen_y, n_classes, l2, search.iterations, start=tried[l2])
        figures = {"readout_l2_chosen": 1.0, "readout_validation_accuracy": accuracy(start, held_f, held_y)}
    with phase("fitting the readout"):
        readout = fit(f, y, n_classes, l2, search.iterations, start=start)
    return Chosen(readout, {**figures, "readout_l2": l2, "readout_train_accuracy": accuracy(readout, f, y)})


def stratified(y: Tensor, size: int, seed: int) -> Tensor:
    """Indices into y (N,) of `size` samples, or of all if fewer, drawn with `seed`; each class in its share to within
    one."""
    size = min(size, len(y))
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed)).to(y.device)
    by_class = shuffled[y[shuffled].argsort(stable=True)]
    return by_class[torch.arange(size, device=y.device) * len(y) // size]
