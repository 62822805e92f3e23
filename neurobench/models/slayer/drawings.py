"""The figures of `figures.all_figures`, drawn. A second process may draw them: no torch is needed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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

SILENT = 1e-12  # floor, so that a gradient of 0 has a place on a logarithmic axis


def rasters(trains: Sequence[np.ndarray], label: int, classes: Sequence[str], sampling_time: float) -> Figure:
    """Raster plots of a sample. trains: arriving spikes (T, C) bool, those of the input first, of the output last."""
    names = ["input", *(f"layer {k}" for k in range(1, len(trains) - 1)), "output"]
    figure, panels = stack(len(trains), height=1.05)
    for k, (axes, train, name) in enumerate(zip(panels, trains, names, strict=True)):
        t, c = train.nonzero()
        width = train.shape[1]
        few = width <= 20
        size, marker, line = (12, "|", 0.8) if few else (0.8, ".", 0)
        colour = LIMIT if k == 0 else series(k - 1)
        axes.scatter(t * sampling_time, c, s=size, color=colour, marker=marker, linewidths=line)
        axes.set_ylabel(f"{name}\nneuron")
        axes.set_title(f"{len(t) / train.size:.2%} active", loc="right", fontsize=7, pad=2)
        axes.set_ylim(-0.5 - 0.02 * width, width - 0.5 + 0.02 * width)
        if few:
            axes.set_yticks(range(0, width, 2))
            axes.axhline(label, color=LIMIT, linewidth=4, alpha=0.2)
    figure.suptitle(f"spikes of one test recording, class {class_label(classes, label)}")
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


def delays(layers: Sequence[np.ndarray]) -> Figure:
    """Histograms of the learned delays of hidden spikes, (C,) steps each; a core delays by whole steps."""
    end = max(1.0, *(float(layer.max()) for layer in layers))
    return _histograms(layers, (0, end, 40), "delay (steps)", "neurons")


def weights(layers: Sequence[np.ndarray]) -> Figure:
    """Histograms of the weights on the core, (I, C) each, in units of 1/64; counts are logarithmic."""
    values = [layer.ravel() for layer in layers]
    end = np.ceil(max(8.0, max(float(np.abs(m).max()) for m in values) + 2) / 2) * 2
    figure = _histograms(values, (-end - 1, end + 1, int(end) + 1), "weight (1/64)", "synapses", log=True)
    figure.axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes, m in zip(figure.axes, values, strict=True):
        axes.set_title(f"{np.mean(m == 0):.0%} are 0", loc="right", fontsize=7, pad=2)
    return figure


def _histograms(
    panels: Sequence[np.ndarray], bins: tuple[float, float, int], name: str, counted: str, log: bool = False
) -> Figure:
    """Histograms of values, one panel per layer. bins: the first edge, the last, and their number."""
    figure, rows = stack(len(panels), height=0.95)
    first, last, number = bins
    for k, (axes, values) in enumerate(zip(rows, panels, strict=True)):
        counts, edges = np.histogram(values, number, (first, last))  # without a list of edges: it sorts for those
        look: dict[str, Any] = {"color": series(k), "log": log, "histtype": "stepfilled"}  # one shape, not one per bin
        axes.hist(edges[:-1], edges.tolist(), weights=counts, **look)
        axes.set_ylabel(f"layer {k + 1}\n{counted}")
    rows[-1].set_xlabel(name)
    align_ylabels(rows)
    return figure
