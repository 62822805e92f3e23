"""All figures of a run: inputs and outputs as animations, spikes through the layers, learning, and what was learned."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.models.learner import TrainingRecord
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.neuron import GRID
from neurobench.models.slayer.spikes import as_dense

SHOWN = 5  # test recordings that are animated, as in the tutorial
FRAME = 5  # steps a frame
LASTING = 60  # ms a frame is shown: 12 times slower than life at 1 ms a step
ON, OFF, PAPER, INK = (214, 84, 42), (46, 98, 168), (255, 255, 255), (70, 70, 70)
COLOURS = ("#3b6ea8", "#d1752c", "#4f8a5b", "#8a5b9b")
SILENT = 1e-12  # a gradient of 0 still has a place on a logarithmic axis
_PIXEL, _GAP, _HEAD, _ROW, _MARGIN = 5, 8, 16, 12, 16


def all_figures(learner: SlayerLearner, test: Split, record: TrainingRecord) -> dict[str, Figure | bytes]:
    """The tutorial's animations of inputs and outputs; rasters, learning, gradient flow, delays, weights."""
    shown = test.head(SHOWN)
    engine, layers = EventEngine(), [layer.cpu() for layer in learner.quantized]
    spikes = learner.inputs(shown.x)
    engine.run(spikes, layers, learns=True)
    trains = [as_dense(each).transpose(0, 1) for each in (spikes, *engine.arrivals())]  # (N, T, C) each
    figures: dict[str, Figure | bytes] = {
        "inputs": inputs(trains[0].reshape(len(shown), -1, *learner.task.shape), shown.y),
        "outputs": outputs(trains[-1], shown.y),
        "rasters": rasters([train[0] for train in trains], int(shown.y[0]), learner.spec.sampling_time),
        "weights": weights([layer.w for layer in layers]),
    }
    learned = [layer.delay.cpu() for layer in learner.layers if layer.delay is not None]
    if learned:
        figures["delays"] = delays(learned)
    flow = {label.split("/")[1]: sizes for label, sizes in record.snapshots.items() if label.startswith("flow/")}
    if flow:
        figures["gradient_flow"] = gradient_flow({int(epoch): sizes for epoch, sizes in flow.items()})
    if record.epochs:
        figures["learning"] = learning(record.epochs)
    return figures


def inputs(x: Tensor, label: Tensor) -> bytes:
    """x (N, T, P, H, W) in {0, 1}: one panel a recording, polarity 1 (or the only one) in red, 0 in blue."""
    n, steps, _, height, width = x.shape
    panel = (width * _PIXEL, height * _PIXEL)
    frames = []
    for first in range(0, steps, FRAME):
        seen = x[:, first : first + FRAME].amax(1) > 0
        image = Image.new("RGB", (n * (panel[0] + _GAP) + _GAP, panel[1] + _HEAD + _GAP), PAPER)
        draw = ImageDraw.Draw(image)
        for k in range(n):
            left = _GAP + k * (panel[0] + _GAP)
            picture = torch.full((height, width, 3), 245, dtype=torch.uint8)
            picture[seen[k, 0]] = torch.tensor(OFF, dtype=torch.uint8)
            picture[seen[k, -1]] = torch.tensor(ON, dtype=torch.uint8)
            image.paste(Image.fromarray(picture.numpy()).resize(panel, Image.Resampling.NEAREST), (left, _HEAD))
            draw.text((left, 2), f"class {int(label[k])}, step {first}", fill=INK)
        frames.append(image)
    return _gif(frames)


def outputs(y: Tensor, label: Tensor) -> bytes:
    """y (N, T, C) in {0, 1}: one raster a recording, drawn as time goes on; the label's row is tinted."""
    n, steps, classes = y.shape
    panel = steps // 2 + _MARGIN + _GAP
    frames = []
    for last in range(FRAME, steps + FRAME, FRAME):
        image = Image.new("RGB", (n * panel + _GAP, classes * _ROW + _HEAD + _GAP), PAPER)
        draw = ImageDraw.Draw(image)
        for k in range(n):
            _draw_trains(draw, _GAP + _MARGIN + k * panel, y[k, :last], int(label[k]), steps)
        frames.append(image)
    return _gif(frames)


def _draw_trains(draw: ImageDraw.ImageDraw, left: int, y: Tensor, label: int, steps: int) -> None:
    draw.text((left, 2), f"class {label}", fill=INK)
    tinted = _HEAD + label * _ROW
    draw.rectangle((left, tinted, left + steps // 2, tinted + _ROW - 2), fill=(255, 236, 214))
    for c in range(y.shape[1]):
        top = _HEAD + c * _ROW
        draw.text((left - 12, top), str(c), fill=INK)
        colour = tuple(int(255 * part) for part in colormaps["tab10"](c % 10)[:3])
        for t in y[:, c].nonzero()[:, 0].tolist():
            draw.line((left + t // 2, top, left + t // 2, top + _ROW - 3), fill=colour)


def _gif(frames: list[Image.Image]) -> bytes:
    memory = io.BytesIO()
    palette = [frame.quantize(32) for frame in frames]
    palette[0].save(memory, "GIF", save_all=True, append_images=palette[1:], duration=LASTING, loop=0)
    return memory.getvalue()


def rasters(trains: Sequence[Tensor], label: int, sampling_time: float) -> Figure:
    """trains: (T, C) in {0, 1}, the input first, the output last; as the spikes arrive."""
    names = ["input", *(f"layer {k}" for k in range(1, len(trains) - 1)), "output"]
    figure = Figure(figsize=(8, 2.1 * len(trains)), layout="constrained")
    panels = figure.subplots(len(trains), 1, sharex=True)
    for k, (axis, train, name) in enumerate(zip(panels, trains, names, strict=True)):
        t, c = train.nonzero(as_tuple=True)
        width = train.shape[1]
        few = width <= 20
        size, marker, line = (40, "|", 1) if few else (3, ".", 0)
        axis.scatter(t * sampling_time, c, s=size, color=COLOURS[k % len(COLOURS)], marker=marker, linewidths=line)
        axis.set_ylabel(f"{name}\n{len(t) / train.numel():.2%} active", fontsize=9)
        axis.set_ylim(-0.5 - 0.02 * width, width - 0.5 + 0.02 * width)
        if few:
            axis.set_yticks(range(0, width, 2))
            axis.axhline(label, color="gray", linewidth=6, alpha=0.2)
    panels[0].set_title(f"spikes of one test recording, class {label}", fontsize=10)
    panels[-1].set_xlabel("ms")
    return figure


def learning(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Training loss (as lava-dl prints it) and accuracy by epoch, while learning. Epochs count from 0, as there."""
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    names = {"train_lava_loss": "loss, as lava-dl prints it", "train_accuracy": "accuracy"}
    for axis, (key, name) in zip(figure.subplots(1, 2), names.items(), strict=True):
        axis.plot(range(len(epochs)), [row[key] for row in epochs], color=COLOURS[0], marker="o", markersize=3)
        _by_epoch(axis, f"{name}, training")
        if key == "train_lava_loss":
            axis.set_yscale("log")
    return figure


def gradient_flow(flow: Mapping[int, Sequence[float]]) -> Figure:
    """lava-dl's monitor: the 2-norm of the gradient of each layer's weight lengths by their number, by epoch."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axis = figure.subplots()
    for k, sizes in enumerate(zip(*flow.values(), strict=True)):
        style: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "marker": "o", "markersize": 3}
        axis.semilogy(list(flow), np.maximum(sizes, SILENT), label=f"layer {k + 1}", **style)
    _by_epoch(axis, "gradient norm / parameters")
    axis.legend(frameon=False)
    return figure


def _by_epoch(axis: Any, name: str) -> None:
    axis.set(xlabel="epoch, from 0", ylabel=name)
    axis.grid(alpha=0.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def delays(layers: Sequence[Tensor]) -> Figure:
    """Learned delays of hidden spikes, (C,) steps each; whole steps are what a core delays by."""
    edges = np.linspace(0, max(1.0, np.ceil(max(float(layer.max()) for layer in layers))), 41)
    return _histograms([(layer.numpy(), edges) for layer in layers], "delay of layer {}, steps", "neurons")


def weights(layers: Sequence[Tensor]) -> Figure:
    """Weights as the core holds them, (I, C) each, in units of 1/64; counts are logarithmic."""
    panels = []
    for m in ((GRID * layer).numpy().ravel() for layer in layers):
        end = np.ceil(max(8.0, float(np.abs(m).max()) + 2) / 2) * 2
        panels.append((m, np.arange(-end - 1, end + 2, 2)))
    figure = _histograms(panels, "weight of layer {}, 1/64", "synapses", log=True)
    for axis, (m, _) in zip(figure.axes, panels, strict=True):
        axis.set_title(f"{np.mean(m == 0):.0%} are 0", fontsize=9)
    return figure


def _histograms(panels: Sequence[tuple[np.ndarray, Any]], name: str, counted: str, log: bool = False) -> Figure:
    """One panel a layer, of values and bin edges."""
    figure = Figure(figsize=(3.8 * len(panels), 3.0), layout="constrained")
    for k, (values, edges) in enumerate(panels, 1):
        axis = figure.add_subplot(1, len(panels), k)
        axis.hist(values, bins=edges, color=COLOURS[k % len(COLOURS)], log=log)
        axis.set(xlabel=name.format(k), ylabel=counted)
    return figure
