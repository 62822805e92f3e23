"""All figures of a run: inputs and outputs, spikes of each layer, training curves, learned weights and delays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.style import (
    LIMIT,
    TEST,
    TRAIN,
    VALIDATION,
    align_ylabels,
    by_epoch,
    class_label,
    in_per_cent,
    legend,
    series,
    stack,
)
from neurobench.models.learner import TrainingRecord
from neurobench.models.slayer.animation import input_and_output
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.network import synaptic
from neurobench.models.slayer.neuron import GRID
from neurobench.models.slayer.spikes import as_dense

SHOWN = 5  # test recordings that are animated, as in the tutorial
SILENT = 1e-12  # floor, so that a gradient of 0 has a place on a logarithmic axis


def all_figures(learner: SlayerLearner, test: Split, record: TrainingRecord) -> dict[str, Figure | bytes]:
    """Figures by name: the tutorial's animation of inputs and outputs; rasters, learning, gradient flow, delays,
    weights."""
    shown = test.head(SHOWN)
    engine, layers = EventEngine(), [layer.cpu() for layer in learner.quantized]
    spikes = learner.inputs(shown.x)
    engine.run(spikes, layers, learns=True)
    trains = [as_dense(each).transpose(0, 1) for each in (spikes, *engine.arrivals())]  # (N, T, C) each
    saccades = trains[0].reshape(len(shown), -1, learner.spec.saccades, *learner.task.shape)
    ms = learner.spec.sampling_time
    figures: dict[str, Figure | bytes] = {
        "input_and_output": input_and_output(saccades.amax(2), trains[-1], shown, ms),
        "rasters": rasters([train[0] for train in trains], shown, ms),
        "weights": weights([synaptic(layer.w, layer.conv).cpu() for layer in learner.quantized]),
    }
    late = [layer.delay.cpu() for layer in learner.layers if layer.delay is not None]
    if late:
        figures["delays"] = delays(late)
    flow = {label.split("/")[1]: sizes for label, sizes in record.snapshots.items() if label.startswith("flow/")}
    if flow:
        learned = [k for k, layer in enumerate(learner.layers, 1) if not layer.pools]
        figures["gradient_flow"] = gradient_flow({int(epoch) + 1: sizes for epoch, sizes in flow.items()}, learned)
    if len(record.epochs) > 1:  # a single epoch is covered by the learning curve
        figures["learning"] = learning(record.epochs)
    return figures


def rasters(trains: Sequence[Tensor], sample: Split, sampling_time: float) -> Figure:
    """Raster plots. trains: arriving spikes (T, C) in {0, 1} of the first sample, the input first, the output last."""
    label = int(sample.y[0])
    names = ["input", *(f"layer {k}" for k in range(1, len(trains) - 1)), "output"]
    figure, panels = stack(len(trains), height=1.05)
    for k, (axes, train, name) in enumerate(zip(panels, trains, names, strict=True)):
        t, c = train.nonzero(as_tuple=True)
        width = train.shape[1]
        few = width <= 20
        size, marker, line = (12, "|", 0.8) if few else (0.8, ".", 0)
        colour = LIMIT if k == 0 else series(k - 1)
        axes.scatter(t * sampling_time, c, s=size, color=colour, marker=marker, linewidths=line)
        axes.set_ylabel(f"{name}\nneuron")
        axes.set_title(f"{len(t) / train.numel():.2%} active", loc="right", fontsize=7, pad=2)
        axes.set_ylim(-0.5 - 0.02 * width, width - 0.5 + 0.02 * width)
        if few:
            axes.set_yticks(range(0, width, 2))
            axes.axhline(label, color=LIMIT, linewidth=4, alpha=0.2)
    figure.suptitle(f"spikes of one test recording, class {class_label(sample.classes, label)}")
    panels[-1].set_xlabel("time (ms)")
    align_ylabels(panels)
    return figure


def learning(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Loss (as lava-dl prints it) and accuracy by epoch: in training and, if measured, on held-out and on test samples,
    each with its best epoch marked."""
    figure, panels = stack(2, height=1.6)
    best = {"lava_loss": min, "accuracy": max}
    for axes, name in zip(panels, best, strict=True):
        for split, colour in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
            values = [row[f"{split}_{name}"] for row in epochs if f"{split}_{name}" in row]
            if values:
                axes.plot(range(1, len(values) + 1), values, color=colour, marker=".", label=split)
                extreme = best[name](values)
                axes.plot(values.index(extreme) + 1, extreme, "o", color=colour, fillstyle="none", markersize=7)
    panels[0].set(yscale="log", ylabel="loss as printed by lava-dl\ncircle: lowest")
    panels[1].set_ylabel("accuracy\ncircle: highest")
    in_per_cent(panels[1])
    by_epoch(panels[1], len(epochs))
    align_ylabels(panels)
    legend(figure, panels[0])
    return figure


def gradient_flow(flow: Mapping[int, Sequence[float]], layers: Sequence[int]) -> Figure:
    """Gradient flow by epoch, as in lava-dl's monitor: the 2-norm of the gradient of each layer's weight lengths,
    divided by their number.

    layers: numbers of those whose weights are learned, from 1.
    """
    figure, (axes,) = stack(1, height=2.0)
    for k in layers:
        style: dict[str, Any] = {"color": series(k - 1), "marker": "o"}
        sizes = [of_epoch[k - 1] for of_epoch in flow.values()]
        axes.semilogy(list(flow), np.maximum(sizes, SILENT), label=f"layer {k}", **style)
    axes.set_ylabel("gradient norm / parameters")
    by_epoch(axes, max(flow))
    legend(figure, axes, columns=4)
    return figure


def delays(layers: Sequence[Tensor]) -> Figure:
    """Histograms of the learned delays of hidden spikes, (C,) steps each; a core delays by whole steps."""
    end = max(1.0, *(float(layer.max()) for layer in layers))
    panels = [(layer.numpy(), np.linspace(0, end, 41)) for layer in layers]
    return _histograms(panels, "delay (steps)", "neurons")


def weights(layers: Sequence[Tensor]) -> Figure:
    """Histograms of the weights on the core, (I, C) each, in units of 1/64; counts are logarithmic."""
    values = [(GRID * layer).numpy().ravel() for layer in layers]
    end = np.ceil(max(8.0, max(float(np.abs(m).max()) for m in values) + 2) / 2) * 2
    figure = _histograms([(m, np.arange(-end - 1, end + 2, 2)) for m in values], "weight (1/64)", "synapses", log=True)
    figure.axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes, m in zip(figure.axes, values, strict=True):
        axes.set_title(f"{np.mean(m == 0):.0%} are 0", loc="right", fontsize=7, pad=2)
    return figure


def _histograms(panels: Sequence[tuple[np.ndarray, Any]], name: str, counted: str, log: bool = False) -> Figure:
    """Histograms of values with bin edges, one panel per layer."""
    figure, rows = stack(len(panels), height=0.95)
    for k, (axes, (values, edges)) in enumerate(zip(rows, panels, strict=True)):
        axes.hist(values, bins=edges, color=series(k), log=log, histtype="stepfilled")  # one shape, not one per bin
        axes.set_ylabel(f"layer {k + 1}\n{counted}")
    rows[-1].set_xlabel(name)
    align_ylabels(rows)
    return figure
