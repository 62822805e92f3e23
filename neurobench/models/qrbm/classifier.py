"""Code shared by all QRBM learners: images become visible units, these become features, a readout classifies."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from neurobench.data.dataset import Batch, DataError, Split
from neurobench.metrics.operations import Operations, linear, population
from neurobench.models.common.exchange import Network
from neurobench.models.common.readout import Readout, Search, choose, scores
from neurobench.models.learner import Initial, Seeds, Sums, Task, TrainingRecord
from neurobench.problems import rbm as equations
from neurobench.problems.rbm import RBM

_BLOCK = 5000  # images whose features are computed at a time: bounds memory
_SEEN = 200  # training samples that are inspected for differences
_RARE = 0.02  # share of samples: a unit that differs in fewer hardly tells samples apart
_LEAST = 0.1  # share of the values that differ, of which fewer as binary ones are reported: images have most of them


def visible(x: Tensor, threshold: float | None, side: int | None = None) -> Tensor:
    """Visible units, (B, ...) in [0, 1] -> (B, V): 1 where a pixel exceeds the threshold; unchanged if that is None.

    With `side`, images (B, C, H, W) are first downsampled to side x side pixels.
    """
    flat = (x if side is None else averaged(x, side)).flatten(1)
    return flat if threshold is None else torch.gt(flat, threshold, out=torch.empty_like(flat))


def averaged(x: Tensor, side: int) -> Tensor:
    """Downsample: each of side x side pixels is the mean over its area, fractions included.   -> (B, C, side, side)"""

    def overlaps(pixels: int) -> Tensor:
        """Weight of pixel p in the mean over the s-th of `side` equal intervals: (pixels, side), columns sum to 1."""
        edges = torch.arange(side + 1, dtype=torch.float64) * pixels / side
        p = torch.arange(pixels, dtype=torch.float64)[:, None]
        return (torch.minimum(edges[1:], p + 1) - torch.maximum(edges[:-1], p)).clamp(min=0) * side / pixels

    down, across = (overlaps(pixels).to(x) for pixels in x.shape[-2:])
    return down.t() @ x @ across


def require_images(x: Any) -> None:
    """Check training images. Raises DataError if there are none, for pixels outside [0, 1], and for constant images."""
    assert isinstance(x, Tensor)  # holds for layouts "image" and "vector"
    if not len(x):
        raise DataError("the training split is empty: there is nothing to learn from")
    low, high = (float(bound) for bound in torch.aminmax(x))
    if not (low >= 0 and high <= 1):  # also if either is NaN
        scale = " (0 to 255? divide by 255)" if high > 1 else ""
        raise DataError(f"training pixels span [{low:g}, {high:g}]; they must be finite and in [0, 1]{scale}")
    if low == high:
        raise DataError(f"every training pixel is {low:g}: a constant image set has nothing to learn")


class Classifier:
    """Base class of the learners: logistic regression on `features`, fitted once after training."""

    def __init__(self, spec: Any, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec: Any = spec  # has `threshold` and the readout's settings
        self.task, self.seeds, self.device = task, seeds, device
        self.readout: Readout | None = None

    def start(self, train: Split, initial: Initial | None) -> None:
        require_images(train.x)
        if self.threshold is not None:
            self._warn_of_constant_units(train.limited(_SEEN).x)

    def _warn_of_constant_units(self, x: Any) -> None:
        """Warn if the threshold leaves hardly any difference between samples, as of columns that an outlier scaled."""
        pixels, units = x.flatten(1), self.pixels(x)
        ones = units.mean(0)
        differing, left = int((pixels != pixels[0]).any(0).sum()), int((torch.minimum(ones, 1 - ones) >= _RARE).sum())
        if left / units.shape[1] < _LEAST * differing / pixels.shape[1]:
            warnings.warn(
                f"{units.shape[1] - left} of {units.shape[1]} inputs lie on the same side of model.threshold="
                f"{self.threshold:.3g} in nearly all samples, though {differing} of {pixels.shape[1]} values differ: "
                "outliers may have scaled them. Another threshold, or grey pixels, keeps their differences",
                stacklevel=3,
            )

    @property
    def threshold(self) -> float | None:
        return self.spec.threshold

    def pixels(self, x: Any) -> Tensor:
        """Visible units (B, V) of images."""
        return visible(x, self.threshold).to(self.device)

    def features_of(self, v: Tensor) -> Tensor:
        """Features of visible units for the readout: (B, V) -> (B, F)."""
        return v

    def features(self, *images: Any) -> Tensor:
        """Features of all samples of `images`, concatenated.   -> (N, F)"""
        blocks = (block for some in images for block in some.split(_BLOCK))
        parts, n = (self.features_of(self.pixels(block)) for block in blocks), sum(map(len, images))
        first = next(parts)
        features, begin = first.new_empty(n, first.shape[1]), 0  # torch.cat would hold them twice: gigabytes
        for part in chain([first], parts):
            features[begin : begin + len(part)] = part
            begin += len(part)
        return features

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Fit the readout."""
        return self.fit_readout(train, validation, [train.x])

    def fit_readout(self, train: Split, validation: Split, images: Sequence[Any]) -> Mapping[str, float]:
        """Choose l2 on the validation split and fit weights on both; `images`: the training split's and copies of
        them."""
        spec = self.spec
        features = self.features(*images, validation.x)
        y = torch.cat([*(train.y for _ in images), validation.y]).to(self.device)
        search = Search(spec.l2, spec.l2_candidates, spec.readout_iterations, self.seeds.training)
        self.readout, figures = choose(features, y, len(validation), self.task.n_classes, search)
        return figures

    def predict(self, x: Any) -> Tensor:
        return scores(self.fitted, self.features(x))

    @property
    def fitted(self) -> Readout:
        if self.readout is None:
            raise RuntimeError("predict before finalize: the readout is not fitted yet")
        return self.readout

    def state_dict(self) -> dict[str, Any]:
        return {"readout": None if self.readout is None else dict(self.readout._asdict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        stored = state["readout"]
        self.readout = None if stored is None else Readout(**copied(stored, self.device))


class MachineClassifier(Classifier):
    """Base class of the learners that have a machine, whose hidden units are the features."""

    rbm: RBM

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image as the machine sees it."""
        return self.task.shape

    def features_of(self, v: Tensor) -> Tensor:
        return equations.p_hidden(self.rbm, v)

    def measure(self, batch: Batch) -> Sums:
        """Mean-field reconstruction error, since contrastive divergence minimises no loss."""
        v = self.pixels(batch.x)
        error = equations.reconstruction_error(v, equations.reconstruct(self.rbm, v))
        return Sums(extra={"reconstruction_mse": float(error.sum())})

    def reconstruct(self, x: Any) -> Tensor:
        """Mean-field reconstruction (B, V) of images in [0, 1]."""
        return equations.reconstruct(self.rbm, self.pixels(x))


def random_rbm(layers: tuple[int, ...], sd: float, seed: int, device: torch.device) -> RBM:
    """Machine with random weights: W ~ N(0, sd), a = b = 0."""
    W = torch.randn(layers, generator=torch.Generator().manual_seed(seed)) * sd
    return RBM(W.to(device), *(torch.zeros(units, device=device) for units in layers))


def both(rbm: RBM, v: Tensor) -> Tensor:
    """Features p(h|v) and b + vW, from which it is computed.   v (B, V) -> (B, 2 H)"""
    field = rbm.b + v @ rbm.W
    return torch.cat([torch.sigmoid(field), field], dim=1)


def copied(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Copies of tensors, since learning must not change a stored state."""
    return {name: tensor.to(device, copy=True) for name, tensor in tensors.items()}


def exports(learner: Classifier) -> Mapping[str, Callable[[], bytes]]:
    """Export formats, from samples in [0, 1] to scores: a machine's features, if there is one, and the readout."""

    def weights() -> dict[str, Tensor]:
        named = {f"readout.{name}": part for name, part in learner.fitted._asdict().items()}
        machine = learner.rbm._asdict() if isinstance(learner, MachineClassifier) else {}
        return named | {f"rbm.{name}": part for name, part in machine.items()}

    def compute(x: Tensor) -> Tensor:
        return scores(learner.fitted, learner.features_of(learner.pixels(x)))

    return Network("this classifier", compute, learner.task.shape, weights).formats()


def operations(learner: Classifier, x: Any) -> Operations:
    """Operations of v (B, V) -> hidden probabilities (B, H) of a machine -> features (B, F) -> classes, without a
    sampler. Binary pixels count as spikes."""
    readout, v, spikes = learner.fitted, learner.pixels(x), learner.threshold is not None
    connections, populations, features = [], [], learner.features_of(v)
    weights: dict[str, Tensor] = {}
    if isinstance(learner, MachineClassifier):
        rbm = learner.rbm
        connections = [linear("visible_hidden", rbm.W.t(), v, spikes=spikes)]
        populations = [population("hidden", features[:, : len(rbm.b)])]  # p(h|v) comes first
        weights, spikes = {"W": rbm.W, "b": rbm.b}, False
    return Operations(
        samples=len(v),
        steps=len(v),
        connections=[*connections, linear("readout", readout.weight.t(), features, spikes=spikes)],
        populations=populations,
        parameters={**weights, "weight": readout.weight, "bias": readout.bias},
        buffers={"mean": readout.mean, "scale": readout.scale},
    )
