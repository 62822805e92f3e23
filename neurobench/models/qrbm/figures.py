"""Figures of a trained restricted Boltzmann machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.gallery import gallery
from neurobench.figures.style import COLUMN, SIGNED, class_name, short
from neurobench.models.learner import TrainingRecord
from neurobench.models.qrbm.classifier import MachineClassifier

COLUMNS = 10  # pictures in a row
SHOWN = 50  # test images, as in the tutorial


def figures(learner: MachineClassifier, test: Split, record: TrainingRecord) -> Mapping[str, Figure]:
    shown = test.head(SHOWN)
    v, q = learner.pixels(shown.x).cpu(), learner.reconstruct(shown.x).cpu()
    predicted = learner.predict(shown.x).argmax(1).cpu()
    return {
        "test_samples": labelled_samples(v, shown.y, learner.shape, test.classes),
        "filters": filters(learner.rbm.W.cpu(), learner.shape),
        "reconstructions": reconstructions(v, q, shown.y, predicted, learner.shape, test.classes),
    }


def filters(W: Tensor, shape: tuple[int, ...], shown: int = 100) -> Figure:
    """Weights of the hidden units with the largest norms, each scaled separately. W (V, H); shape: of one image."""
    strongest = W.square().sum(0).argsort(descending=True)[:shown]
    tiles = W[:, strongest].t()
    tiles = tiles / tiles.abs().amax(1, keepdim=True).clamp(min=1e-12)
    rows = -(-len(tiles) // COLUMNS)
    figure = Figure(figsize=(COLUMN, 0.75 + 0.32 * rows), layout="constrained")
    axes = figure.add_subplot()
    images = [torch.nn.functional.pad(_image(tile, shape), (0, 1, 0, 1)) for tile in tiles]  # a pixel apart
    images += [torch.zeros_like(images[0])] * (-len(images) % COLUMNS)
    lines = [torch.cat(images[n : n + COLUMNS], dim=1) for n in range(0, len(images), COLUMNS)]
    picture = axes.imshow(torch.cat(lines).numpy(), cmap=SIGNED, vmin=-1, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"the {len(tiles)} hidden units of largest norm")
    figure.colorbar(picture, ax=axes, location="bottom", aspect=40, pad=0.02, label="weight / largest of the unit")
    return figure


def labelled_samples(x: Tensor, y: Tensor, shape: tuple[int, ...], classes: Sequence[str] = ()) -> Figure:
    """Images (B, V) in [0, 1] as the machine sees them, titled with their classes (B,)."""
    names = [short(class_name(classes, int(k)), 8) for k in y]
    return gallery([_image(flat, shape) for flat in x], names, [False] * len(names), columns=COLUMNS)


def reconstructions(
    x: Tensor, q: Tensor, y: Tensor, predicted: Tensor, shape: tuple[int, ...], classes: Sequence[str] = ()
) -> Figure:
    """Each image above its reconstruction, under "predicted (t=target)" as in the tutorial; mistakes are highlighted.

    x, q (B, V) in [0, 1]; y, predicted (B,); classes: their names, if the data have any.
    """
    named = any(len(name) > 2 for name in classes)
    form = "{}\n(t={})" if named else "{} (t={})"
    pairs = [(class_name(classes, int(k)), class_name(classes, int(t))) for k, t in zip(predicted, y, strict=True)]
    return gallery(
        [torch.cat([_image(above, shape), _image(below, shape)]) for above, below in zip(x, q, strict=True)],
        [form.format(*(short(name, 12) for name in pair)) for pair in pairs],
        (predicted != y).tolist(),
        columns=5 if named else 8,
    )


def _image(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Picture of a sample, (V,) -> (rows, columns): channels one below the other; a non-image becomes a single row."""
    return flat.reshape(-1, shape[-1])
