"""`neurobench run`: a single run, or with `-m` one for each combination, composed by Hydra."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.cli.arguments import VerbParser, add_common
from neurobench.config.compose import composer, folders, searchpath
from neurobench.config.errors import FINE, ConfigError
from neurobench.config.overrides import RESUME, keep_texts, override_of, parse_word, quote_texts
from neurobench.experiment.request import accepted, plan_of, refusal
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.report.screen import Screen

if TYPE_CHECKING:
    from neurobench.experiment.plan import Plan
    from neurobench.storage.folder import RunFolder


def run_command(words: list[str]) -> int:
    """Execute a run, or several with `-m`. Exit code 0; 1 if a run failed; 2 if the configuration cannot run; 4 if a
    run waits for queued jobs; 130 after Ctrl-C."""
    parser = _parser()
    args = parser.parse_intermixed_args(words)
    if args.dry_run and args.multirun:
        parser.error("--dry-run estimates one run: leave out -m; neurobench sweep ... --dry-run lists several")
    overrides = [*accepted(args.overrides, args.config_dir), *_switches(args)]
    try:
        if args.questions:
            hydra_app(overrides, args.config_dir, args.questions)
        elif args.dry_run:
            _estimate(overrides, args.config_dir)
        elif args.multirun:
            return _multirun(overrides, args.config_dir, args.quiet)
        else:
            _run_one(overrides, args.config_dir, args.verbose, args.quiet)
    except (HydraException, OmegaConfBaseException) as error:
        raise refusal(error, overrides, args.config_dir, args.multirun) from None
    return FINE


EXAMPLES = """examples:
  neurobench run model=qrbm                                 train and test; the model brings its own data set
  neurobench run model=slayer_snn backend=mock              the same on an emulated chip
  neurobench run model=qrbm model.lr=0.02 training.epochs=3 seed=1
  neurobench run experiment=dynex_qrbm                      a published tutorial, unchanged
  neurobench run model=qrbm scale=smoke                     in seconds, to see that it works
  neurobench run model=qrbm --resume                        continue after an interruption
  neurobench run model=qrbm --cfg job                       show the configuration, run nothing

names to choose from:   neurobench list
every key of a model:   neurobench help model=qrbm
how keys are written:   neurobench help configuration
many runs:              neurobench sweep --help
"""


def _parser() -> argparse.ArgumentParser:
    description = "Load, train, test and record one combination of model, data set and backend."
    parser = VerbParser(prog="neurobench run", description=description, epilog=EXAMPLES, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "neurobench run [KEY=VALUE ...] [options]"
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="a choice (model=qrbm) or a value (seed=1)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the newest unfinished run of this configuration"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what it would request from its devices, and the price"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="end once a device's jobs are queued; `poll` resumes the run"
    )
    parser.add_argument("--multirun", "-m", action="store_true", help="a run for each combination of several values")
    add_common(parser)
    of_hydra = parser.add_argument_group("Hydra's own")
    for name, help_ in (("--resolve", "with --cfg: interpolations replaced"), ("--hydra-help", "Hydra's options")):
        of_hydra.add_argument(name, dest="questions", action="append_const", const=name, help=help_)
    for question, short, value, help_ in (
        ("--cfg", "-c", "job|hydra|all", "print the configuration, run nothing"),
        ("--package", "-p", "SECTION", "with --cfg: only that section"),
        ("--info", "-i", "defaults|plugins|...", "how the configuration is composed"),
    ):
        kind = f"{question}={{}}".format
        of_hydra.add_argument(question, short, dest="questions", action="append", type=kind, metavar=value, help=help_)
    return parser


def _switches(args: argparse.Namespace) -> list[str]:
    switches = {RESUME: args.resume, "wait=false": args.no_wait}
    return [word for word, given in switches.items() if given]


def _run_one(overrides: Sequence[str], config_dir: str | None, verbose: bool, quiet: bool) -> None:
    with phase("composing the configuration"):
        plan, other = plan_of(overrides, config_dir)
    if other and not quiet:
        print(f"note: {other}", file=sys.stderr)
    from neurobench.cli.outcome import print_answer, print_details, print_headline
    from neurobench.experiment.execute import execute

    if plan.run.resume and not quiet:
        print_nothing_to_resume([plan])
    console = Screen(of_run=True)
    answered: list[RunFolder] = []

    def answer(folder: RunFolder, result: Mapping[str, Any]) -> None:
        if quiet:
            print_headline(result, console)
        else:
            print_answer(folder, result, console)
        if verbose:
            print_details(folder, result, console)
        answered.append(folder)

    folder = execute(plan, Screen(quiet=True) if quiet else console, answer=answer)
    result = folder.result()
    if not answered and result is not None:  # it had finished before
        answer(folder, result)


def print_nothing_to_resume(plans: Sequence[Plan]) -> None:
    """Print a note for a user who requested to resume if there is nothing to resume."""
    from neurobench.experiment.folder_choice import nothing_to_resume

    if sentence := nothing_to_resume(plans):
        print(f"note: {sentence}", file=sys.stderr)


def _estimate(overrides: Sequence[str], config_dir: str | None) -> None:
    with phase("composing the configuration"):
        plan, _ = plan_of(overrides, config_dir)
    with importing("torch"):
        from neurobench.experiment.estimate import estimate, lines
    with phase("rehearsing"):
        made = estimate(plan)
    print("\n".join(lines(made, {name: plan.config["backend"][name] for name in plan.wiring.values()})))


def hydra_app(overrides: Sequence[str], config_dir: str | None, flags: Sequence[str]) -> None:
    """Hand over to Hydra, which composes and calls `job`, or answers --cfg, --info, --help and completion."""
    import hydra

    from neurobench.config.sources import register_sources

    # Hydra would print and exit by itself; with this it raises, so that the message is written here.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register_sources()
    sys.argv = [sys.argv[0], *searchpath(folders(config_dir)), *overrides, *flags]
    hydra.main(version_base="1.3", config_path="pkg://neurobench.conf", config_name="config")(job)()


def job(config: DictConfig) -> None:
    """Execute one run of Hydra's multirun and write job.json, since a launcher may execute it on another machine."""
    from hydra.core.hydra_config import HydraConfig

    from neurobench.cli.outcome import print_headline
    from neurobench.experiment.plan import parse
    from neurobench.storage.atomic import write_json
    from neurobench.storage.folder import RunFolder
    from neurobench.sweeps.job import attempt

    console, context = Screen(of_run=True), HydraConfig.get()
    overrides = list(context.overrides.task)
    report = attempt(lambda: parse(keep_texts(config, overrides), overrides), console)
    write_json(Path(context.runtime.output_dir) / "job.json", {"overrides": overrides, **report})
    if report["status"] == "finished":
        result = RunFolder(Path(report["folder"])).result()
        assert result is not None
        print_headline(result, console)
    else:
        console.print(f"{report['status']}: {' '.join(overrides)}", highlight=False, soft_wrap=True)
    if report["status"] == "interrupted":
        raise KeyboardInterrupt


def _plans(composed: Sequence[tuple[Sequence[str], DictConfig]]) -> Iterator[Plan]:
    """Plans of the configurations that can run; the others are refused when their turn comes."""
    from neurobench.experiment.plan import parse

    for words, config in composed:
        with contextlib.suppress(ConfigError):
            yield parse(keep_texts(config, words), words)


def _resolved(text: str, config: DictConfig) -> str:
    """Text with values in place of ${now:...} and of keys, once for the whole multirun."""
    return str(OmegaConf.create({**config, "text": text}).text)


def _job_files(folder: Path) -> list[Path]:
    """Reports of the jobs of a multirun. hydra.sweep.dir may name a folder that contains others' files too."""
    return [file for file in folder.glob("*/job.json") if file.parent.name.isdecimal()]


def _multirun(overrides: list[str], config_dir: str | None, quiet: bool) -> int:
    """Run every combination even if others fail, and report at the end which ones did not finish.

    Finished runs are not repeated and half-done ones are resumed, unless resume=false requests new folders.
    """
    from neurobench.cli.settings import print_settings
    from neurobench.config.home import home_path
    from neurobench.storage.atomic import make_folder
    from neurobench.storage.store import default_outputs
    from neurobench.sweeps.job import LOST
    from neurobench.sweeps.plan import STARTS_FROM_ANOTHER, combinations
    from neurobench.sweeps.progress import exit_code, print_outcome
    from neurobench.sweeps.record import new_sweep_folder

    asks_to_resume = RESUME in overrides
    if not any(word.startswith("resume=") for word in overrides):
        overrides = [*overrides, RESUME]
    # Composed here first, so that a file's changes to Hydra's section are refused before Hydra acts on them.
    with composer(config_dir) as compose:
        composed = list(combinations(overrides, compose))
    starting = [each for each in composed if OmegaConf.select(each[1], "model.init_from")]
    for plan in _plans(starting) if len(composed) > 1 else ():
        if plan.would_start_from_itself:
            raise ConfigError([STARTS_FROM_ANOTHER.format(plan.start_from, "job")])
    jobs = [(words, home_path(str(config.outputs or default_outputs()))) for words, config in composed]
    if asks_to_resume and not quiet:
        print_nothing_to_resume(list(_plans(composed)))
    overrides = quote_texts(composed[0][1], overrides)
    named = [parse_word(word) for word in overrides if word.startswith("hydra.sweep.dir=")]
    given = _resolved(str(named[-1].value()), composed[0][1]) if named and named[-1] else None
    folder = Path(home_path(given)) if given else new_sweep_folder(Path(min(outputs for _, outputs in jobs)))
    make_folder(folder, "set outputs=FOLDER")
    for file in _job_files(folder):  # of an earlier sweep into the same folder
        file.unlink()
    hydra_app([*overrides, override_of("hydra.sweep.dir", str(folder))], config_dir, ["--multirun"])
    reports = {file.parent.name: json.loads(file.read_text()) for file in _job_files(folder)}
    if not any(word.startswith("hydra/sweeper=") for word in overrides):  # any other sweeper decides itself what to run
        for number, (words, _) in enumerate(jobs):
            reports.setdefault(str(number), {"overrides": words, "status": "lost", "error": LOST})
    by_number = [reports[name] for name in sorted(reports, key=lambda name: (len(name), name))]
    console = Screen()
    print_outcome(console, [(" ".join(report["overrides"]), report) for report in by_number], "runs")
    print_settings([report["overrides"] for report in by_number], by_number, console)
    return exit_code([report["status"] for report in by_number])
