"""Verbs that make many runs. `sweep OVERRIDES`: every combination, planned first, none twice; `tune SPACE`: better
values, judged on held-out samples alone."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from rich import box
from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import add_outputs, verb_parser
from neurobench.config.errors import FAILED, FINE, UserError, not_installed
from neurobench.config.overrides import override_of
from neurobench.config.targets import is_installed
from neurobench.phases import phase
from neurobench.sweeps.launch import LAUNCHERS, TO_RUN, Settings, run_jobs
from neurobench.sweeps.plan import Job, jobs_of
from neurobench.sweeps.progress import StatusTable, counts, exit_code, print_outcome, styled

if TYPE_CHECKING:
    from neurobench.sweeps.tune import Space

EXAMPLES = """examples:
  neurobench sweep model=qrbm seed=range(5) model.lr=0.02,0.05 --dry-run
  neurobench sweep experiment=dynex_qrbm seed=0,1,2 --workers 2
  neurobench sweep model=qrbm seed=range(50) --launcher slurm --with slurm_partition=long timeout_min=120
"""


def sweep_command(words: list[str]) -> int:
    """Exit code 0; 1 where a run failed; 2 where none can run; 130 after Ctrl-C."""
    args = _sweep_parser().parse_intermixed_args(words)
    with phase("planning the jobs"):
        jobs = jobs_of(args.overrides, args.config_dir)
    settings = Settings(args.launcher, args.workers, args.fail_fast, _options(args.options))
    console = Console(markup=False)
    if args.dry_run:
        if args.json:
            print(json.dumps([_plain_job(job) for job in jobs], indent=2))
        else:
            _print_plan(jobs, console)
        return exit_code([job.state if job.state == "refused" else "finished" for job in jobs])
    table = run_jobs(jobs, settings, Console(markup=False, stderr=True) if args.json else console)
    return _print_reports(table, console, args.json)


def _sweep_parser() -> argparse.ArgumentParser:
    description = (
        "Run every combination, planned first, none twice: finished jobs are skipped, half-done ones go on from their "
        "checkpoint."
    )
    plan_or_outcome = "the plan (with --dry-run) or the outcome"
    parser = verb_parser("sweep", description, outputs=False, json=plan_or_outcome)
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("overrides", nargs="*", help="as of `run -m`: key=value, several values with commas")
    parser.add_argument("--dry-run", action="store_true", help="print the jobs and which are done, run nothing")
    parser.add_argument("--fail-fast", action="store_true", help="begin no further job once one has failed")
    parser.add_argument("--workers", type=int, help="jobs at once (as many as cores / threads)")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="local", help="where jobs run (%(default)s)")
    parser.add_argument("--with", nargs="+", dest="options", default=[], metavar="KEY=VALUE", help="for the launcher")
    parser.add_argument("--resume", "-m", "--multirun", action="store_true", help=argparse.SUPPRESS)  # it always does
    return parser


def _options(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, values as YAML reads them."""
    for word in words:
        if "=" not in word:
            raise UserError(f"--with {word}: write KEY=VALUE")
    plain = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _plain_job(job: Job) -> dict[str, Any]:
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
        folder = job.folder.name if job.folder else " ".join(job.faults)
        table.add_row(str(job.number), job.label, styled(job.state), job.hash, folder)
    console.print(table)
    to_run = sum(job.state in TO_RUN for job in jobs)
    console.print(f"\n{len(jobs)} jobs: {counts(job.state for job in jobs)}; {to_run} to run", highlight=False)


def _print_reports(table: StatusTable, console: Console, as_json: bool) -> int:
    reports = [table.report(job) for job in table.jobs]
    if as_json:
        both = zip(table.jobs, reports, strict=True)
        print(json.dumps([{**_plain_job(job), **report} for job, report in both], indent=2))
    else:
        before = sum(job.state == "finished" for job in table.jobs)
        note = f" ({before} of them before)" if before else ""
        labels = [job.label for job in table.jobs]
        print_outcome(console, list(zip(labels, reports, strict=True)), "jobs", note)
    statuses = [report["status"] for report in reports]
    if "interrupted" in statuses:
        console.print("stopped; the same command goes on", highlight=False)
        return 130
    return exit_code(statuses)


def tune_command(words: list[str]) -> int:
    """Look for better values, judged on held-out samples alone. Stop it and start it again. Exit code 0; 1 where no
    trial could be judged."""
    parser = verb_parser("tune", tune_command.__doc__, outputs=False, json="the trials")
    parser.add_argument("space", help="a file of conf/tune, or a YAML file of your own")
    parser.add_argument("overrides", nargs="*", help="key=value, for every trial")
    parser.add_argument("--trials", type=int, default=20, help="in all, those of earlier sessions too (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the proposals (%(default)s)")
    add_outputs(parser, may_be_new=True)
    args = parser.parse_intermixed_args(words)
    if args.trials < 1 or args.seed < 0:
        raise UserError("--trials is at least 1, --seed at least 0")
    if not is_installed("optuna"):
        raise UserError(not_installed("tune", "optuna", "tune"))
    with phase("importing optuna"):
        from neurobench.sweeps import tune

    space = tune.load_space(args.space, [*args.overrides, override_of("outputs", str(args.outputs))], args.config_dir)
    name = f"{Path(args.space).stem}-{space.identity}"
    file = args.outputs / ".tune" / f"{name}.db"
    console = Console(markup=False, stderr=args.json)
    others = sorted(file.parent.glob(f"{Path(args.space).stem}-????????.db"))
    if others and not file.exists():
        earlier = ", ".join(other.name for other in others)
        console.print(f"another space or other overrides than in {earlier}: a new study begins", highlight=False)
    with phase("opening the study"):
        study = tune.open_study(space, name, file)
    tune.tune(study, space, args.trials, args.seed, console, args.config_dir)
    trials = tune.counted(study)
    if args.json:
        print(json.dumps([_plain_trial(trial) for trial in trials], indent=2))
    else:
        _print_trials(space, trials, file, console)
    return FINE if any(trial.state.name == "COMPLETE" for trial in trials) else FAILED


def _plain_trial(trial: Any) -> dict[str, Any]:
    plain = {key: getattr(trial, key) for key in ("number", "params", "value")}
    return {**plain, "state": trial.state.name.lower(), **trial.user_attrs}


def _print_trials(space: Space, trials: list, file: Path, console: Console) -> None:
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    complete.sort(key=lambda trial: trial.value, reverse=space.larger_wins)
    table = Table(title=f"\nbest trials by {space.figure}", title_justify="left", box=box.SIMPLE, show_edge=False)
    for column in (space.figure, *space.space):
        table.add_column(column.rpartition(".")[2], justify="right")
    for trial in complete[:10]:
        values = (trial.params[key] for key in space.space)
        table.add_row(f"{trial.value:.5g}", *(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    console.print(table)
    states = [trial.state.name for trial in trials]
    pruned, failed = states.count("PRUNED"), states.count("FAIL")
    console.print(f"\n{len(complete)} trials finished, {pruned} given up early, {failed} failed; study {file}")
    if complete:
        from neurobench.sweeps.tune import value_of

        best = [override_of(key, value_of(space.space[key], v)) for key, v in complete[0].params.items()]
        console.print(shlex.join(["neurobench", "run", *space.overrides, *best]), highlight=False, soft_wrap=True)
    elif trials:
        console.print(
            "no trial finished: each said above why not. Widen the space, or try one by hand.", highlight=False
        )
