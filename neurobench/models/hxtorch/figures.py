"""Figures of a run: the tutorial's own where the data are points of a plane; of the training; of the device."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.devices.mac.calibration import WEIGHT, Fit, Patterns, fit, fit_patterns, within
from neurobench.devices.mac.protocol import COLUMNS, ROWS, W_MAX, AnalogMac
from neurobench.kernels.random import derive
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.learner import TrainingRecord

COLOURS = ("black", "white", "orange")
RGB = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.647, 0.0]])
GRAY = 0.5
NAMES = ("0 (yin)", "1 (yang)", "2 (dot)")  # index 0 is called yin by the published code, whose yin test gives 1
SHOWN = 2000  # points, as in the tutorial
GRIDS = (16, 64)  # points along a side: the tutorial's grid, and one that shows the border
MILLISECONDS, LAST = 150, 2000  # of a frame, and of the last one
BATCHES, SMOOTH, LIMIT = "#9bb7d4", "#1f4e79", "#d1752c"
DEVICE, SPREAD, MODEL = "#b2182b", "#e0a3a3", "#3b6ea8"
INPUTS, REPEATS = range(0, 17, 2), 20  # of the curves
_CURVES, _COLUMNS, _CALIBRATION = range(3)  # purposes of a draw


def figures(learner: HXTorchMLPLearner, test: Split, record: TrainingRecord) -> Mapping[str, Figure | bytes]:
    """By file name without suffix; bytes are a GIF."""
    drawn: dict[str, Figure | bytes] = {}
    if learner.task.shape == (4,) and isinstance(test.x, Tensor):
        frames = [(label, state) for label, state in record.snapshots.items() if label.startswith("frame/")]
        regions = [class_regions(learner, int(label.removeprefix("frame/")), state) for label, state in frames]
        drawn["dataset"] = dataset(test.x, test.y)
        if regions:
            drawn["decision_regions"] = _frame(regions[-1])[0]
            drawn["decision_regions_over_training"] = animation(regions)
    if record.updates:
        drawn["training"] = training(record.updates, learner.begun, learner.cap)
    if not learner.spec.exact:
        drawn["output_against_weight"] = output_against_weight(learner.mac, learner.device)
        drawn["columns"] = columns(learner.mac, learner.device)
        drawn["calibration"] = calibration(learner.mac, learner.device)
    return drawn


class Regions(NamedTuple):
    """Class probabilities over the unit square at one moment."""

    title: str
    maps: tuple[Tensor, ...]  # (Y, X, 3) on each grid


@torch.no_grad()
def class_regions(learner: HXTorchMLPLearner, done: int, snapshot: dict[str, Any]) -> Regions:
    """As they were after `done` updates, computed where that phase computed."""
    phase = learner.spec.plan[snapshot["phase"]]
    net, mac = learner.net.with_weights(snapshot["weights"]), learner.device_of(phase)
    maps = []
    for side in GRIDS:
        axis = torch.linspace(0, 1, side)
        x, y = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
        logits = learner.forward(learner.inputs(torch.stack([x, y, 1 - x, 1 - y], 1)), mac, done, net).logits
        maps.append(torch.softmax(phase.logit_scale * logits, 1).reshape(side, side, -1).transpose(0, 1).cpu())
    where = "on the host's model" if phase.where == "host" else "on the device"
    return Regions(f"update {done}, {where}", tuple(maps))


def dataset(x: Tensor, y: Tensor) -> Figure:
    """The first 2000 samples."""
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


def animation(frames: Sequence[Regions]) -> bytes:
    """A GIF. Axes are drawn once, the rest is laid over them."""
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
        for image, probabilities in zip(images, regions.maps, strict=True):
            image.set_data(blend(probabilities))
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


def blend(probabilities: Tensor) -> np.ndarray:
    """(Y, X, 3) probabilities -> (Y, X, 3) colours: each class laid over the last, as opaque as it is probable."""
    colours = torch.full_like(probabilities, GRAY)
    for number in range(probabilities.shape[-1]):
        p = probabilities[..., number, None]
        colours = p * RGB[number] + (1 - p) * colours
    return colours.clamp(0, 1).numpy()


def _frame(regions: Regions) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(7.6, 4.3), layout="constrained")
    images = []
    for axes, probabilities in zip(figure.subplots(1, 2), regions.maps, strict=True):
        extent = (0, 1, 0, 1)
        images.append(axes.imshow(blend(probabilities), origin="lower", extent=extent, interpolation="nearest"))
        _square(axes)
        axes.set_title(f"{len(probabilities)} x {len(probabilities)} points", fontsize=9)
    figure.suptitle(regions.title)
    return figure, images


def _square(axes: Axes) -> None:
    axes.set(aspect="equal", xlim=(0, 1), ylim=(0, 1), xlabel="x", ylabel="y")


def training(updates: Mapping[str, Sequence[float]], begun: Mapping[str, int], cap: float | None) -> Figure:
    """Loss and accuracy over the updates, with the phases and what no model can exceed."""
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _smoothed(loss, torch.tensor(updates["loss"]), begun)
    loss.set(yscale="log", ylabel="cross-entropy of the scaled logits")
    lowest = _smoothed(accuracy, torch.tensor(updates["accuracy"]), begun)
    if cap is not None:
        accuracy.axhline(cap, color=LIMIT, linestyle="--", label=f"limit of the rounded inputs, {cap:.2%}")
    accuracy.set(ylim=(max(0.0, lowest - 0.05), 1.005), ylabel="accuracy")
    accuracy.legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def _smoothed(axes: Axes, values: Tensor, begun: Mapping[str, int]) -> float:
    """A curve over the updates with its running mean, whose least value is returned."""
    window = max(1, len(values) // 60)
    total = torch.cat([torch.zeros(1), values.cumsum(0)])
    mean = (total[window:] - total[:-window]) / window
    axes.plot(values, color=BATCHES, linewidth=0.7, label="each batch, before its update")
    axes.plot(range(window - 1, len(values)), mean, color=SMOOTH, label=f"mean of the last {window}")
    look: dict[str, Any] = {"rotation": 90, "fontsize": 8, "color": "gray"}
    for number, (phase, begin) in enumerate(begun.items()):
        axes.axvline(begin, color="gray", linewidth=0.8, linestyle=":")
        height = 0.4 + 0.15 * number  # short phases begin at nearly the same place
        side = "right" if begin else "left"
        axes.annotate(phase, (begin, height), xycoords=("data", "axes fraction"), ha=side, va="bottom", **look)
    axes.set_xlabel("update")
    axes.grid(alpha=0.3)
    return float(mean.min())


def output_against_weight(mac: AnalogMac, device: torch.device) -> Figure:
    """All 128 rows alike; lines are means over columns and repeats, bands one standard deviation."""
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    weights = torch.arange(-W_MAX, W_MAX + 1, 3)
    inputs = torch.tensor([float(value) for value in INPUTS], device=device).repeat_interleave(REPEATS)
    x = inputs[:, None].expand(-1, ROWS)
    for axes, mac_or_model, title in zip(panels, (mac, mac.host()), ("device", "linear model of it"), strict=True):
        outputs = []
        for w in weights:
            matrix, seed = torch.full((ROWS, COLUMNS), float(w), device=device), derive(_CURVES, int(w) + W_MAX)
            outputs.append(mac_or_model.matmul(x, matrix, 1, seed).y.reshape(len(INPUTS), -1))
        y = torch.stack(outputs, 1)  # (x, w, repeat and column)
        mean, sd = y.mean(2).cpu(), y.std(2).cpu()
        for number, value in enumerate(INPUTS):
            low, high = mean[number] - sd[number], mean[number] + sd[number]
            axes.plot(weights, mean[number], color=f"C{number}", label=f"{value}")
            axes.fill_between(weights, low, high, color=f"C{number}", alpha=0.25, linewidth=0)
        axes.set(title=title, xlabel="weight")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("output (LSB)")
    panels[1].legend(title="input", fontsize=8, frameon=False, loc="lower right", ncols=2)
    return figure


def columns(mac: AnalogMac, device: torch.device) -> Figure:
    """Each column's mean and standard deviation from trial to trial, all synapses alike."""
    w, value, trials = 21, 8, 200
    x = torch.full((trials, ROWS), float(value), device=device)
    y = mac.matmul(x, torch.full((ROWS, COLUMNS), float(w), device=device), 1, derive(_COLUMNS)).y.cpu()
    mean, sd = y.mean(0), y.std(0)
    fixed = float((mean.var() - sd.square().mean() / trials).clamp(min=0).sqrt())
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(range(COLUMNS), mean, sd, fmt=".", color=DEVICE, ecolor=SPREAD, markersize=4, linewidth=0.8)
    axes.axhline(mac.gain * w * value * ROWS - 0.5, color=MODEL, label="linear model")
    axes.set(xlabel="column", ylabel=f"output (LSB), mean and sd of {trials} trials")
    noise = f"fixed pattern {fixed:.2f} LSB, trial noise {sd.mean():.2f} LSB"
    axes.set_title(f"{ROWS} inputs of {value}, weights {w}: {noise}")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def calibration(mac: AnalogMac, device: torch.device) -> Figure:
    """The straight lines of `fit`: three columns of it, and what all of them say."""
    patterns = fit_patterns(mac, derive(_CALIBRATION), device)
    estimate = fit(patterns)
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, patterns, estimate)
    right.hist(1000 * estimate.a.cpu(), bins=24, color=DEVICE, alpha=0.8, label="columns as measured now")
    right.axvline(1000 * mac.gain, color=MODEL, label=f"host's gain {1000 * mac.gain:.3f}")
    right.set(xlabel="gain (LSB / 1000)", ylabel="columns")
    spreads = f"gain spread {estimate.gain_spread:.1%}, offsets {estimate.offset_spread:.2f} LSB"
    right.set_title(f"noise {estimate.noise_std:.2f} LSB, {spreads}", fontsize=9)
    right.set_ylim(top=1.35 * right.get_ylim()[1])  # room for the legend
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _lines(axes: Axes, patterns: Patterns, estimate: Fit) -> None:
    s = (WEIGHT * patterns.x.sum(1)).cpu()
    m = (patterns.y.mean(1) + 0.5).cpu()
    fitted = within(patterns).cpu()
    ends = torch.stack([s.min(), s.max()])
    order = estimate.a.argsort()
    chosen = {"lowest": int(order[0]), "median": int(order[len(order) // 2]), "highest": int(order[-1])}
    for number, (name, column) in enumerate(chosen.items()):
        look: dict[str, Any] = {"color": f"C{number}", "markersize": 3}
        axes.plot(s[fitted], m[fitted, column], "o", **look)
        axes.plot(s[~fitted], m[~fitted, column], "o", **look, fillstyle="none")
        line = float(estimate.a[column]) * ends + float(estimate.o[column])
        axes.plot(ends, line, color=f"C{number}", label=f"{name} gain, column {column}")
    axes.set(xlabel="sum of input x weight", ylabel="output + 0.5 (LSB); hollow: left out")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
