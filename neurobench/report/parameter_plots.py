"""The sweeps among all runs, for the report: settings of one model on one data set that differ in a few keys."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.report.results import Results, results_of, settings_of
from neurobench.report.results_table import remarks, short_names
from neurobench.storage.store import Entry

MOST_KEYS = 3  # settings that differ in more are not a sweep
MOST_PLOTS = 24


def swept(entries: Sequence[Entry], outputs: Path) -> dict[str, Results]:
    """Title -> settings, of each model, data set, backend and scale with several settings."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.result is not None:
            parts = entry.summary(outputs)
            title = f"{parts['model']} on {parts['dataset']}, backend {parts['backend']}, scale {parts['scale']}"
            groups.setdefault(title, []).append(entry)
    made = {}
    for title, group in sorted(groups.items()):
        if len({entry.result["setting_hash"] for entry in group if entry.result}) > 1:
            settings, keys = settings_of(group, outputs)
            if len(keys) <= MOST_KEYS:
                made[title] = results_of(settings, keys, keys, "test_accuracy", None)
    return made


def panels(entries: Sequence[Entry], outputs: Path) -> list[dict[str, str]]:
    """Each sweep that can be drawn: title, picture (the address of an <img>) and what a reader must know of it."""
    drawn = []
    for title, results in list(swept(entries, outputs).items())[:MOST_PLOTS]:
        from neurobench.report.results_plot import drawn as picture

        try:
            content = picture(results, "svg")
        except UserError:  # more lines than a plot can hold: the table of `neurobench results` has them
            continue
        source = f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"
        by = ", ".join(short_names(results.keys).values())
        drawn.append({"title": title, "by": by, "src": source, "note": "; ".join(remarks(results))})
    return drawn
