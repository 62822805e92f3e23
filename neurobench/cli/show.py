"""`neurobench show RUN`: what a run was and what resulted; `--predict` uses its checkpoint."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, UserError
from neurobench.experiment.progress import figures_line
from neurobench.metrics.catalog import printed
from neurobench.runs.files import Damaged
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run

RECORDED = ("error", "started", "finished", "config_hash", "commit", "host", "processor", "device", "threads")


def main(words: list[str]) -> int:
    parser = verb_parser("show", __doc__, runs=("run",), json="configuration hash, record and result")
    parser.add_argument(
        "--predict", type=int, metavar="N", help="classify the first N test samples from the checkpoint"
    )
    args = parser.parse_args(words)
    folder = find_run(args.outputs, args.run, finished=args.predict is not None)
    if args.predict is not None:
        _predict(folder, args.predict)
    elif args.json:
        parts = {"record": _sound(folder.record), "result": _sound(folder.result), "epochs": _sound(folder.metrics)}
        damage = {"damage": folder.damage()} if folder.damage() else {}
        print(json.dumps({"folder": str(folder.path), **damage, **parts}, indent=2))
    else:
        _show(folder)
    return FINE


def _show(folder: RunFolder) -> None:
    console = Console(highlight=False)
    record, status = _sound(folder.record) or {}, folder.status
    if status == "killed":
        status += " (go on with the same command and --resume)"
    table = _table({"run": folder.label, "status": status})
    for key in RECORDED:
        if record.get(key) is not None:
            table.add_row(key.replace("_", " "), str(record[key]))
    if "data" in record:
        data = record["data"]
        sizes = f"{data['n_train']} train, {data['n_validation']} validation, {data['n_test']} test"
        table.add_row("data", f"{data['source']}, {sizes}, sha256 {data['sha256'][:16]}...")
    if "seeds" in record:
        table.add_row("seed", str(record["seeds"]["root"]))
    console.print(table)
    for row in _sound(folder.metrics) or ():
        console.print(figures_line(row), soft_wrap=True)
    if folder.is_finished:
        print_result(folder, console)
    for damage in folder.damage():
        console.print(f"damaged: {damage}", style="bold red", markup=False, soft_wrap=True)


def _sound(read: Callable[[], Any]) -> Any:
    """What a file of the run says, or None where it is damaged."""
    with contextlib.suppress(Damaged):
        return read()
    return None


def _table(rows: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _predict(folder: RunFolder, n: int) -> None:
    """Predictions from the checkpoint, and the model's own figures drawn anew for these samples."""
    if n < 1:
        raise UserError(f"--predict {n}: give a number of test samples, at least 1")
    from neurobench.config.targets import load
    from neurobench.experiment.reload import load_learner

    loaded = load_learner(folder)
    test = loaded.splits().test.head(n)
    predicted = loaded.learner.predict(test.x).argmax(1)
    print("target    ", *test.y.tolist())
    print("predicted ", *predicted.tolist())
    print(f"{int((predicted == test.y).sum())} of {len(test)} right")
    if loaded.plan.model.figures is not None:
        for name, figure in load(loaded.plan.model.figures)(loaded.learner, test, loaded.record).items():
            folder.save_figure(f"predict_{name}", figure)
            print(folder.path / "figures" / f"predict_{name}.png")


def print_result(folder: RunFolder, console: Console, brief: bool = False) -> None:
    """A finished run on one screen: accuracy with its interval, every other figure, seconds, and where the files
    are. `brief`: the accuracy alone."""
    result = folder.result()
    assert result is not None
    note = "" if result["scale"] == "paper" else f"  (scale {result['scale']}: never a result)"
    console.print(f"test accuracy {_headline(result)}{note}", style="bold", highlight=False, soft_wrap=True)
    if brief:
        return
    metrics = result["metrics"]
    console.print(
        _table(
            {
                name.replace("_", " "): printed(name, value, digits=6)
                for name, value in metrics.items()
                if name != "test_accuracy" and not _repeats(name, metrics)
            }
        )
    )
    for line in _remarks(result):
        console.print(line, highlight=False, soft_wrap=True)
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in result["seconds"].items())
    console.print(f"seconds: {seconds}; peak memory {result['peak_rss_mb']} MB", highlight=False)
    figures = sorted(path.name for path in (folder.path / "figures").glob("[!.]*"))
    console.print(f"{folder.path}: result.json, figures/{{{', '.join(figures)}}}", highlight=False, soft_wrap=True)


def _headline(result: dict[str, Any]) -> str:
    """ "96.01 % (95 % interval 95.61 to 96.38) on the official test set"."""
    low, high = result["intervals"]["test_accuracy"]
    data = result["data"]
    figure = f"{result['metrics']['test_accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"
    return f"{figure} on {data['evaluated_on']}, {data['n_test']} samples"


def _repeats(name: str, metrics: dict[str, float]) -> bool:
    """Without time a sample is one step, and a figure per step says nothing new."""
    return name.endswith("_per_step") and metrics[name] == metrics.get(name.removesuffix("_per_step"))


def _remarks(result: dict[str, Any]) -> Iterator[str]:
    """What was asked of each device in the whole run, where its joules come from, and which figures do not exist."""
    for name, costs in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:,.6g} {key.replace('_', ' ')}" for key, value in costs.items())
        yield f"device {name}: {figures}"
    for name, source in result.get("energy_source", {}).items():
        yield f"joules of {name}: {source}"
    for name, reason in result["undefined"].items():
        yield f"no {name.replace('_', ' ')}: {reason}"
