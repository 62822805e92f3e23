"""Summary after many runs: a table of settings over their seeds."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from neurobench.report.results import results_of, settings_of, swept_keys
from neurobench.report.results_table import print_results
from neurobench.storage.selection import PRESENT, configuration
from neurobench.storage.store import default_outputs, read_index
from neurobench.sweeps.job import Report


def print_settings(jobs: Sequence[Sequence[str]], reports: Sequence[Report], console: Console) -> None:
    """Print the results, a line per setting, and the command that shows and plots them again. `jobs`: their
    overrides."""
    folders = [Path(report["folder"]) for report in reports if report["status"] == "finished"]
    if len(folders) < 2:
        return
    outputs, paths = folders[0].parent.parent, {f"{folder.parent.name}/{folder.name}" for folder in folders}
    entries = [entry for entry in read_index(outputs) if entry.path in paths]
    by = swept_keys(jobs)
    settings, keys = settings_of(entries, outputs, by)
    console.print()
    print_results(results_of(settings, keys, by, "test_accuracy", None), console)
    if by:
        same = set.intersection(*(set(job) for job in jobs))
        known = (*PRESENT, *configuration(entries[0].folder(outputs)))
        filters = [word for word in jobs[0] if word in same and word.partition("=")[0] in known]
        place = [] if outputs == default_outputs() else ["--outputs", str(outputs)]
        words = ["neurobench", "results", *filters, "--by", ",".join(by), *place, "--plot", "results.png"]
        console.print(f"next: {shlex.join(words)}", highlight=False, soft_wrap=True)
