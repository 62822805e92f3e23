"""How the device answers beside the linear model that the host has of it."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from neurobench.devices.mac import analog_calibration
from neurobench.devices.mac.analog_array import COLUMNS, ROWS, W_MAX
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.kernels.random import derive

INPUTS = range(0, 17, 2)
REPEATS = 20
DEVICE, MODEL = "#b2182b", "#3b6ea8"
_CURVES, _COLUMNS, _CALIBRATION = range(3)  # purposes of a draw


def device_figures(mac: AnalogMac, device: torch.device) -> dict[str, Figure | bytes]:
    return {
        "output_against_weight": output_against_weight(mac, device),
        "columns": columns(mac, device),
        "calibration": calibration(mac, device),
    }


def output_against_weight(mac: AnalogMac, device: torch.device) -> Figure:
    """All 128 rows alike; lines are means over columns and repeats, bands one standard deviation."""
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    weights = torch.arange(-W_MAX, W_MAX + 1, 3)
    x = torch.tensor([float(value) for value in INPUTS], device=device).repeat_interleave(REPEATS)
    for axes, answering, title in zip(panels, (mac, mac.host()), ("device", "linear model of it"), strict=True):
        y = torch.stack([_uniform_answer(answering, x, int(w)) for w in weights], 1)  # (x, w, repeat and column)
        mean, sd = y.mean(2).cpu(), y.std(2).cpu()
        for number, value in enumerate(INPUTS):
            colour = f"C{number}"
            axes.plot(weights, mean[number], color=colour, label=f"{value}")
            axes.fill_between(
                weights, mean[number] - sd[number], mean[number] + sd[number], color=colour, alpha=0.25, linewidth=0
            )
        axes.set_title(title)
        axes.set_xlabel("weight")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("output (LSB)")
    panels[1].legend(title="input", fontsize=8, frameon=False, loc="lower right", ncols=2)
    return figure


def _uniform_answer(mac: AnalogMac, x: Tensor, w: int) -> Tensor:
    """(inputs, repeats x columns) answers where all rows carry the same input and all synapses weigh w."""
    matrix = torch.full((ROWS, COLUMNS), float(w), device=x.device)
    y = mac.matmul(x[:, None].expand(-1, ROWS), matrix, 1, derive(_CURVES, w + W_MAX))
    return y.reshape(len(INPUTS), -1)


def columns(mac: AnalogMac, device: torch.device) -> Figure:
    """Each column's mean and standard deviation from trial to trial, all synapses alike."""
    w, value = 21, 8
    x = torch.full((200, ROWS), float(value), device=device)
    y = mac.matmul(x, torch.full((ROWS, COLUMNS), float(w), device=device), 1, derive(_COLUMNS)).cpu()
    mean, sd = y.mean(0), y.std(0)
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(range(COLUMNS), mean, sd, fmt=".", color=DEVICE, ecolor="#e0a3a3", markersize=4, linewidth=0.8)
    expected = mac.gain * w * value * ROWS - 0.5
    axes.axhline(expected, color=MODEL, label="linear model")
    fixed = float((mean.var() - sd.square().mean() / len(y)).clamp(min=0).sqrt())
    axes.set_title(
        f"128 inputs of {value}, weights {w}: fixed pattern {fixed:.2f} LSB, trial noise {sd.mean():.2f} LSB"
    )
    axes.set_xlabel("column")
    axes.set_ylabel("output (LSB), mean and sd of 200 trials")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def calibration(mac: AnalogMac, device: torch.device) -> Figure:
    """The straight lines of `fit`: three columns of it, and what all of them say."""
    patterns = analog_calibration.fit_patterns(mac, derive(_CALIBRATION), device)
    fit = analog_calibration.fit(patterns)
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, patterns, fit)
    right.hist(1000 * fit.a.cpu(), bins=24, color=DEVICE, alpha=0.8, label="columns as measured now")
    right.axvline(1000 * mac.gain, color=MODEL, label=f"host's gain {1000 * mac.gain:.3f}")
    right.set_xlabel("gain (LSB / 1000)")
    right.set_ylabel("columns")
    right.set_title(
        f"noise {fit.noise_std:.2f} LSB, gain spread {fit.gain_spread:.1%}, offsets {fit.offset_spread:.2f} LSB"
    )
    right.title.set_fontsize(9)
    right.set_ylim(top=1.35 * right.get_ylim()[1])  # room for the legend
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _lines(axes: Axes, patterns: analog_calibration.Patterns, fit: analog_calibration.Fit) -> None:
    s = (analog_calibration.WEIGHT * patterns.x.sum(1)).cpu()
    m = (patterns.y.mean(1) + 0.5).cpu()
    kept = analog_calibration.within(patterns).cpu()
    order = fit.a.argsort()
    for number, (column, name) in enumerate(
        zip(order[[0, len(order) // 2, -1]].tolist(), ("lowest", "median", "highest"), strict=True)
    ):
        colour = f"C{number}"
        axes.plot(s[kept], m[kept, column], "o", color=colour, markersize=3)
        axes.plot(s[~kept], m[~kept, column], "o", color=colour, markersize=3, fillstyle="none")
        line = torch.stack([s.min(), s.max()])
        axes.plot(
            line,
            float(fit.a[column]) * line + float(fit.o[column]),
            color=colour,
            label=f"{name} gain, column {column}",
        )
    axes.set_xlabel("sum of input x weight")
    axes.set_ylabel("output + 0.5 (LSB); hollow: left out")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
