"""Figures of a run: the tutorial's, if the data are points of a plane, and those of training and device."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.devices.mac.calibration import WEIGHT, Fit, Patterns, fit, fit_patterns, is_linear, within
from neurobench.devices.mac.protocol import COLUMNS, ROWS, W_MAX, AnalogMac
from neurobench.figures.classmap import COLOURS, blend
from neurobench.figures.style import (
    COLUMN,
    DEVICE,
    IDEAL,
    LIMIT,
    ORDERED,
    TRAIN,
    align_ylabels,
    class_label,
    few_ticks,
    in_per_cent,
    legend,
    series,
    stack,
)
from neurobench.kernels.random import derive
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.hxtorch.network import grid_points
from neurobench.models.learner import TrainingRecord

SHOWN = 2000  # points, as in the tutorial
GRIDS = (16, 64)  # points along a side: the tutorial's grid, and one that shows the border
MILLISECONDS, LAST = 150, 2000  # duration of a frame, and of the last one
INPUTS, REPEATS = range(0, 17, 2), 20  # for the curves
_CURVES, _COLUMNS, _CALIBRATION = range(3)  # purposes of random draws


def figures(learner: HXTorchMLPLearner, test: Split, record: TrainingRecord) -> Mapping[str, Figure | bytes]:
    """Figures of a run, by file name without suffix; bytes are a GIF."""
    drawn: dict[str, Figure | bytes] = {}
    if isinstance(test.x, Tensor) and _of_a_plane(test.x) and learner.task.n_classes == len(COLOURS):
        frames = [(label, state) for label, state in record.snapshots.items() if label.startswith("frame/")]
        regions = [class_regions(learner, int(label.removeprefix("frame/")), state) for label, state in frames]
        drawn["dataset"] = dataset(test.x, test.y, test.classes)
        if regions:
            drawn["decision_regions"] = _frame(regions[-1])[0]
            drawn["decision_regions_over_training"] = animation(regions)
    if record.updates:
        drawn["training"] = training(record.updates, learner.begun, learner.cap)
    if not learner.spec.exact:
        drawn["output_against_weight"] = output_against_weight(learner.mac, learner.device)
        drawn["columns"] = columns(learner.mac, learner.device)
        patterns = fit_patterns(learner.mac, derive(_CALIBRATION), learner.device)
        if is_linear(patterns):  # not at a large gain, which an ideal device and `compat` accept
            drawn["calibration"] = calibration(learner.mac, patterns)
    return drawn


def _of_a_plane(x: Tensor) -> bool:
    """Whether samples are (x, y, 1 - x, 1 - y), as in the tutorial."""
    return x.shape[1:] == (4,) and torch.allclose(x[:, :2] + x[:, 2:], torch.ones(()), atol=1e-3)


class Regions(NamedTuple):
    """Class probabilities over the unit square at one moment."""

    title: str
    maps: tuple[Tensor, ...]  # (Y, X, 3) on each grid


@torch.no_grad()
def class_regions(learner: HXTorchMLPLearner, done: int, snapshot: dict[str, Any]) -> Regions:
    """Class probabilities after `done` updates, computed on that phase's device or model."""
    phase = learner.spec.plan[snapshot["phase"]]
    net, mac = learner.net.with_weights(snapshot["weights"]), learner.device_of(phase)
    maps = []
    for side in GRIDS:
        logits = learner.forward(learner.inputs(grid_points(side)), mac, done, net).logits
        maps.append(torch.softmax(phase.logit_scale * logits, 1).reshape(side, side, -1).transpose(0, 1).cpu())
    where = "on the host's model" if phase.where == "host" else "on the device"
    return Regions(f"update {done}, {where}", tuple(maps))


def dataset(x: Tensor, y: Tensor, classes: Sequence[str] = ()) -> Figure:
    """Scatter plot of the first 2000 samples."""
    figure = Figure(figsize=(COLUMN, COLUMN), layout="constrained")
    axes = figure.subplots()
    for number, colour in enumerate(COLOURS):
        points = x[:SHOWN][y[:SHOWN] == number]
        axes.scatter(points[:, 0], points[:, 1], s=2, c=colour)
    _square(axes)
    axes.set_facecolor("gray")
    axes.set_title(f"{min(len(y), SHOWN)} samples of the test set")
    names = [class_label(classes, number) for number in range(len(COLOURS))]
    patches = [Patch(facecolor=colour, edgecolor="black", linewidth=0.5) for colour in COLOURS]
    figure.legend(patches, names, loc="outside upper center", ncols=3, title="class")
    return figure


def animation(frames: Sequence[Regions]) -> bytes:
    """Class probabilities over training as a GIF. Axes are drawn once, and the rest over them."""
    figure, images = _frame(frames[0])
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(160)
    title = figure.suptitle("")
    for artist in (*images, title):
        artist.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)
    pictures = []
    for regions in frames:
        canvas.restore_region(background)
        for image, probabilities in zip(images, regions.maps, strict=True):
            image.set_data(blend(probabilities.numpy()))
            for artist in (image, *image.axes.spines.values()):
                image.axes.draw_artist(artist)
        title.set_text(regions.title)
        figure.draw_artist(title)
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        pictures.append(Image.fromarray(pixels).quantize(32, Image.Quantize.FASTOCTREE))
    durations = [MILLISECONDS] * (len(pictures) - 1) + [LAST]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return file.getvalue()


def _frame(regions: Regions) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(COLUMN, 2.2), layout="constrained")
    images = []
    panels = figure.subplots(1, 2, sharey=True)
    for axes, probabilities in zip(panels, regions.maps, strict=True):
        extent = (0, 1, 0, 1)
        images.append(axes.imshow(blend(probabilities.numpy()), origin="lower", extent=extent, interpolation="nearest"))
        _square(axes)
        axes.set_title(f"{len(probabilities)} x {len(probabilities)} points")
    panels[1].set_ylabel("")
    figure.suptitle(regions.title)
    return figure, images


def _square(axes: Axes) -> None:
    ticks = (0, 0.5, 1)
    axes.set(aspect="equal", xlim=(0, 1), ylim=(0, 1), xlabel="x", ylabel="y", xticks=ticks, yticks=ticks)


def training(updates: Mapping[str, Sequence[float]], begun: Mapping[str, int], cap: float | None) -> Figure:
    """Loss and accuracy over the updates, with the phases and the accuracy's upper bound."""
    figure, (loss, accuracy) = stack(2, height=1.5)
    _smoothed(loss, torch.tensor(updates["loss"]), begun)
    loss.set(yscale="log", ylabel="cross-entropy of\nscaled logits (nat)")
    lowest = _smoothed(accuracy, torch.tensor(updates["accuracy"]), begun)
    if cap is not None:
        label = f"limit of the rounded inputs, {cap:.2%}"
        accuracy.axhline(cap, color=LIMIT, linestyle="--", linewidth=0.8, label=label)
    accuracy.set(ylim=(max(0.0, lowest - 0.05), 1.01), ylabel="accuracy")
    few_ticks(accuracy, "update")
    look: dict[str, Any] = {"fontsize": 6, "color": LIMIT, "va": "bottom", "xycoords": ("data", "axes fraction")}
    for number, (phase, begin) in enumerate(begun.items()):  # a phase between two others is short
        side = "right" if 0 < number < len(begun) - 1 else "left"
        loss.annotate(f" {phase} ", (begin + 1, 1.0), ha=side, **look)
    in_per_cent(accuracy)
    align_ylabels((loss, accuracy))
    legend(figure, accuracy, columns=2)
    return figure


def _smoothed(axes: Axes, values: Tensor, begun: Mapping[str, int]) -> float:
    """Plot a curve over the updates, counted from 1, with its running mean, whose minimum is returned."""
    window = max(1, len(values) // 60)
    total = torch.cat([torch.zeros(1), values.cumsum(0)])
    mean = (total[window:] - total[:-window]) / window
    few: dict[str, Any] = {"marker": "o" if len(values) < 20 else None}
    if window > 1:
        axes.plot(
            range(1, len(values) + 1), values, color=TRAIN, linewidth=0.5, alpha=0.35, label="batch (before its update)"
        )
    label = f"mean of {window} batches" if window > 1 else "batch (before its update)"
    axes.plot(range(window, len(values) + 1), mean, color=TRAIN, label=label, **few)
    for begin in begun.values():
        axes.axvline(begin + 1, color=LIMIT, linewidth=0.7, linestyle=":")
    return float(mean.min())


def output_against_weight(mac: AnalogMac, device: torch.device) -> Figure:
    """Output against weight, all 128 rows alike; lines are means over columns and repeats, bands one sd."""
    figure = Figure(figsize=(COLUMN, 2.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = colormaps[ORDERED](np.linspace(0, 0.92, len(INPUTS)))
    weights = torch.arange(-W_MAX, W_MAX + 1, 3)
    inputs = torch.tensor([float(value) for value in INPUTS], device=device).repeat_interleave(REPEATS)
    x = inputs[:, None].expand(-1, ROWS)
    for axes, mac_or_model, title in zip(panels, (mac, mac.host()), ("device", "linear model"), strict=True):
        outputs = []
        for w in weights:
            matrix, seed = torch.full((ROWS, COLUMNS), float(w), device=device), derive(_CURVES, int(w) + W_MAX)
            outputs.append(mac_or_model.matmul(x, matrix, 1, seed).y.reshape(len(INPUTS), -1))
        y = torch.stack(outputs, 1)  # (x, w, repeat and column)
        mean, sd = y.mean(2).cpu(), y.std(2).cpu()
        for number, value in enumerate(INPUTS):
            low, high = mean[number] - sd[number], mean[number] + sd[number]
            axes.plot(weights, mean[number], color=colours[number], linewidth=0.8, label=f"{value}")
            axes.fill_between(weights, low, high, color=colours[number], alpha=0.25, linewidth=0)
        axes.set(title=title, xlabel="weight (LSB)")
        axes.grid()
    panels[0].set_ylabel("output (LSB), mean ± sd")
    legend(figure, panels[0], columns=5, title="input (LSB)")
    return figure


def columns(mac: AnalogMac, device: torch.device) -> Figure:
    """Mean and standard deviation of each column over trials, with all synapses alike."""
    w, value, trials = 21, 8, 200
    x = torch.full((trials, ROWS), float(value), device=device)
    y = mac.matmul(x, torch.full((ROWS, COLUMNS), float(w), device=device), 1, derive(_COLUMNS)).y.cpu()
    mean, sd = y.mean(0), y.std(0)
    fixed = float((mean.var() - sd.square().mean() / trials).clamp(min=0).sqrt())
    figure, (axes,) = stack(1, height=2.2)
    axes.errorbar(range(COLUMNS), mean, fmt=".", color=DEVICE, markersize=2, label=f"mean ± sd of {trials} trials")
    axes.vlines(range(COLUMNS), mean - sd, mean + sd, color=DEVICE, alpha=0.35, linewidth=0.5)
    axes.axhline(mac.gain * w * value * ROWS - 0.5, color=IDEAL, label="linear model")
    axes.set(xlabel="column", ylabel="output (LSB)")
    noise = f"fixed pattern {fixed:.2f} LSB, trial noise {sd.mean():.2f} LSB"
    axes.set_title(f"{ROWS} inputs of {value}, weights of {w}\n{noise}")
    legend(figure, axes)
    return figure


def calibration(mac: AnalogMac, patterns: Patterns) -> Figure:
    """Straight lines of `fit` for three columns, and the gains of all columns."""
    estimate = fit(patterns)
    figure = Figure(figsize=(COLUMN, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 2))
    _lines(above, patterns, estimate)
    below.hist(1000 * estimate.a.cpu(), bins=24, color=DEVICE, alpha=0.7, label="columns, as measured now")
    below.axvline(1000 * mac.gain, color=IDEAL, label=f"host's gain, {1000 * mac.gain:.3f}")
    below.set(xlabel="gain (LSB / 1000)", ylabel="columns")
    spreads = f"gain spread {estimate.gain_spread:.1%}, offsets {estimate.offset_spread:.2f} LSB"
    below.set_title(f"noise {estimate.noise_std:.2f} LSB, {spreads}")
    legend(figure, above, below, columns=2)
    return figure


def _lines(axes: Axes, patterns: Patterns, estimate: Fit) -> None:
    s = (WEIGHT * patterns.x.sum(1)).cpu()
    m = (patterns.y.mean(1) + 0.5).cpu()
    fitted = within(patterns).cpu()
    ends = torch.stack([s.min(), s.max()])
    order = estimate.a.argsort()
    chosen = {"lowest": int(order[0]), "median": int(order[len(order) // 2]), "highest": int(order[-1])}
    for number, (name, column) in enumerate(chosen.items()):
        look: dict[str, Any] = {"color": series(number), "markersize": 2.5}
        axes.plot(s[fitted], m[fitted, column], "o", **look)
        axes.plot(s[~fitted], m[~fitted, column], "o", **look, fillstyle="none")
        line = float(estimate.a[column]) * ends + float(estimate.o[column])
        axes.plot(ends, line, color=series(number), label=f"{name} gain, column {column}")
    axes.set_ylabel("output + 0.5 (LSB)\nhollow: excluded")
    few_ticks(axes, "sum of input x weight")
    axes.grid()
