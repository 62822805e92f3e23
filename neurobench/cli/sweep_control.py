"""`sweep --status`, `--cancel` and `--logs` for a sweep that runs, or ran, elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from neurobench.config.errors import FINE, UserError
from neurobench.report.screen import Screen, print_whole
from neurobench.sweeps.progress import board
from neurobench.sweeps.record import control_command, find_sweep
from neurobench.sweeps.status import cancel_sweep, log_of, standings


def show_status(outputs: Path, reference: str, as_json: bool) -> int:
    record = find_sweep(outputs, reference)
    pairs = list(zip(record.entries, standings(record), strict=True))
    if as_json:
        plain = [{"job": entry.number, "overrides": list(entry.overrides), **report} for entry, report in pairs]
        print(json.dumps({"sweep": record.label, "launcher": record.launcher, "jobs": plain}, indent=2))
        return FINE
    console = Screen()
    rows = [(entry.number, entry.label, report) for entry, report in pairs]
    print_whole(board(rows, str(record.folder)), console)
    console.print(f"\nsweep {record.label}, launcher {record.launcher}: {record.command}", soft_wrap=True)
    for entry, report in pairs:
        if report.get("error") and report["status"] != "finished":
            console.print(f"{report['status']}: {entry.label}\n  {report['error']}", highlight=False, soft_wrap=True)
    logs = control_command(record.folder, "--logs", "JOB", record.label)
    console.print(f"logs: {logs}", highlight=False, soft_wrap=True)
    if any(report["status"] in ("pending", "running") for _, report in pairs):
        end = control_command(record.folder, "--cancel", record.label)
        console.print(f"to end them: {end}", highlight=False, soft_wrap=True)
    return FINE


def cancel(outputs: Path, reference: str) -> int:
    record = find_sweep(outputs, reference)
    print(f"sweep {record.label}: {cancel_sweep(record)}")
    return FINE


def show_log(outputs: Path, words: list[str]) -> int:
    """Print the log of a job. `words`: the job's number and, if it is not the newest, the sweep."""
    if not 1 <= len(words) <= 2 or not words[0].isdecimal():
        raise UserError(f"--logs {' '.join(words)}: give the number of a job, then a sweep if it is not the newest")
    print(log_of(find_sweep(outputs, words[1] if len(words) == 2 else "latest"), int(words[0])), end="")
    return FINE
