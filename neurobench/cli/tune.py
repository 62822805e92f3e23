"""`tune SPACE`: search for better values, judged on held-out samples alone; ends with the best as an experiment, and
figures of the search."""

from __future__ import annotations

import json
import shlex
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import add_outputs, verb_parser
from neurobench.config.errors import FAILED, FINE, UserError, not_installed
from neurobench.config.overrides import override_of
from neurobench.config.targets import is_installed, own_options
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.report.screen import Screen, print_whole
from neurobench.storage.atomic import make_folder, write_bytes
from neurobench.storage.store import default_outputs

if TYPE_CHECKING:
    from neurobench.sweeps.space import Space


def tune_command(words: list[str]) -> int:
    """Search for better values, judged on held-out samples alone. A search that was stopped resumes when started again.
    Exit code 0; 1 if no trial could be judged."""
    parser = verb_parser("tune", tune_command.__doc__, outputs=False, json="the trials")
    parser.add_argument("space", help="a file of conf/tune, or your own YAML file")
    parser.add_argument("overrides", nargs="*", help="key=value, for every trial")
    parser.add_argument("--trials", type=int, default=20, help="total number, including earlier sessions (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the proposals (%(default)s)")
    add_outputs(parser, may_be_new=True)
    args = parser.parse_intermixed_args(words)
    if args.trials < 1 or args.seed < 0:
        raise UserError("--trials must be at least 1, --seed at least 0")
    if not is_installed("optuna"):
        raise UserError(not_installed("tune", "optuna", "tune"))
    with importing("optuna"):
        from neurobench.sweeps import tune
        from neurobench.sweeps.space import load_space

    space = load_space(args.space, args.overrides, args.outputs, args.config_dir)
    name = f"{Path(args.space).stem}-{space.identity}"
    file = args.outputs / ".tune" / f"{name}.db"
    console = Screen(of_run=True, stderr=args.json)
    others = sorted(file.parent.glob(f"{escape(Path(args.space).stem)}-????????.db"))
    if others and not file.exists():
        earlier = ", ".join(other.name for other in others)
        what = "the space, the overrides, the configuration, your own code or the data differ"
        console.print(f"{what} from those of {earlier}: a new study begins", highlight=False, soft_wrap=True)
    with phase("opening the study"):
        study = tune.open_study(space, name, file)
    with tune.stored(file):
        tune.tune(study, space, args.trials, args.seed, console, args.config_dir)
    trials = tune.counted(study)
    if args.json:
        print(json.dumps([_plain_trial(space, trial) for trial in trials], indent=2))
    else:
        _print_trials(space, trials, file, console)
    for line in _leave_best(study, space, trials, file.with_suffix(""), args.config_dir):
        console.print(line, highlight=False, soft_wrap=True)
    return FINE if any(trial.state.name == "COMPLETE" for trial in trials) else FAILED


def _plain_trial(space: Space, trial: Any) -> dict[str, Any]:
    from neurobench.sweeps.tune import value_of

    params = {key: value_of(space.space[key], value) for key, value in trial.params.items()}
    state = trial.state.name.lower()
    return {"number": trial.number, "params": params, "value": trial.value, "state": state, **trial.user_attrs}


def _print_trials(space: Space, trials: list, file: Path, console: Console) -> None:
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    complete.sort(key=lambda trial: trial.value, reverse=space.larger_wins)
    table = Table(title=f"\nbest trials by {space.figure}", title_justify="left", box=box.SIMPLE, show_edge=False)
    for column in (space.figure, *space.space):
        table.add_column(column.rpartition(".")[2], justify="right")
    for trial in complete[:10]:
        values = (trial.params[key] for key in space.space)
        table.add_row(f"{trial.value:.5g}", *(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    print_whole(table, console)
    states = [trial.state.name for trial in trials]
    pruned, failed = states.count("PRUNED"), states.count("FAIL")
    line = f"\n{len(complete)} trials finished, {pruned} stopped early, {failed} failed; study {file}"
    console.print(line, soft_wrap=True)
    if trials and not complete:
        console.print(
            "no trial finished: the reasons are printed above. Widen the space, or try one by hand.", highlight=False
        )


def _leave_best(study: Any, space: Space, trials: list, folder: Path, config_dir: str | None) -> list[str]:
    """Write the best trial as an experiment, and the figures of the search, to the study's folder. Returns the lines to
    print: where these are, or why they could not be written, and the commands that run the trial."""
    from neurobench.sweeps.tune import value_of

    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if not complete:
        return []
    best = (max if space.larger_wins else min)(complete, key=lambda trial: trial.value)
    place = override_of("outputs", str(default_outputs()))
    words = [word for word in space.overrides if word != place]
    words += [override_of(key, value_of(space.space[key], value)) for key, value in best.params.items()]
    command = shlex.join(["neurobench", "run", *own_options(config_dir), *words])
    comment = f"Best of {len(complete)} trials of {folder.name}: {space.figure} {best.value:.5g}"
    lines = []
    try:
        lines += _write_figures(study, space, trials, folder)
    except Exception as error:  # of plotting; the result of hours of search is printed all the same
        lines.append(f"the figures could not be drawn ({type(error).__name__}: {error})")
    try:
        lines += _write_experiment(folder, words, comment, config_dir)
    except UserError as error:
        lines.append(str(error))
    return [*lines, f"the best, as overrides: {command}"]


def _write_figures(study: Any, space: Space, trials: list, folder: Path) -> list[str]:
    from neurobench.figures.style import rendered
    from neurobench.sweeps.tune_figures import figures_of

    drawn = figures_of(study, space, trials)
    make_folder(folder)
    for figure, content in drawn.items():
        write_bytes(folder / f"{figure}.png", rendered(content, "png"))
    return [f"figures: {folder}/{{{','.join(drawn)}}}.png"] if drawn else []


def _write_experiment(folder: Path, words: list[str], comment: str, config_dir: str | None) -> list[str]:
    from neurobench.sweeps.tuned import write_experiment

    name = f"{folder.name.rpartition('-')[0]}_tuned"
    experiment = write_experiment(folder, name, words, comment)
    if config_dir:  # a command accepts only one folder of YAML files
        return [f"experiment: {experiment}; move it to {config_dir}/experiment to use it"]
    command = shlex.join(["neurobench", "run", *own_options(str(folder)), f"experiment={name}"])
    return [f"the best, as an experiment: {command}"]
