"""Comparison of transfer and in-the-loop training for each chip: python -m neurobench.report.chips [NAME ...]

Draws the newest finished run of each chip for each name (default hxtorch_yin_yang_best), and writes chips.png into the
folder of that name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from neurobench.config.errors import UserError
from neurobench.figures.style import (
    COLUMN,
    DEVICE,
    IDEAL,
    LIMIT,
    PAGE,
    in_per_cent,
    legend,
    paper,
    rendered,
    series,
)
from neurobench.metrics.statistics import wilson_interval
from neurobench.storage.atomic import write_bytes
from neurobench.storage.store import default_outputs, read_index

STAGES = {
    "host_accuracy": ("host's model", IDEAL),
    "transfer_accuracy": ("on the chip", DEVICE),
    "loop_accuracy": ("after the first phase in the loop", series(3)),
    "tuned_accuracy": ("after the last phase in the loop", series(0)),
}


class ChipRun(NamedTuple):
    """Accuracies reached on one chip."""

    chip: str
    metrics: Mapping[str, float]
    n_test: int  # samples over which each accuracy is computed


def bars(runs: Sequence[ChipRun], title: str) -> Figure:
    """One group of bars for each chip, with 95 % intervals over the test samples."""
    with paper():
        return _bars(runs, title)


def _bars(runs: Sequence[ChipRun], title: str) -> Figure:
    stages = {name: style for name, style in STAGES.items() if any(name in run.metrics for run in runs)}
    width = 0.8 / len(stages)
    figure = Figure(figsize=(COLUMN if len(runs) <= 5 else PAGE, 2.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, (label, colour)) in enumerate(stages.items()):
        values = [run.metrics.get(name, float("nan")) for run in runs]
        positions = [chip + (number - (len(stages) - 1) / 2) * width for chip in range(len(runs))]
        axes.bar(positions, values, width, color=colour, label=f"{label}, mean {np.nanmean(values):.2%}")
        for at, value, run in zip(positions, values, runs, strict=True):
            if name in run.metrics:
                axes.vlines(at, *wilson_interval(round(value * run.n_test), run.n_test), color="black", linewidth=0.6)
    caps = [run.metrics["input_cap"] for run in runs if "input_cap" in run.metrics]
    if caps:
        axes.axhline(caps[0], color=LIMIT, linestyle="--", linewidth=0.8, label=f"limit of the inputs, {caps[0]:.2%}")
    lowest = min(run.metrics[name] for run in runs for name in stages if name in run.metrics)
    axes.set_ylim(max(0.0, lowest - 0.03), 1.0)
    axes.set_xticks(range(len(runs)), [f"chip {run.chip}" for run in runs])
    in_per_cent(axes)
    axes.set_ylabel("test accuracy")
    axes.set_title(title)
    axes.grid(axis="y")
    legend(figure, axes, columns=1)
    return figure


def newest_of_each_chip(outputs: Path, name: str) -> list[ChipRun]:
    """Newest finished paper-scale run of each chip for a name. Raises UserError if there are none."""
    by_chip: dict[int, ChipRun] = {}
    for entry in read_index(outputs):
        result = entry.result
        if result and result["name"] == name and result["scale"] == "paper":
            checkpoint = entry.folder(outputs).load_checkpoint() or {"learner": {}}
            chip = checkpoint["learner"].get("chip", {}).get("chip_seed", result["seed"])
            by_chip[chip] = ChipRun(str(chip), result["metrics"], result["data"]["n_test"])
    if not by_chip:
        raise UserError(
            f"there is no finished run of {name} below {outputs}. "
            f"Start runs with: neurobench run -m experiment={name} seed=0,1,2,3,4"
        )
    return [by_chip[chip] for chip in sorted(by_chip)]


def main(names: Sequence[str]) -> None:
    outputs = default_outputs()
    for name in names or ["hxtorch_yin_yang_best"]:
        write_bytes(outputs / name / "chips.png", rendered(bars(newest_of_each_chip(outputs, name), name), "png"))
        print(outputs / name / "chips.png")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
