"""The figures of `figures.figures`, drawn. A second process may draw them: no torch is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neurobench.figures.gallery import gallery
from neurobench.figures.style import COLUMN, SIGNED, class_name, short

COLUMNS = 10  # pictures in a row


def filters(W: np.ndarray, shape: tuple[int, ...], shown: int = 100) -> Figure:
    """Weights of the hidden units with the largest norms, each scaled separately. W (V, H); shape: of one image."""
    strongest = np.argsort(-np.square(W).sum(0), kind="stable")[:shown]
    tiles = W[:, strongest].T
    tiles = tiles / np.abs(tiles).max(1, keepdims=True).clip(min=1e-12)
    rows = -(-len(tiles) // COLUMNS)
    figure = Figure(figsize=(COLUMN, 0.75 + 0.32 * rows), layout="constrained")
    axes = figure.add_subplot()
    images = [np.pad(_image(tile, shape), (0, 1)) for tile in tiles]  # a pixel apart
    images += [np.zeros_like(images[0])] * (-len(images) % COLUMNS)
    lines = [np.concatenate(images[n : n + COLUMNS], axis=1) for n in range(0, len(images), COLUMNS)]
    picture = axes.imshow(np.concatenate(lines), cmap=SIGNED, vmin=-1, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"the {len(tiles)} hidden units of largest norm")
    figure.colorbar(picture, ax=axes, location="bottom", aspect=40, pad=0.02, label="weight / largest of the unit")
    return figure


def labelled_samples(x: np.ndarray, y: np.ndarray, shape: tuple[int, ...], classes: Sequence[str] = ()) -> Figure:
    """Images (B, V) in [0, 1] as the machine sees them, titled with their classes (B,)."""
    names = [short(class_name(classes, int(k)), 8) for k in y]
    return gallery([_image(flat, shape) for flat in x], names, [False] * len(names), columns=COLUMNS)


def reconstructions(
    x: np.ndarray,
    q: np.ndarray,
    y: np.ndarray,
    predicted: np.ndarray,
    shape: tuple[int, ...],
    classes: Sequence[str] = (),
) -> Figure:
    """Each image above its reconstruction, under "predicted (t=target)" as in the tutorial; mistakes are highlighted.

    x, q (B, V) in [0, 1]; y, predicted (B,); classes: their names, if the data have any.
    """
    named = any(len(name) > 2 for name in classes)
    form = "{}\n(t={})" if named else "{} (t={})"
    pairs = [(class_name(classes, int(k)), class_name(classes, int(t))) for k, t in zip(predicted, y, strict=True)]
    return gallery(
        [np.concatenate([_image(above, shape), _image(below, shape)]) for above, below in zip(x, q, strict=True)],
        [form.format(*(short(name, 12) for name in pair)) for pair in pairs],
        (predicted != y).tolist(),
        columns=5 if named else 8,
    )


def _image(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Picture of a sample, (V,) -> (rows, columns): channels one below the other; a non-image becomes a single row."""
    return flat.reshape(-1, shape[-1])
