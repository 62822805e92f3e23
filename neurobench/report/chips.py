"""Transfer against training in the loop, chip by chip: python -m neurobench.report.chips [NAME ...]

Draws the finished runs of each name (hxtorch_yin_yang_best unless given), the newest of each chip, and writes
chips.png into the folder of that name.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from neurobench.config.errors import UserError
from neurobench.storage.atomic import write_bytes
from neurobench.storage.store import default_outputs, read_index

STAGES = {
    "host_accuracy": ("host's model", "#b8c9dc"),
    "transfer_accuracy": ("on the chip", "#d1752c"),
    "loop_accuracy": ("after the first phase in the loop", "#7aa6a1"),
    "tuned_accuracy": ("after the last phase in the loop", "#1f4e79"),
}


def bars(runs: Sequence[tuple[str, Mapping[str, float]]], title: str) -> Figure:
    """One group of bars for each chip. `runs`: chip's name and the metrics of its run."""
    stages = {name: style for name, style in STAGES.items() if any(name in metrics for _, metrics in runs)}
    width = 0.8 / len(stages)
    figure = Figure(figsize=(2.5 + 1.1 * len(runs), 3.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, (label, colour)) in enumerate(stages.items()):
        values = [metrics.get(name, float("nan")) for _, metrics in runs]
        positions = [chip + (number - (len(stages) - 1) / 2) * width for chip in range(len(runs))]
        axes.bar(positions, values, width, color=colour, label=f"{label}, mean {sum(values) / len(values):.2%}")
    caps = [metrics["input_cap"] for _, metrics in runs if "input_cap" in metrics]
    if caps:
        axes.axhline(caps[0], color="black", linestyle="--", linewidth=0.9, label=f"limit of the inputs, {caps[0]:.2%}")
    lowest = min(metrics[name] for _, metrics in runs for name in stages if name in metrics)
    axes.set_ylim(max(0.0, lowest - 0.03), 1.0)
    axes.set_xticks(range(len(runs)), [f"chip {chip}" for chip, _ in runs])
    axes.set_ylabel("test accuracy")
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def newest_of_each_chip(outputs: Path, name: str) -> list[tuple[str, Mapping[str, float]]]:
    """Finished paper-scale runs of a name, by chip. Raises UserError where there are none."""
    by_chip: dict[int, Mapping[str, float]] = {}
    for entry in read_index(outputs):
        result = entry.result
        if result and result["name"] == name and result["scale"] == "paper":
            checkpoint = entry.folder(outputs).load_checkpoint() or {"learner": {}}
            chip = checkpoint["learner"].get("chip", {}).get("chip_seed", result["seed"])
            by_chip[chip] = result["metrics"]
    if not by_chip:
        raise UserError(
            f"there is no finished run of {name} below {outputs}. "
            f"Start some: neurobench run -m experiment={name} seed=0,1,2,3,4"
        )
    return [(str(chip), by_chip[chip]) for chip in sorted(by_chip)]


def main(names: Sequence[str]) -> None:
    outputs = default_outputs()
    for name in names or ["hxtorch_yin_yang_best"]:
        file = io.BytesIO()
        bars(newest_of_each_chip(outputs, name), name).savefig(file, format="png", dpi=150, bbox_inches="tight")
        write_bytes(outputs / name / "chips.png", file.getvalue())
        print(outputs / name / "chips.png")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
