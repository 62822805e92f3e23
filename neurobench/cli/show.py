"""`neurobench show RUN`: what a run was and what came out; `--predict` uses its checkpoint."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.table import Table

from neurobench.cli.outputs import add_outputs
from neurobench.cli.summary import print_result
from neurobench.config.errors import FINE, UserError
from neurobench.experiment.progress import figures_line
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="neurobench show", description=__doc__)
    parser.add_argument("run", help='a path, an id or its beginning, a name (its newest run), or "latest"')
    parser.add_argument("--json", action="store_true", help="configuration hash, record and result for programs")
    parser.add_argument(
        "--predict", type=int, metavar="N", help="classify the first N test samples from the checkpoint"
    )
    add_outputs(parser)
    asked = parser.parse_args(words)
    folder = find_run(asked.outputs, asked.run)
    if asked.predict is not None:
        return _predict(folder, asked.predict)
    if asked.json:
        told = {
            "folder": str(folder.path),
            "record": folder.record(),
            "result": folder.result(),
            "epochs": folder.metrics(),
        }
        print(json.dumps(told, indent=2))
        return FINE
    _show(folder)
    return FINE


def _show(folder: RunFolder) -> None:
    console = Console()
    record = folder.record()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    status = record["status"]
    if status == "running" and not folder.in_use:
        status = "killed (go on with the same command and --resume)"
    table.add_row("run", f"{folder.path.parent.name}/{folder.path.name}")
    table.add_row("status", status)
    for key in ("error", "started", "finished", "config_hash", "commit", "host", "processor", "device", "threads"):
        if record.get(key) is not None:
            table.add_row(key.replace("_", " "), str(record[key]))
    if "data" in record:
        data = record["data"]
        sizes = f"{data['n_train']} train, {data['n_validation']} validation, {data['n_test']} test"
        table.add_row("data", f"{data['source']}, {sizes}, sha256 {data['sha256'][:16]}...")
    if "seeds" in record:
        table.add_row("seed", str(record["seeds"]["root"]))
    console.print(table)
    for row in folder.metrics():
        console.print(figures_line(row), highlight=False, soft_wrap=True)
    if folder.has("result.json"):
        print_result(folder, console)


def _predict(folder: RunFolder, n: int) -> int:
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
    return FINE
