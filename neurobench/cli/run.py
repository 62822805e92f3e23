"""`neurobench run`: one run, or with `-m` one for each combination, composed by Hydra."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from neurobench.cli.main import BAD_USAGE, FAILED, FINE
from neurobench.config.compose import before_composing, explain, searchpath
from neurobench.config.errors import ConfigError, UserError

CONFIG_DIR = ("--config-dir", "-cd")
MULTIRUN = ("-m", "--multirun")


def main(words: list[str]) -> int:
    """Exit code 0; 1 where a run failed; 2 where the configuration cannot run; 130 after Ctrl-C."""
    if "--resume" in words:
        words = [word for word in words if word != "--resume"] + ["resume=true"]
    _refuse_ignored(words)
    try:
        if any(flag in words for flag in MULTIRUN):
            return _multirun(words)
        hydra_app(words)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(words, error) from None
    return FINE


def hydra_app(words: Sequence[str]) -> None:
    """Hand over to Hydra: it composes and calls `job`, or answers --cfg, --info, --help and completion."""
    import hydra

    # Hydra would print and exit by itself; with this it raises, and we say it in our own words.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [sys.argv[0], *_arranged(words)]
    before_composing(words)
    hydra.main(version_base="1.3", config_path="pkg://neurobench.conf", config_name="config")(job)()


def _arranged(words: Sequence[str]) -> list[str]:
    """Overrides first, then flags: Hydra's parser takes overrides in one place only, people type them anywhere."""
    overrides = _overrides(words)
    return [*searchpath(), *overrides, *(word for word in words if word not in overrides)]


def job(config: DictConfig) -> None:
    """One run within Hydra. In a multirun it leaves job.json, since a launcher may put it on another machine."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from rich.console import Console

    from neurobench.cli.summary import print_result
    from neurobench.experiment.execute import execute

    console = Console()
    context = HydraConfig.get()
    several = context.mode == RunMode.MULTIRUN
    report: dict[str, Any] = {"overrides": list(context.overrides.task), "status": "finished"}
    try:
        folder = execute(config, console)
        report["folder"] = str(folder.path)
        print_result(folder, console, brief=several)
    except UserError as error:
        if not several:
            # Hydra prints words of its own over an exception; it lets SystemExit pass.
            print(error if isinstance(error, ConfigError) else f"neurobench run: {error}", file=sys.stderr)
            raise SystemExit(error.exit_code) from None
        kind = "refused" if isinstance(error, ConfigError) else "failed"
        report |= {"status": kind, "error": str(error)}
        console.print(f"{kind}: {' '.join(context.overrides.task)}", highlight=False, soft_wrap=True)
        if error.stops_sweep:
            raise KeyboardInterrupt from None
    finally:
        if several:
            from neurobench.runs.atomic import write_json

            write_json(Path(context.runtime.output_dir) / "job.json", report)


def _multirun(words: list[str]) -> int:
    """Run every combination, whatever becomes of the others, and say at the end which did not finish.

    Finished ones are not run again, half-done ones go on, unless resume=false asks for new folders.
    """
    if not any(word.startswith("resume=") for word in words):
        words = [*words, "resume=true"]
    overrides = _overrides(words)
    expected = _count(overrides)
    folder = Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs")) / ".sweeps" / f"{datetime.now():%Y%m%d-%H%M%S-%f}"
    if not any(word.startswith("hydra.sweep.dir=") for word in overrides):
        words = [*words, f"hydra.sweep.dir={folder}"]
    else:
        folder = Path(next(word for word in overrides if word.startswith("hydra.sweep.dir=")).partition("=")[2])
    hydra_app(words)
    reports = [json.loads(file.read_text()) for file in sorted(folder.glob("*/job.json"), key=_job_number)]
    return _tell(reports, expected)


def _job_number(file: Path) -> int:
    return int(file.parent.name) if file.parent.name.isdigit() else 0


def _tell(reports: list[dict[str, Any]], expected: int | None) -> int:
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


def _overrides(words: Sequence[str]) -> list[str]:
    """The words that are overrides, not Hydra's own flags nor their values."""
    return list(get_args_parser().parse_intermixed_args(list(words)).overrides)


def _config_dir(words: Sequence[str]) -> str | None:
    folder = get_args_parser().parse_intermixed_args(list(words)).config_dir
    return str(Path(folder).resolve()) if folder else None


def _refuse_ignored(words: Sequence[str]) -> None:
    """Hydra takes hydra.launcher=joblib (a dot) and then ignores it."""
    faults = []
    for word in words:
        for group in ("launcher", "sweeper"):
            if word.lstrip("+").startswith(f"hydra.{group}="):
                faults.append(f"{word} would be ignored: a launcher is a group. Write {word.replace('.', '/', 1)}.")
    if faults:
        raise ConfigError(faults)


def _explained(words: Sequence[str], error: Exception) -> ConfigError:
    """All the reasons why the words do not compose, and what else is wrong with what does."""
    from neurobench.experiment.plan import check

    several = any(flag in words for flag in MULTIRUN)
    faults, config = explain(_overrides(words), _config_dir(words), several)
    if config is not None:
        faults += [fault for fault in check(config) if fault not in faults]
    return ConfigError(faults or [str(error).splitlines()[0]])
