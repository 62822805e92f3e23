"""Which figures of merit belong together, by their names: for whoever shows many of them."""

import re
from collections.abc import Iterable

# Title -> a pattern of the whole name; the first that fits counts, and the order is that of reading.
GROUPS = {
    "Energy": r"(.*_)?joules.*|energy_.*",
    "Course of the training": r"(loss|error)_iteration_\d+|epoch_?\d+_.*|.*_of_first_epochs",
    "Layer by layer": r"layer\d+_.*",
    "Size and operations": (
        r"parameter_count|parameters|.*_parameters|footprint_bytes|(connection|activation)_sparsity.*|"
        r"(effective_(macs|acs)|dense_operations|membrane_updates)(_per_step)?"
    ),
    "Shots and noise": r"accuracy_(at|lost_at)_\d+_shots|exact_.*|ideal_.*|mean_abs_dz.*|mean_p_correct|calibration_.*",
    "Accuracy and loss": (
        r"(?!calibrated_).*(accuracy|loss|error|mse|nll|likelihood|gain_over_classical)(_.*)?|lr_150_.*"
    ),
}
ORDER = (
    "Accuracy and loss", "Shots and noise", "Course of the training", "The model", "Layer by layer",
    "Size and operations", "Energy",
)  # fmt: skip


def group(name: str) -> str:
    """The title under which a figure of merit stands; "The model" of all that only its own page explains."""
    return next((title for title, pattern in GROUPS.items() if re.fullmatch(pattern, name)), "The model")


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Title -> names, both in the order of reading; no title without a name."""
    titles: dict[str, list[str]] = {title: [] for title in ORDER}
    for name in names:
        titles[group(name)].append(name)
    return {title: members for title, members in titles.items() if members}
