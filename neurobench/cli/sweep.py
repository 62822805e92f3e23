"""`sweep OVERRIDES`: every combination, planned first, run once; at the end a table of settings over their seeds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import UserError
from neurobench.config.home import home_path
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.report.screen import Screen, print_whole
from neurobench.storage.store import default_outputs
from neurobench.sweeps.launcher_config import LauncherConfig, merged, read_launcher_config, read_options
from neurobench.sweeps.progress import StatusTable, counts, exit_code, print_outcome, styled
from neurobench.sweeps.record import control_command

if TYPE_CHECKING:
    from neurobench.sweeps.launch import Settings
    from neurobench.sweeps.plan import Job

EXAMPLES = """examples:
  neurobench sweep model=qrbm 'seed=range(5)' model.lr=0.02,0.05 --dry-run
  neurobench sweep experiment=dynex_qrbm seed=0,1,2 --workers 2
  neurobench sweep model=qrbm 'seed=range(50)' --launcher slurm --with partition=long timeout_min=120 --detach
  neurobench sweep --status
"""


def sweep_command(words: list[str]) -> int:
    """Run a sweep. Exit code 0; 1 if a run failed; 2 if none can run; 4 if runs wait for jobs; 130 after Ctrl-C."""
    args = _sweep_parser().parse_intermixed_args(words)
    if args.status or args.cancel or args.logs:
        return _control(args)
    with importing(""):
        from neurobench.cli.run import print_nothing_to_resume
        from neurobench.config.overrides import RESUME
        from neurobench.sweeps.launch import ONE_MACHINE, run_jobs
        from neurobench.sweeps.plan import jobs_of

    settings = _settings(args)
    with phase("planning the jobs"):
        jobs = jobs_of(args.overrides, args.config_dir, settings.launcher in ONE_MACHINE)
    console = Screen(of_run=True)
    if args.dry_run:
        if args.json:
            print(json.dumps([_plain_job(job) for job in jobs], indent=2))
        else:
            _print_plan(jobs, console)
        return exit_code([job.state if job.state == "refused" else "finished" for job in jobs])
    if (args.resume or RESUME in args.overrides) and not args.quiet:
        print_nothing_to_resume([job.plan for job in jobs if job.plan])
    table = run_jobs(jobs, settings, Screen(of_run=True, stderr=True) if args.json else console)
    if args.detach:
        return _print_detached(table, console, args.json)
    return _print_reports(table, console, args.json)


def _control(args: argparse.Namespace) -> int:
    from neurobench.cli import sweep_control

    option = "logs" if args.logs else "cancel" if args.cancel else "status"
    if args.dry_run:
        raise UserError(f"--{option} knows no --dry-run: --status shows the jobs, --cancel cancels them")
    given = args.logs or [args.cancel or args.status]
    keys = [word for word in (*args.overrides, *given) if "=" in word]  # argparse takes a key that follows for SWEEP
    folders = [word.removeprefix("outputs=") for word in keys if word.startswith("outputs=")]
    if len(folders) < len(keys):
        raise UserError(
            f"--{option} takes no key but outputs=FOLDER: it refers to the newest sweep, or to one given by the "
            f"beginning of its timestamp: neurobench sweep --{option} {'JOB ' if args.logs else ''}20260131-12"
        )
    outputs = Path(home_path(folders[-1])) if folders else default_outputs()
    words = [word for word in given if "=" not in word]
    if args.logs:
        return sweep_control.show_log(outputs, words)
    reference = words[0] if words else "latest"
    if args.cancel:
        return sweep_control.cancel(outputs, reference)
    return sweep_control.show_status(outputs, reference, args.json)


def _settings(args: argparse.Namespace) -> Settings:
    """Launcher settings; the command line overrides the file."""
    from neurobench.sweeps.launch import Settings

    config = read_launcher_config(args.launcher_config) if args.launcher_config else LauncherConfig()
    launcher = args.launcher or config.launcher or "local"
    of_file = config.options if config.launcher in (None, launcher) else {}  # else they are another launcher's
    workers = config.workers if args.workers is None else args.workers
    return Settings(launcher, workers, args.fail_fast, merged(of_file, read_options(args.options)), args.detach)


def _print_detached(table: StatusTable, console: Console, as_json: bool) -> int:
    if as_json:
        _print_json(table)
    elif not table.tasks:
        console.print("nothing to submit: no job is new, unfinished or failed", highlight=False)
    else:
        status = control_command(Path(next(iter(table.tasks.values())).sweep), "--status")
        follow = f"{status} shows them; the same command without --detach follows them"
        console.print(follow, highlight=False, soft_wrap=True)
    return exit_code([job.state if job.state == "refused" else "finished" for job in table.jobs])


def _sweep_parser() -> argparse.ArgumentParser:
    description = (
        "Plan and run every combination, none twice: finished jobs are skipped, unfinished ones resume from "
        "their checkpoint."
    )
    plan_or_outcome = "the plan (with --dry-run) or the outcome"
    parser = verb_parser("sweep", description, outputs=False, json=plan_or_outcome)
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("overrides", nargs="*", help="as for `run -m`: key=value, several values with commas")
    parser.add_argument("--dry-run", action="store_true", help="print the jobs and which are done, run nothing")
    parser.add_argument("--fail-fast", action="store_true", help="start no further job once one has failed")
    parser.add_argument(
        "--workers", type=int, help="jobs at once (default: cores / threads; on a cluster, as many as it runs)"
    )
    parser.add_argument("--launcher", help="where jobs run: local (the default), slurm, ray or submitit-local")
    of_launcher = "options of the launcher"
    parser.add_argument(
        "--with", nargs="+", action="extend", dest="options", default=[], metavar="KEY=VALUE", help=of_launcher
    )
    parser.add_argument(
        "--launcher-config",
        type=Path,
        metavar="FILE.yaml",
        help="YAML file with the launcher and its options that a site always needs",
    )
    parser.add_argument("--detach", action="store_true", help="submit to SLURM, print how to cancel, and exit")
    control = parser.add_mutually_exclusive_group()
    for name, meaning in (
        ("status", "print the status of a sweep's jobs (default: the newest sweep)"),
        ("cancel", "cancel a sweep's jobs"),
    ):
        control.add_argument(f"--{name}", nargs="?", const="latest", metavar="SWEEP", help=meaning)
    control.add_argument("--logs", nargs="+", metavar=("JOB", "SWEEP"), help="print the output of one job")
    for names in (["--resume"], ["-m", "--multirun"]):  # a sweep always does both
        parser.add_argument(*names, action="store_true", help=argparse.SUPPRESS)
    return parser


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
        table.add_column(column, justify="right" if column == "job" else "left")
    for job in jobs:
        folder = job.folder.name if job.folder else " ".join(job.faults)
        table.add_row(str(job.number), job.label, styled(job.state), job.hash, folder)
    print_whole(table, console)
    from neurobench.sweeps.launch import TO_RUN

    to_run = sum(job.state in TO_RUN for job in jobs)
    console.print(f"\n{len(jobs)} jobs: {counts(job.state for job in jobs)}; {to_run} to run", highlight=False)


def _print_json(table: StatusTable) -> None:
    print(json.dumps([{**_plain_job(job), **table.report(job)} for job in table.jobs], indent=2))


def _print_reports(table: StatusTable, console: Console, as_json: bool) -> int:
    reports = [table.report(job) for job in table.jobs]
    if as_json:
        _print_json(table)
    else:
        before = sum(job.state == "finished" for job in table.jobs)
        note = f" ({before} of them before)" if before else ""
        labels = [job.label for job in table.jobs]
        print_outcome(console, list(zip(labels, reports, strict=True)), "jobs", note)
        from neurobench.cli.settings import print_settings

        print_settings([job.overrides for job in table.jobs], reports, console)
    statuses = [report["status"] for report in reports]
    if "interrupted" in statuses:
        console.print("stopped; the same command resumes it", highlight=False)
        return 130
    return exit_code(statuses)
