"""`neurobench poll`: resume runs whose jobs were queued at a device that answers later."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from neurobench.cli.arguments import verb_parser
from neurobench.cli.outcome import print_answer
from neurobench.config.errors import FAILED, FINE, QUEUED, UserError
from neurobench.process import importing
from neurobench.report.screen import Screen
from neurobench.storage.files import Damaged
from neurobench.storage.folder import InUse, RunFolder
from neurobench.storage.journal import Journal
from neurobench.storage.store import find_run, read_index


def poll_command(words: list[str]) -> int:
    """Fetch the answers of queued jobs and resume their runs until these end or wait for further jobs. Exit code 0 if
    all have finished, 4 if some are still waiting, 1 if one failed."""
    parser = verb_parser("poll", poll_command.__doc__)
    parser.add_argument(
        "run", nargs="?", help="a path, an id or its beginning, a name; default: every run with queued jobs"
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait until the device has answered, however long that takes"
    )
    args = parser.parse_args(words)
    folders = [find_run(args.outputs, args.run)] if args.run else queued_runs(args.outputs)
    if not folders:
        print(f"no run below {args.outputs} has jobs queued")
    console, code = Screen(of_run=True, highlight=False, soft_wrap=True), FINE
    for folder in folders:
        if not (args.run or _has_jobs(folder)):  # another process has resumed it meanwhile
            continue
        try:
            one = _go_on(folder, args.wait, console)
        except InUse as error:
            one = QUEUED
            print(f"neurobench poll: {error}", file=sys.stderr)
        except UserError as error:
            if args.run or error.stops_sweep:
                raise
            one = FAILED
            print(f"neurobench poll: {error}", file=sys.stderr)
        code = max(code, one, key=[FINE, QUEUED, FAILED].index)
    return code


def queued_runs(outputs: Path) -> list[RunFolder]:
    """Runs with jobs under way, oldest first."""
    entries = sorted(read_index(outputs), key=lambda entry: entry.moment)
    runs = [RunFolder(outputs / entry.path) for entry in entries]
    return [run for run in runs if _has_jobs(run)]


def _has_jobs(run: RunFolder) -> bool:
    """Whether a run has jobs under way, also if it was stopped or failed meanwhile. True if its journal is damaged: the
    run is resumed and then reports the damage."""
    if run.status == "queued":
        return True
    if run.status not in ("interrupted", "killed", "failed"):
        return False
    try:
        return bool(Journal(run.path).waiting())
    except Damaged:
        return True


def _go_on(folder: RunFolder, wait: bool, console: Console) -> int:
    if not (_has_jobs(folder) or folder.in_use):
        raise UserError(f"{folder.path} is '{folder.status}': it has no jobs queued.")
    with importing("torch"):
        from neurobench.devices.jobs import Queued
        from neurobench.experiment.execute import execute
        from neurobench.experiment.reload import stored_plan

    plan = stored_plan(folder).taken_up(str(folder.path.parent.parent), wait)
    try:
        execute(plan, console, answer=lambda run, result: print_answer(run, result, console), into=folder)
    except Queued as queued:
        console.print(str(queued))
        return QUEUED
    return FINE
