"""`neurobench tune SPACE`: look for better values, judged on held-out samples alone. Stop it and start it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import add_outputs, verb_parser
from neurobench.config.errors import FAILED, FINE, UserError, not_installed
from neurobench.config.targets import is_installed
from neurobench.sweep.space import Space, load_space


def main(words: list[str]) -> int:
    """Exit code 0; 1 where no trial could be judged."""
    parser = verb_parser("tune", __doc__, outputs=False, json="the trials", config_dir=True)
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
    from neurobench.sweep import tune

    space = load_space(args.space, [*args.overrides, f"outputs={args.outputs}"])
    name = f"{Path(args.space).stem}-{space.identity}"
    file = args.outputs / ".tune" / f"{name}.db"
    study = tune.open_study(space, name, file)
    console = Console(stderr=args.json)
    tune.tune(study, space, args.trials, args.seed, console, args.config_dir)
    trials = tune.counted(study)
    if args.json:
        print(json.dumps([_plain(trial) for trial in trials], indent=2))
    else:
        _print(space, trials, file, console)
    return FINE if any(trial.state.name == "COMPLETE" for trial in trials) else FAILED


def _plain(trial: Any) -> dict[str, Any]:
    plain = {key: getattr(trial, key) for key in ("number", "params", "value")}
    return {**plain, "state": trial.state.name.lower(), **trial.user_attrs}


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
