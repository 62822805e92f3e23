"""Commands on a past run. `show RUN`: its configuration and results; `rerun RUN`: the same run again, and whether its
figures are the same; `export RUN`: its model in a format of its field."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from neurobench.cli.arguments import add_data, new_file, verb_parser
from neurobench.cli.outcome import print_finished, print_headline
from neurobench.config.errors import FAILED, FINE, UserError, did_you_mean
from neurobench.config.targets import load
from neurobench.experiment.progress import figures_line
from neurobench.metrics.costs import IRREPRODUCIBLE
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.report.screen import Screen, print_whole
from neurobench.storage.atomic import write_bytes
from neurobench.storage.differences import Difference, differences
from neurobench.storage.files import DATA, Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import find_run, summary

RECORDED = (
    "error", "started", "finished", "config_hash", "commit", "host", "processor", "device", "threads", "kernels",
)  # fmt: skip
FILES = {"qasm3": "model.qasm", "netx": "model.net", "nir-snntorch": "model-snntorch.nir"}  # others: model.FORMAT


def show_command(words: list[str]) -> int:
    """Show a run's configuration and results; `--predict` classifies test samples from its checkpoint."""
    parser = verb_parser("show", show_command.__doc__, runs=("run",), json="configuration, record and result")
    parser.add_argument(
        "--predict", type=int, metavar="N", help="classify the first N test samples from the checkpoint"
    )
    add_data(parser)
    args = parser.parse_args(words)
    if args.predict is not None and args.json:
        raise UserError("--json does not apply to --predict: predictions.npz of the run has every test sample's class")
    if args.predict is None and args.data:
        raise UserError("--data is for --predict N: nothing else here reads the data")
    folder = find_run(args.outputs, args.run, finished=args.predict is not None)
    if args.predict is not None:
        _predict(folder, args.predict, args.data)
    elif args.json:
        parts = {"record": _sound(folder.record), "result": _sound(folder.result), "epochs": _sound(folder.metrics)}
        damage = {"damage": folder.damage()} if folder.damage() else {}
        row = summary(folder.label, folder.status, parts["record"] or {}, parts["result"])
        print(json.dumps({"folder": str(folder.path), **row, **damage, **parts}, indent=2))
    else:
        _show(folder)
    return FINE


def _show(folder: RunFolder) -> None:
    console = Screen(highlight=False)
    record, status = _sound(folder.record) or {}, folder.status
    if status == "killed":
        status += " (resume it with the same command and --resume)"
    elif status == "queued":
        status += f" (fetch the answers: neurobench poll {shlex.quote(str(folder.path))})"
    table = _table({"run": folder.label, "status": status})
    for key in RECORDED:
        if record.get(key) is not None:
            table.add_row(key.replace("_", " "), str(record[key]))
    data, seed = record.get("data", {}), record.get("seeds", {}).get("root")
    if data.keys() >= DATA.keys():
        sizes = f"{data['n_train']} train, {data['n_validation']} validation, {data['n_test']} test"
        table.add_row("data", f"{data['source']}, {sizes}, sha256 {data['sha256'][:16]}...")
    if seed is not None:
        table.add_row("seed", str(seed))
    print_whole(table, console)
    for row in _sound(folder.metrics) or ():
        console.print(figures_line(row), soft_wrap=True)
    if folder.is_finished:
        console.print()
        print_finished(folder, console)
    for damage in folder.damage():
        console.print(f"damaged: {damage}", style="bold red", soft_wrap=True)


def _sound(read: Callable[[], Any]) -> Any:
    """Contents of a file of the run, or None if it is damaged."""
    with contextlib.suppress(Damaged):
        return read()
    return None


def _table(rows: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _predict(folder: RunFolder, n: int, root: str | None) -> None:
    """Print predictions from the checkpoint, and draw the model's figures anew for these samples."""
    if n < 1:
        raise UserError(f"--predict {n}: give a number of test samples, at least 1")
    with importing("torch"):
        from neurobench.experiment.drawing import model_figures
        from neurobench.experiment.reload import changed_code, load_learner
        from neurobench.figures.style import files_of

    with phase("reading the checkpoint"):
        loaded = load_learner(folder, root=root)
    if changed := changed_code(folder, loaded.plan):
        print(f"note: {changed}", file=sys.stderr)
    with phase("reading data"):
        splits = loaded.splits()
    test = splits.test.head(n)
    predicted = loaded.learner.predict(test.x).argmax(1)
    for line in _side_by_side(test.y.tolist(), predicted.tolist(), splits.classes):
        print(line)
    print(f"{int((predicted == test.y).sum())} of {len(test)} right")
    drawn = model_figures(loaded.plan.model, loaded.learner, splits, loaded.record, n)
    for name, figure in drawn.items():
        print(folder.save_figure(f"predict_{name}", files_of(figure, loaded.plan.run.figures)))


def _side_by_side(targets: list[int], predicted: list[int], classes: Sequence[str]) -> Iterator[str]:
    """Targets above predictions as numbers; if classes have names, a line for each sample, with mistakes marked."""
    if not classes:
        yield " ".join(["target    ", *map(str, targets)])
        yield " ".join(["predicted ", *map(str, predicted)])
        return
    width = max(6, *(len(classes[target]) for target in targets))
    yield f"{'target':{width}}  predicted"
    for target, guess in zip(targets, predicted, strict=True):
        yield f"{classes[target]:{width}}  {classes[guess]}" + ("" if guess == target else "  (wrong)")


def rerun_command(words: list[str]) -> int:
    """Run the same configuration again in a new folder and check whether its figures of merit are the same. Exit code 0
    if every figure is the same to the bit, 1 if one is not."""
    from neurobench.experiment.execute import execute
    from neurobench.experiment.host_energy import is_host_energy
    from neurobench.experiment.reload import stored_plan

    parser = verb_parser("rerun", rerun_command.__doc__, runs=("run",))
    add_data(parser)
    args = parser.parse_args(words)
    before = find_run(args.outputs, args.run, finished=True)
    if (earlier := before.result()) is None:
        raise UserError(f"{before.path} is '{before.status}': there is nothing to compare with. Resume it: --resume.")
    is_default = args.outputs is parser.get_default("outputs")  # a run given by its path may be in any folder
    plan = stored_plan(before, args.data).anew(str(before.path.parent.parent if is_default else args.outputs))
    console = Screen(of_run=True, highlight=False, soft_wrap=True)
    after = execute(plan, console)
    result = after.result()
    assert result is not None
    print_headline(result, console)
    sections = differences(before, after)
    console.print(f"new run {after.path}")
    changed = [row for row in sections["metrics"] if not is_host_energy(row.key)]
    if not changed:
        n = sum(not is_host_energy(name) for name in result["metrics"])
        console.print(f"the same: all {n} figures are as before, to the bit")
        return FINE
    console.print(f"NOT the same: {len(changed)} figures differ", style="bold red")
    for key, (a, b) in changed:
        console.print(f"  {key}: {a} before, {b} now")
    for warning in earlier.get("warnings", ()):
        if warning.startswith(IRREPRODUCIBLE):
            console.print(f"as expected, {warning}")
    others = sections["provenance"]
    hashes = tuple(run.record().get("config_hash") for run in (before, after))
    if hashes[0] != hashes[1]:
        others.append(Difference("config_hash, as after an edit of config.yaml", hashes))
    if others:
        console.print("other differences:")
        for key, (a, b) in others:
            console.print(f"  {key}: {a} before, {b} now")
    return FAILED


def export_command(words: list[str]) -> int:
    """Export a finished run's model in a format of its field; without --format, list the formats."""
    parser = verb_parser("export", export_command.__doc__, runs=("run",))
    add_data(parser)
    parser.add_argument("--format", help="one of those that `neurobench export RUN` lists")
    parser.add_argument("--for", dest="importer", metavar="NAME", help="a variant for an importer: snntorch, for nir")
    parser.add_argument(
        "--to", type=new_file(), metavar="FILE", help="file to write (default: model.FORMAT in the run's folder)"
    )
    args = parser.parse_args(words)
    without = "--to" if args.to else "--for" if args.importer else None
    if without and args.format is None:
        listing = f"neurobench export {shlex.quote(args.run)}"
        raise UserError(f"{without} needs a format: add --format NAME. Available: {listing}")
    folder = find_run(args.outputs, args.run, finished=True)
    with importing("torch"):
        from neurobench.experiment.reload import changed_code, load_learner, stored_plan

    plan = stored_plan(folder, args.data, to_run=False)
    if args.format is None:
        _list_formats(plan.model_name, plan.model.formats)
        return FINE
    format_ = f"{args.format}-{args.importer}" if args.importer else args.format
    if plan.model.formats:  # only the learner may know the formats of a user's own model
        _require_format(plan.model_name, format_, plan.model.formats)
    target = args.to or folder.path / FILES.get(format_, f"model.{format_}")
    with phase("reading the checkpoint"):
        loaded = load_learner(folder, args.data)
    formats = load(plan.model.exports)(loaded.learner) if plan.model.exports else {}
    _require_format(plan.model_name, format_, formats)
    if changed := changed_code(folder, loaded.plan):
        print(f"note: {changed}", file=sys.stderr)
    write_bytes(target, formats[format_]())
    print(target)
    return FINE


def _list_formats(model: str, formats: Mapping[str, str]) -> None:
    if not formats:
        print(f"model={model} has no export formats")
    for name, text in formats.items():
        print(f"{name:14}{text}")


def _require_format(model: str, name: str, formats: Iterable[str]) -> None:
    known = list(formats)
    if name not in known:
        formats_known = f"it has {', '.join(known)}" if known else "it has none"
        raise UserError(f"model={model} has no format {name}; {formats_known}.{did_you_mean(name, known)}")
