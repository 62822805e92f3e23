"""`neurobench tune SPACE`: look for better values, judged on held-out samples alone. Stop it and start it again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from neurobench.cli.outputs import add_outputs
from neurobench.config.errors import FAILED, FINE, UserError, not_installed
from neurobench.config.targets import is_installed
from neurobench.sweep.space import Space, load_space


def main(words: list[str]) -> int:
    """Exit code 0; 1 where no trial could be judged."""
    parser = argparse.ArgumentParser(prog="neurobench tune", description=__doc__)
    parser.add_argument("space", help="a file of conf/tune, or a YAML file of your own")
    parser.add_argument("overrides", nargs="*", help="key=value, for every trial")
    parser.add_argument("--trials", type=int, default=20, help="in all, those of earlier sittings too (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the proposals (%(default)s)")
    parser.add_argument("--json", action="store_true", help="the trials for programs")
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help="a folder of YAML files of your own")
    add_outputs(parser, new=True)
    asked = parser.parse_intermixed_args(words)
    if asked.trials < 1 or asked.seed < 0:
        raise UserError("--trials is at least 1, --seed at least 0")
    if not is_installed("optuna"):
        raise UserError(not_installed("tune", "optuna", "tune"))
    from neurobench.sweep import tune

    space = load_space(asked.space, [*asked.overrides, f"outputs={asked.outputs}"])
    name = f"{Path(asked.space).stem}-{space.identity}"
    file = asked.outputs / ".tune" / f"{name}.db"
    study = tune.open_study(space, name, file)
    console = Console(stderr=asked.json)
    tune.tune(study, space, asked.trials, asked.seed, console, asked.config_dir)
    trials = tune.counted(study)
    if asked.json:
        keys = ("number", "params", "value")
        told = [
            {**{key: getattr(t, key) for key in keys}, "state": t.state.name.lower(), **t.user_attrs} for t in trials
        ]
        print(json.dumps(told, indent=2))
    else:
        _print(space, trials, file, console)
    return FINE if any(trial.state.name == "COMPLETE" for trial in trials) else FAILED


def _print(space: Space, trials: list, file: Path, console: Console) -> None:
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
        words = " ".join(f"{key}={value}" for key, value in complete[0].params.items())
        console.print(f"neurobench run {' '.join(space.overrides)} {words}", highlight=False, soft_wrap=True)
