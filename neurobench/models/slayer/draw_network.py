"""Rasters of a recording through the layers, learning by epoch, and what was learned: weights and delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from neurobench.models.slayer.neuron import GRID

COLOURS = ("#3b6ea8", "#d1752c", "#4f8a5b", "#8a5b9b")
SILENT = 1e-12  # a gradient of 0 still has a place on a logarithmic axis


def rasters(trains: Sequence[Tensor], label: int, sampling_time: float) -> Figure:
    """trains: (T, C) in {0, 1}, the input first, the output last; as the spikes arrive."""
    names = ["input", *(f"layer {k}" for k in range(1, len(trains) - 1)), "output"]
    figure = Figure(figsize=(8, 2.1 * len(trains)), layout="constrained")
    panels = figure.subplots(len(trains), 1, sharex=True)
    for k, (axis, train, name) in enumerate(zip(panels, trains, names, strict=True)):
        t, c = train.nonzero(as_tuple=True)
        tall = train.shape[1] <= 20
        axis.scatter(
            t * sampling_time,
            c,
            s=40 if tall else 3,
            marker="|" if tall else ".",
            color=COLOURS[k % len(COLOURS)],
            linewidths=1 if tall else 0,
        )
        rate = len(t) / train.numel()
        axis.set_ylabel(f"{name}\n{rate:.2%} active", fontsize=9)
        axis.set_ylim(-0.5 - 0.02 * train.shape[1], train.shape[1] - 0.5 + 0.02 * train.shape[1])
        if tall:
            axis.set_yticks(range(0, train.shape[1], 2))
            axis.axhline(label, color="gray", linewidth=6, alpha=0.2)
    panels[0].set_title(f"spikes of one test recording, digit {label}", fontsize=10)
    panels[-1].set_xlabel("ms")
    return figure


def learning(sums: Mapping[int, Mapping[str, float]]) -> Figure:
    """Training loss (as lava-dl prints it) and accuracy by epoch, while learning. Epochs count from 0, as there."""
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    for axis, key, name in zip(
        figure.subplots(1, 2), ("lava_loss", "correct"), ("loss, as lava-dl prints it", "accuracy"), strict=True
    ):
        values = [own[key] / own["samples"] for own in sums.values()]
        axis.plot(list(sums), values, color=COLOURS[0], marker="o", markersize=3)
        axis.set_xlabel("epoch, from 0")
        axis.set_ylabel(f"{name}, training")
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if key == "lava_loss":
            axis.set_yscale("log")
    return figure


def gradient_flow(flow: Mapping[int, Sequence[float]]) -> Figure:
    """lava-dl's monitor: the 2-norm of the gradient of each layer's weight lengths by their number, by epoch."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axis = figure.subplots()
    for k in range(len(next(iter(flow.values())))):
        values = [max(own[k], SILENT) for own in flow.values()]
        axis.semilogy(
            list(flow), values, color=COLOURS[k % len(COLOURS)], marker="o", markersize=3, label=f"layer {k + 1}"
        )
    axis.set_xlabel("epoch, from 0")
    axis.set_ylabel("gradient norm / parameters")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return figure


def delays(layers: Sequence[Tensor]) -> Figure:
    """Learned delays of hidden spikes, (C,) steps each; whole steps are what a core delays by."""
    figure = Figure(figsize=(4.2 * len(layers), 3.0), layout="constrained")
    top = max(float(layer.max()) for layer in layers)
    bins = np.linspace(0, max(1.0, np.ceil(top)), 41)
    for k, (axis, layer) in enumerate(zip(np.atleast_1d(figure.subplots(1, len(layers))), layers, strict=True)):
        axis.hist(layer.numpy(), bins=bins, color=COLOURS[(k + 1) % len(COLOURS)])
        axis.set_xlabel(f"delay of layer {k + 1}, steps")
        axis.set_ylabel("neurons")
    return figure


def weights(layers: Sequence[Tensor]) -> Figure:
    """Weights as the core holds them, (I, C) each, in units of 1/64; counts are logarithmic."""
    figure = Figure(figsize=(3.6 * len(layers), 3.0), layout="constrained")
    for k, (axis, layer) in enumerate(zip(np.atleast_1d(figure.subplots(1, len(layers))), layers, strict=True)):
        m = (GRID * layer).numpy().ravel()
        bound = max(8.0, float(np.abs(m).max()) + 2)
        bins = np.arange(-np.ceil(bound / 2) * 2 - 1, np.ceil(bound / 2) * 2 + 2, 2)
        axis.hist(m, bins=bins, color=COLOURS[(k + 1) % len(COLOURS)], log=True)
        axis.set_xlabel(f"weight of layer {k + 1}, 1/64")
        axis.set_ylabel("synapses")
        axis.set_title(f"{np.mean(m == 0):.0%} are 0", fontsize=9)
    return figure
