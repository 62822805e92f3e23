"""`neurobench run`: one run, or with `-m` one for each combination, composed by Hydra."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import GROUPS, before_composing, composer, explain, searchpath
from neurobench.config.errors import BAD_USAGE, FAILED, FINE, ConfigError, UserError

# What Hydra answers by itself, without a run: its help, the composed configuration, where it came from.
QUESTIONS = ("--help", "--hydra-help", "--cfg", "--info", "--resolve", "--package")


def main(words: list[str]) -> int:
    """Exit code 0; 1 where a run failed; 2 where the configuration cannot run; 130 after Ctrl-C."""
    args = _parser().parse_intermixed_args(words)
    overrides = [*args.overrides, *(["resume=true"] if args.resume else [])]
    config_dir = str(args.config_dir.resolve()) if args.config_dir else None
    _refuse_ignored(overrides)
    try:
        if args.questions:
            hydra_app(overrides, config_dir, args.questions)
        elif args.multirun:
            return _multirun(overrides, config_dir)
        else:
            _run_one(overrides, config_dir)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(overrides, config_dir, args.multirun, error) from None
    return FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="neurobench run", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--resume", action="store_true")
    for question, short in (("--help", "-h"), ("--hydra-help", None), ("--resolve", None)):
        names = [name for name in (question, short) if name]
        parser.add_argument(*names, dest="questions", action="append_const", const=question)
    for question, short in (("--cfg", "-c"), ("--info", "-i"), ("--package", "-p")):
        parser.add_argument(question, short, dest="questions", action="append", type=f"{question}={{}}".format)
    return parser


def _run_one(overrides: Sequence[str], config_dir: str | None) -> None:
    from rich.console import Console

    from neurobench.cli.summary import print_result
    from neurobench.experiment.execute import execute
    from neurobench.experiment.plan import parse

    with composer(config_dir) as compose:
        swept = [word for word in overrides if OverridesParser.create().parse_override(word).is_sweep_override()]
        if swept:
            raise HydraException(f"{swept[0]} has several values")
        plan = parse(compose(overrides))
    console = Console()
    print_result(execute(plan, console), console)


def hydra_app(overrides: Sequence[str], config_dir: str | None, flags: Sequence[str]) -> None:
    """Hand over to Hydra: it composes, and calls `job` or answers --cfg, --info, --help and completion."""
    import hydra

    # Hydra would print and exit by itself; with this it raises, and the sentence is ours.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [sys.argv[0], *searchpath(config_dir), *overrides, *flags]
    before_composing(overrides)
    hydra.main(version_base="1.3", config_path="pkg://neurobench.conf", config_name="config")(job)()


def job(config: DictConfig) -> None:
    """One run of Hydra's multirun. It leaves job.json, since a launcher may put it on another machine."""
    from hydra.core.hydra_config import HydraConfig
    from rich.console import Console

    from neurobench.cli.summary import print_result
    from neurobench.experiment.execute import execute
    from neurobench.experiment.plan import parse
    from neurobench.runs.atomic import write_json

    console, context = Console(), HydraConfig.get()
    report: dict[str, Any] = {"overrides": list(context.overrides.task), "status": "finished"}
    try:
        folder = execute(parse(config), console)
        report["folder"] = str(folder.path)
        print_result(folder, console, brief=True)
    except UserError as error:
        status = "refused" if isinstance(error, ConfigError) else "failed"
        report |= {"status": status, "error": str(error)}
        console.print(f"{status}: {' '.join(context.overrides.task)}", highlight=False, soft_wrap=True)
        if error.stops_sweep:
            raise KeyboardInterrupt from None
    finally:
        write_json(Path(context.runtime.output_dir) / "job.json", report)


def _multirun(overrides: list[str], config_dir: str | None) -> int:
    """Run every combination, whatever becomes of the others, and say at the end which did not finish.

    Finished ones are not run again, half-done ones go on, unless resume=false asks for new folders.
    """
    if not any(word.startswith("resume=") for word in overrides):
        overrides = [*overrides, "resume=true"]
    outputs = _check_choices(overrides, config_dir)
    expected = _count(overrides)
    named = [word for word in overrides if word.startswith("hydra.sweep.dir=")]
    if named:
        folder = Path(named[0].partition("=")[2])
    else:
        folder = Path(outputs) / ".sweeps" / f"{datetime.now():%Y%m%d-%H%M%S-%f}"
        overrides = [*overrides, f"hydra.sweep.dir={json.dumps(str(folder))}"]
    hydra_app(overrides, config_dir, ["--multirun"])
    reports = [json.loads(file.read_text()) for file in sorted(folder.glob("*/job.json"), key=_job_number)]
    return _report(reports, expected)


def _check_choices(overrides: Sequence[str], config_dir: str | None) -> str:
    """Compose every combination of files once: what a file does to Hydra's own section is refused before Hydra acts on
    it. Returns the folder of all runs."""
    parsed = [OverridesParser.create().parse_override(word) for word in overrides]
    options = []
    for override in parsed:
        assert override.input_line is not None
        key = override.get_key_element()
        if not override.is_sweep_override():
            options.append([override.input_line])
        else:
            values = [f"{key}={value}" for value in override.sweep_string_iterator()]
            options.append(values if override.key_or_group.split("@")[0] in GROUPS else values[:1])
    with composer(config_dir) as compose:
        outputs = {str(compose(words).outputs) for words in product(*options)}
    return sorted(outputs)[0]


def _job_number(file: Path) -> int:
    return int(file.parent.name) if file.parent.name.isdigit() else 0


def _report(reports: list[dict[str, Any]], expected: int | None) -> int:
    bad = [report for report in reports if report["status"] != "finished"]
    lost = max(0, (expected or 0) - len(reports))
    total = len(reports) + lost
    print(f"\n{total - len(bad) - lost} of {total} runs finished")
    for report in bad:
        print(f"\n{report['status']}: {' '.join(report['overrides'])}")
        print(textwrap.indent(report["error"], "  "))
    if lost:
        print(f"\n{lost} ended without a word (killed, or out of memory)")
    if bad and all(report["status"] == "refused" for report in reports):
        return BAD_USAGE
    return FAILED if bad or lost else FINE


def _count(overrides: list[str]) -> int | None:
    """Number of combinations of a sweep over lists; None where another sweeper decides."""
    total = 1
    for text in overrides:
        if text.startswith("hydra/sweeper="):
            return None
        override = OverridesParser.create().parse_override(text)
        if override.is_sweep_override():
            total *= sum(1 for _ in override.sweep_iterator())
    return total


def _refuse_ignored(overrides: Sequence[str]) -> None:
    """Hydra takes hydra.launcher=joblib (a dot) and then ignores it."""
    faults = []
    for word in overrides:
        for group in ("launcher", "sweeper"):
            if word.lstrip("+").startswith(f"hydra.{group}="):
                faults.append(f"{word} would be ignored: a launcher is a group. Write {word.replace('.', '/', 1)}.")
    if faults:
        raise ConfigError(faults)


def _explained(overrides: Sequence[str], config_dir: str | None, several: bool, error: Exception) -> ConfigError:
    """All the reasons why overrides do not compose, and what else is wrong with what does."""
    from neurobench.experiment.plan import faults_of

    faults, config = explain(overrides, config_dir, several)
    if config is not None:
        faults += [fault for fault in faults_of(config) if fault not in faults]
    return ConfigError(faults or [str(error).splitlines()[0]])
