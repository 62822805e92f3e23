"""Points of the plane in three classes, and the regions that a classifier parts it into, in the tutorial's colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

COLOURS = ("black", "white", "orange")
RGB = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.647, 0.0]])
GRAY = 0.5
NAMES = ("0 (yin)", "1 (yang)", "2 (dot)")  # index 0 is called yin by the published code, whose yin test gives 1
SHOWN = 2000  # points, as in the tutorial


class Regions(NamedTuple):
    """Class probabilities over the unit square at one moment."""

    title: str
    coarse: Tensor  # (Y, X, 3)
    fine: Tensor  # (Y, X, 3)


def dataset(x: Tensor, y: Tensor) -> Figure:
    """The first 2000 samples. x (N, 4), y (N,)."""
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, (colour, name) in enumerate(zip(COLOURS, NAMES, strict=True)):
        points = x[:SHOWN][y[:SHOWN] == number]
        axes.scatter(points[:, 0], points[:, 1], s=9, c=colour, label=name)
    _square(axes)
    axes.set_facecolor("gray")
    axes.legend(loc="upper left", fontsize=8, facecolor="gray", framealpha=1, labelcolor="white")
    axes.set_title(f"{min(len(y), SHOWN)} samples of the test set")
    return figure


def still(regions: Regions) -> Figure:
    figure, _ = _frame(regions)
    return figure


def animation(frames: Sequence[Regions], seconds: float = 0.15) -> bytes:
    """A GIF; the last frame stays for two seconds. Axes are drawn once, the rest is laid over them."""
    figure, images = _frame(frames[0])
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(80)
    title = figure.suptitle("")
    for artist in (*images, title):
        artist.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)
    pictures = []
    for regions in frames:
        canvas.restore_region(background)
        for image, probabilities in zip(images, (regions.coarse, regions.fine), strict=True):
            image.set_data(picture(probabilities))
            for artist in (image, *image.axes.spines.values()):
                image.axes.draw_artist(artist)
        title.set_text(regions.title)
        figure.draw_artist(title)
        pictures.append(
            Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(32, Image.Quantize.FASTOCTREE)
        )
    durations = [int(1000 * seconds)] * (len(pictures) - 1) + [2000]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return file.getvalue()


def picture(probabilities: Tensor) -> np.ndarray:
    """(Y, X, 3) probabilities -> (Y, X, 3) colours: each class laid over the last, as opaque as it is probable."""
    colours = torch.full_like(probabilities, GRAY)
    for number in range(probabilities.shape[-1]):
        p = probabilities[..., number, None]
        colours = p * RGB[number] + (1 - p) * colours
    return colours.clamp(0, 1).numpy()


def _frame(regions: Regions) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(7.6, 4.3), layout="constrained")
    images = []
    for axes, probabilities in zip(figure.subplots(1, 2), (regions.coarse, regions.fine), strict=True):
        shown = picture(probabilities)
        images.append(axes.imshow(shown, origin="lower", extent=(0, 1, 0, 1), interpolation="nearest"))
        _square(axes)
        axes.set_title(f"{len(probabilities)} x {len(probabilities)} points", fontsize=9)
    figure.suptitle(regions.title)
    return figure, images


def _square(axes: Axes) -> None:
    axes.set_aspect("equal")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("x")
    axes.set_ylabel("y")
