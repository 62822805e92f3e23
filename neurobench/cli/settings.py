"""Summary after many runs: a table of settings over their seeds."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.report.results import results_of, settings_of, swept_keys
from neurobench.report.results_table import print_results
from neurobench.storage.selection import PRESENT, configuration
from neurobench.storage.store import default_outputs, read_index
from neurobench.sweeps.job import Report


def print_settings(jobs: Sequence[Sequence[str]], reports: Sequence[Report], console: Console) -> None:
    """Print the results, a line per setting, and the command that shows and plots them again; if the jobs have several
    folders of runs, as `outputs=A,B`, for each of these. `jobs`: their overrides."""
    runs: dict[Path, set[str]] = {}  # name/id of the finished runs by their `outputs`
    for report in reports:
        if report["status"] == "finished":
            folder = Path(report["folder"])
            runs.setdefault(folder.parent.parent, set()).add(f"{folder.parent.name}/{folder.name}")
    for outputs, paths in runs.items():
        if len(paths) > 1:
            console.print(f"\n{outputs}:" if len(runs) > 1 else "", highlight=False, soft_wrap=True)
            _print_results(jobs, outputs, paths, console)


def _print_results(jobs: Sequence[Sequence[str]], outputs: Path, paths: Collection[str], console: Console) -> None:
    entries = [entry for entry in read_index(outputs) if entry.path in paths]
    by = swept_keys(jobs)
    try:
        settings, keys = settings_of(entries, outputs, by)
    except UserError:
        by = []  # a swept key affects no figure: runs that had finished before may have other values of it
        settings, keys = settings_of(entries, outputs)
    print_results(results_of(settings, keys, by, "test_accuracy", None), console)
    if by:
        same = set.intersection(*(set(job) for job in jobs))
        known = (*PRESENT, *configuration(entries[0].folder(outputs)))
        filters = [word for word in jobs[0] if word in same and word.partition("=")[0] in known]
        place = [] if outputs == default_outputs() else ["--outputs", str(outputs)]
        words = ["neurobench", "results", *filters, "--by", ",".join(by), *place, "--plot", "results.png"]
        console.print(f"next: {shlex.join(words)}", highlight=False, soft_wrap=True)
