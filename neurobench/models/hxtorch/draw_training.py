"""Loss and accuracy over the updates, with the phases and the limit that the inputs' resolution sets."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neurobench.models.hxtorch.history import History

BATCHES, SMOOTH = "#9bb7d4", "#1f4e79"


def training(history: History, cap: float | None) -> Figure:
    """`cap`: what no model can exceed."""
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    window = max(1, len(history.loss) // 60)
    panels = zip(figure.subplots(1, 2), ("loss", "accuracy"), (history.loss, history.accuracy), strict=True)
    for axes, name, noted in panels:
        values = torch.tensor(noted)
        axes.plot(values, color=BATCHES, linewidth=0.7, label="each batch, before its update")
        mean = _running_mean(values, window)
        axes.plot(range(window - 1, len(values)), mean, color=SMOOTH, label=f"mean of the last {window}")
        for number, (phase, begin) in enumerate(history.begun.items()):
            axes.axvline(begin, color="gray", linewidth=0.8, linestyle=":")
            axes.annotate(
                phase,
                (begin, 0.4 + 0.15 * number),  # short phases begin at nearly the same place
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=8,
                color="gray",
                ha="right" if begin else "left",
                va="bottom",
            )
        if name == "accuracy":
            if cap is not None:
                axes.axhline(cap, color="#d1752c", linestyle="--", label=f"limit of the rounded inputs, {cap:.2%}")
            axes.set_ylim(max(0.0, float(mean.min()) - 0.05), 1.005)
            axes.legend(loc="lower right", frameon=False, fontsize=8)
        else:
            axes.set_yscale("log")
        axes.set_xlabel("update")
        axes.set_ylabel(f"{name}" if name == "accuracy" else "cross-entropy of the scaled logits")
        axes.grid(alpha=0.3)
    return figure


def _running_mean(values: Tensor, window: int) -> Tensor:
    total = torch.cat([torch.zeros(1), values.cumsum(0)])
    return (total[window:] - total[:-window]) / window
