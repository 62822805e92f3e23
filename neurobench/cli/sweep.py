"""`neurobench sweep OVERRIDES`: every combination, planned first, none twice, whatever was killed before."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.config.errors import BAD_USAGE, FAILED, FINE, UserError
from neurobench.runs.provenance import cores
from neurobench.sweep.launch import LAUNCHERS
from neurobench.sweep.plan import Job, jobs_of
from neurobench.sweep.progress import COLOURS, Board
from neurobench.sweep.runner import TO_RUN, Way, drive

EXAMPLES = """examples:
  neurobench sweep model=qrbm seed=range(5) model.lr=0.02,0.05 --dry-run
  neurobench sweep experiment=dynex_qrbm seed=0,1,2 --workers 2
  neurobench sweep model=qrbm seed=range(50) --launcher slurm --with slurm_partition=long timeout_min=120
"""


def main(words: list[str]) -> int:
    """Exit code 0; 1 where a run failed; 2 where none can run; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="neurobench sweep",
        description=f"{__doc__} Finished jobs are skipped, half-done ones go on from their checkpoint.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", help="as of `run -m`: key=value, several values with commas")
    parser.add_argument("--dry-run", action="store_true", help="print the jobs and which are done, run nothing")
    parser.add_argument("--json", action="store_true", help="the plan (with --dry-run) or the outcome for programs")
    parser.add_argument("--fail-fast", action="store_true", help="begin no further job once one has failed")
    parser.add_argument("--workers", type=int, help="jobs at once (as many as cores / threads)")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="local", help="where jobs run (%(default)s)")
    parser.add_argument("--with", nargs="+", dest="options", default=[], metavar="KEY=VALUE", help="for the launcher")
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help="a folder of YAML files of your own")
    parser.add_argument("--resume", "-m", "--multirun", action="store_true", help=argparse.SUPPRESS)  # it always does
    asked = parser.parse_intermixed_args(words)
    jobs = jobs_of([word for word in asked.overrides if not word.startswith("resume=")], asked.config_dir)
    console = Console()
    if asked.dry_run:
        print(json.dumps([_plain(job) for job in jobs], indent=2)) if asked.json else _print_plan(jobs, console)
        return _exit_code([job.state for job in jobs if job.state == "refused"], len(jobs))
    way = Way(asked.launcher, _workers(asked.workers, jobs), asked.fail_fast, _options(asked.options))
    outputs = next((Path(job.plan.run.outputs) for job in jobs if job.plan is not None), Path())
    board = drive(jobs, way, outputs, Console(stderr=True) if asked.json else console)
    return _tell(board, console, asked.json)


def _workers(asked: int | None, jobs: Sequence[Job]) -> int:
    if asked is not None and asked < 1:
        raise UserError(f"--workers {asked}: give a number of jobs at once, at least 1")
    threads = max((job.plan.run.threads for job in jobs if job.plan and job.state in TO_RUN), default=1)
    return asked or max(1, cores() // threads)


def _options(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, values as YAML reads them."""
    from omegaconf import OmegaConf

    for word in words:
        if "=" not in word:
            raise UserError(f"--with {word}: write KEY=VALUE")
    plain = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _plain(job: Job) -> dict[str, Any]:
    return {
        "job": job.number,
        "overrides": list(job.overrides),
        "state": job.state,
        "config_hash": job.hash,
        "folder": str(job.folder) if job.folder else None,
        "faults": list(job.faults),
    }


def _print_plan(jobs: Sequence[Job], console: Console) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1))
    for column in ("job", "what", "state", "config", "folder"):
        table.add_column(column, justify="right" if column == "job" else "left", overflow="fold")
    for job in jobs:
        state = Text(job.state, style=COLOURS.get(job.state, ""))
        where = job.folder.name if job.folder else " ".join(job.faults)
        table.add_row(str(job.number), job.label, state, job.hash, where)
    console.print(table)
    to_run = sum(job.state in TO_RUN for job in jobs)
    console.print(f"\n{len(jobs)} jobs: {_counts([job.state for job in jobs])}; {to_run} to run", highlight=False)


def _counts(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _tell(board: Board, console: Console, as_json: bool) -> int:
    told = [(job, board.report(job)) for job in board.jobs]
    states = [report["status"] for _, report in told]
    if as_json:
        print(json.dumps([{**_plain(job), **report} for job, report in told], indent=2))
    else:
        done = states.count("finished")
        skipped = sum(job.state == "finished" for job in board.jobs)
        note = f" ({skipped} of them before)" if skipped else ""
        unique = len(states) - states.count("twice")
        console.print(f"\n{done} of {unique} jobs finished{note}", highlight=False)
        for job, report in told:
            if report["status"] not in ("finished", "twice"):
                console.print(f"\n{report['status']}: {job.label}", highlight=False, markup=False)
                text = report.get("error") or "\n".join(job.faults)
                console.print(textwrap.indent(text, "  "), highlight=False, markup=False, soft_wrap=True, end="")
        console.print()
    if "interrupted" in states:
        console.print("stopped; the same command goes on", highlight=False)
        return 130
    return _exit_code([state for state in states if state not in ("finished", "twice")], len(states))


def _exit_code(bad: Sequence[str], total: int) -> int:
    if bad and len(bad) == total and set(bad) == {"refused"}:
        return BAD_USAGE
    return FAILED if bad else FINE
