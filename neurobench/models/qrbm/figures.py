"""Figures of what a machine has learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.models.learner import TrainingRecord
from neurobench.models.qrbm.classifier import MachineClassifier

COLUMNS, SHOWN = 10, 50  # test images


def figures(learner: MachineClassifier, test: Split, record: TrainingRecord) -> Mapping[str, Figure]:
    shown = test.head(SHOWN)
    v, q = learner.pixels(shown.x).cpu(), learner.reconstruct(shown.x).cpu()
    predicted = learner.predict(shown.x).argmax(1).cpu()
    return {
        "filters": filters(learner.rbm.W.cpu(), learner.shape),
        "reconstructions": reconstructions(v, q, shown.y, predicted, learner.shape),
    }


def filters(W: Tensor, shape: tuple[int, ...], shown: int = 100) -> Figure:
    """W (V, H): weights of the hidden units with the largest norms, each on its own scale. shape: of one image."""
    strongest = W.square().sum(0).argsort(descending=True)[:shown]
    tiles = W[:, strongest].t()
    tiles = tiles / tiles.abs().amax(1, keepdim=True).clamp(min=1e-12)
    rows = -(-len(tiles) // COLUMNS)
    figure = Figure(figsize=(6, 0.51 * rows), layout="constrained")
    axes = figure.add_subplot()
    images = [torch.nn.functional.pad(_image(tile, shape), (0, 1, 0, 1)) for tile in tiles]  # a pixel apart
    images += [torch.zeros_like(images[0])] * (-len(images) % COLUMNS)
    lines = [torch.cat(images[n : n + COLUMNS], dim=1) for n in range(0, len(images), COLUMNS)]
    picture = axes.imshow(torch.cat(lines).numpy(), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    figure.colorbar(picture, ax=axes, fraction=0.045, pad=0.01, label="weight / largest of its unit")
    return figure


def reconstructions(x: Tensor, q: Tensor, y: Tensor, predicted: Tensor, shape: tuple[int, ...]) -> Figure:
    """Each image above its reconstruction, titled "predicted (t=target)" as in the tutorial; errors in red.

    x, q (B, V) in [0, 1]; y, predicted (B,).
    """
    rows = -(-len(x) // COLUMNS)
    figure = Figure(figsize=(7.5, 1.68 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for n, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if n >= len(x):
            continue
        pair = torch.cat([_image(x[n], shape), _image(q[n], shape)])
        axes.imshow(pair.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        wrong = predicted[n] != y[n]
        colour, weight = ("#b2182b", "bold") if wrong else ("black", "normal")
        axes.set_title(f"{int(predicted[n])} (t={int(y[n])})", fontsize=8, pad=2, color=colour, fontweight=weight)
    return figure


def _image(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(V,) -> (rows, columns): channels one below the other; a sample that is no image becomes a single row."""
    return flat.reshape(-1, shape[-1])
