"""Figures of a search: its history, the values of every trial, and the importance of each key."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial

from neurobench.figures.style import COLUMN, LIMIT, ORDERED, VALIDATION, in_per_cent, legend, paper
from neurobench.metrics.catalog import metric
from neurobench.sweeps.space import Space


def figures_of(study: optuna.Study, space: Space, trials: Sequence[FrozenTrial]) -> dict[str, Figure]:
    """Figures by name; none before two trials have finished, and no importance if all have the same value or values
    that differ by rounding only."""
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if len(complete) < 2:
        return {}
    with paper():
        figures = {"history": history(space, trials), "parallel_coordinates": parallel_coordinates(space, complete)}
        if len({trial.value for trial in complete}) > 1:
            with contextlib.suppress(RuntimeError):  # no variance to share, by Optuna's tolerance
                figures["importance"] = importance(study)
    return figures


def history(space: Space, trials: Sequence[FrozenTrial]) -> Figure:
    """The value of each trial and the best so far; trials without a value are marked on the axis."""
    figure = Figure(figsize=(COLUMN, 2.4), layout="constrained")
    axes = figure.subplots()
    complete = [(number, trial.value) for number, trial in enumerate(trials, 1) if trial.state.name == "COMPLETE"]
    x, y = [number for number, _ in complete], [float(value or 0.0) for _, value in complete]
    pick = max if space.larger_wins else min
    best = [pick(y[: k + 1]) for k in range(len(y))]
    axes.plot(x, y, "o", color=VALIDATION, label="trial")
    axes.step(x, best, where="post", color=LIMIT, label="best so far")
    for state, mark, words in (("PRUNED", "|", "stopped early"), ("FAIL", "x", "failed")):
        at = [number for number, trial in enumerate(trials, 1) if trial.state.name == state]
        if at:
            look: dict[str, Any] = {"color": LIMIT, "markersize": 5, "transform": axes.get_xaxis_transform()}
            axes.plot(at, [0.03] * len(at), mark, label=words, **look)
    axes.set(xlabel="trial", ylabel=space.figure.replace("_", " "))
    if metric(space.figure).unit == "proportion":
        in_per_cent(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid()
    legend(figure, axes)
    return figure


def parallel_coordinates(space: Space, complete: Sequence[FrozenTrial]) -> Figure:
    """Parallel coordinates with one line per trial; better ones are darker and drawn later. The last axis is the
    metric."""
    names = [*space.space, space.figure]
    figure = Figure(figsize=(max(COLUMN, 0.8 * len(names)), 3.2), layout="constrained")
    axes = figure.subplots()
    columns = []
    for place, key in enumerate(names):
        raw = [trial.value if key == space.figure else trial.params[key] for trial in complete]
        entry = space.space.get(key, {})
        if "choices" in entry:
            stored = [json.dumps(each) if isinstance(each, list) else each for each in entry["choices"]]
            texts = [str(each) for each in stored if each in raw]
            heights = [texts.index(str(value)) / max(1, len(texts) - 1) for value in raw]
            ticks = [(k / max(1, len(texts) - 1), text) for k, text in enumerate(texts)]
        else:
            scaled = [math.log(value) if entry.get("log") else float(value) for value in raw]
            low, high = min(scaled), max(scaled)
            heights = [(value - low) / (high - low) if high > low else 0.5 for value in scaled]
            ticks = [(0.0, f"{min(raw):.3g}"), (1.0, f"{max(raw):.3g}")] if high > low else [(0.5, f"{raw[0]:.3g}")]
        columns.append(heights)
        axes.axvline(place, color=LIMIT, linewidth=0.6)
        for height, text in ticks:
            axes.text(place + 0.04, height, text, fontsize=6, va="center", parse_math=False, zorder=4)
    merit = columns[-1] if space.larger_wins else [1 - height for height in columns[-1]]
    for number in sorted(range(len(complete)), key=merit.__getitem__):
        colour = colormaps[ORDERED](0.95 * (1 - merit[number]))
        axes.plot(range(len(names)), [column[number] for column in columns], color=colour, alpha=0.8)
    short = [name.rpartition(".")[2].replace("_", "\n") for name in names]
    axes.set_xticks(range(len(names)), short, parse_math=False)
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(names) - 0.6)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def importance(study: optuna.Study) -> Figure:
    """Shares of the variance of the value that each key explains (functional ANOVA, Hutter et al. 2014)."""
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    names = list(reversed(shares))
    figure = Figure(figsize=(COLUMN, 0.7 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(names)), [100 * shares[name] for name in names], color=VALIDATION)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel("share of the variance (%)")
    axes.grid(axis="x")
    return figure
