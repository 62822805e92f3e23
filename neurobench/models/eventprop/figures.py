"""Figures of a run: the spikes of one sample, first output spikes over the plane, and learned delays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from neurobench.data.dataset import Split
from neurobench.data.encoders import Latency
from neurobench.data.events import Events
from neurobench.figures.classmap import COLOURS, blend
from neurobench.figures.style import COLUMN, LIMIT, ORDERED, align_ylabels, class_label, series, stack
from neurobench.models.eventprop.learner import EventPropLearner
from neurobench.models.learner import TrainingRecord

SIDE = 64  # points of the map along a side
TALL, VISIBLE = 0.8, 0.025  # height of a spike's mark: in neurons, and its smallest share of the panel


def figures(learner: EventPropLearner, test: Split, record: TrainingRecord) -> Mapping[str, Figure]:
    """Figures of a run, by file name without suffix."""
    drawn = {"spikes": spikes(learner, test)}
    if learner.spec.delay and learner.spec.hidden:
        drawn["delays"] = delays(learner)
    if isinstance(test.x, Events) and of_a_plane(test.x) and learner.task.n_classes == len(COLOURS):
        drawn["first_spikes"] = first_spikes(learner, test.x)
    return drawn


def spikes(learner: EventPropLearner, test: Split) -> Figure:
    """Spikes of the first test sample by layer, hidden ones at their arrival times; the shaded row is its class."""
    sample, label = test.head(1).batch(slice(None)), int(test.y[0])
    rows = learner.raster(sample.x)
    figure, panels = stack(len(rows), height=1.05)
    names = ["input", *(f"layer {k}" for k in range(1, len(rows) - 1)), "output"]
    for k, (axes, (t, neuron), name) in enumerate(zip(panels, rows, names, strict=True)):
        width = learner.sizes[k]
        colour = LIMIT if k == 0 else series(k - 1)
        half = max(TALL, VISIBLE * width) / 2
        axes.vlines(t, neuron - half, neuron + half, color=colour, linewidth=0.8)
        axes.set(ylabel=f"{name}\nneuron", ylim=(-0.5 - 0.02 * width, width - 0.5 + 0.02 * width))
        axes.set_title(f"{len(t)} spikes", loc="right", fontsize=7, pad=2)
    panels[-1].axhline(label, color=LIMIT, linewidth=4, alpha=0.2)
    panels[-1].set(xlabel="time (ms)", xlim=(-0.02 * learner.spec.length, learner.spec.length))
    figure.suptitle(f"spikes of one test sample, class {class_label(test.classes, label)}")
    align_ylabels(panels)
    return figure


def of_a_plane(x: Events) -> bool:
    """Whether samples encode x, y, 1 - x, 1 - y by one spike each."""
    return x.sensor == (1, 4, 1) and len(x.t) == 4 * len(x)


def first_spikes(learner: EventPropLearner, samples: Events) -> Figure:
    """Maps of the unit square: the class, by the softmax of the loss, and the time of the first output spike."""
    window = _window(samples)
    axis = torch.linspace(0, 1, SIDE)
    x, y = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="xy"))
    code = Latency(cells=1, dimmest=0.0, window=window, repeats=1)
    points = torch.stack([x, y, 1 - x, 1 - y], 1).clamp(min=1e-5)  # a value of 0 causes no spike
    response = learner.respond(code.encode(points, torch.arange(len(points))))
    chances = torch.softmax(-response.first / learner.spec.loss_tau, 1).view(SIDE, SIDE, -1).numpy()
    figure = Figure(figsize=(COLUMN, 2.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.imshow(blend(chances), origin="lower", extent=(0, 1, 0, 1), interpolation="nearest")
    earliest = response.first.amin(1).view(SIDE, SIDE).numpy()
    image = right.imshow(earliest, origin="lower", extent=(0, 1, 0, 1), interpolation="nearest", cmap=ORDERED)
    figure.colorbar(image, ax=right, label="ms", shrink=0.7)
    for axes, title in ((left, "class"), (right, "first output spike")):
        axes.set(title=title, xlabel="x", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    left.set_ylabel("y")
    return figure


def _window(x: Any) -> float:
    """Window (ms) of a latency code of both v and 1 - v: their spike times add up to it."""
    return float(x.t[x.recording() == 0].double().sum() / 2000)


def delays(learner: EventPropLearner) -> Figure:
    """Histogram of the learned delays of hidden spikes."""
    values = learner.params["delay"][: -learner.task.n_classes].numpy() * learner.spec.tau_mem
    figure, (axes,) = stack(1, height=1.5)
    axes.hist(values, bins=np.linspace(0, max(1.0, values.max()), 41).tolist(), color=series(0), histtype="stepfilled")
    axes.set(xlabel="delay (ms)", ylabel="hidden neurons")
    return figure
