"""The report: one page that contains every run, table and figure, and needs only a browser."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from neurobench.config.schema import RUNTIME_KEYS
from neurobench.conformance import FOLDER
from neurobench.metrics.catalog import metric
from neurobench.metrics.meanings import grouped
from neurobench.report.published import Tables
from neurobench.report.summary import embedded, pictures
from neurobench.report.table import join
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.held_out import ACCURACIES, held_out_figures, ranking_figure
from neurobench.storage.store import Entry
from neurobench.version import __version__

RECORDED = (
    "started", "commit", "host", "processor", "device", "threads", "python", "error", "model", "dataset", "backend",
    "scale", "encoders", "overrides", "config_hash",
)  # fmt: skip
SHOWN = (
    "model", "dataset", "backend", "scale", "seed", "metrics", "undefined", "device_costs", "energy_source", "epochs",
    "best_epoch", "data", "encoders", "config_hash", "setting_hash", "seconds", "samples_per_s", "peak_rss_mb",
)  # fmt: skip
Source = Callable[[Path], str | None]  # picture file -> the src of its <img>, or None if there is no room


def page(tables: Tables, outputs: Path, entries: Sequence[Entry], detailed: int, figure_bytes: int) -> str:
    """HTML of the whole report.

    Every run is listed with its figures of merit. The `detailed` newest also have configuration and curves, and
    their figures as long as these stay below `figure_bytes`.
    """
    left = figure_bytes

    def source(picture: Path) -> str | None:
        nonlocal left
        try:
            size = picture.stat().st_size
            src = embedded(picture) if size <= left else None
        except OSError:  # unreadable, or removed since it was listed
            return None
        left -= size if src else 0
        return src

    return assembled(contents(tables, outputs, entries, detailed, source))


def contents(tables: Tables, outputs: Path, entries: Sequence[Entry], detailed: int, source: Source) -> dict[str, Any]:
    """All data shown on the page, as plain values."""
    newest = sorted(entries, key=lambda entry: entry.moment, reverse=True)
    details = {entry.path: _details(entry.folder(outputs), source) for entry in newest[:detailed]}
    return {
        "version": __version__,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "detailed": len(details),
        "runtime": RUNTIME_KEYS,
        "tables": [
            {"name": name, "rows": [row.as_dict() for row in join(tables[name], outputs, entries)]} for name in tables
        ],
        "conformance": _conformance(outputs),
        "metrics": _units(tables, entries, details),
        "groups": grouped(_merits(entries)),
        "runs": [{**_listed(entry, outputs), **details.get(entry.path, {})} for entry in entries],
    }


def _conformance(outputs: Path) -> list[Any]:
    """Conformance results of every framework that was run. Damaged files are left out."""
    results = []
    for file in sorted((outputs / FOLDER).glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            results.append(json.loads(file.read_text()))
    return results


def _merits(entries: Sequence[Entry]) -> list[str]:
    """Names of all figures of merit, each once."""
    return list(dict.fromkeys(name for entry in entries for name in (entry.result or {}).get("metrics", {})))


def _units(tables: Tables, entries: Sequence[Entry], details: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Unit and direction of every metric that the page shows."""
    names = {row.metric for published in tables.values() for entry in published for row in entry.rows}
    names.update(_merits(entries))
    curves = {name for run in details.values() for row in run["history"] for name in row}
    names.update(name.removeprefix("train_").removeprefix("validation_") for name in curves)
    return {name: metric(name)._asdict() for name in sorted(names)}


def _listed(entry: Entry, outputs: Path) -> dict[str, Any]:
    """Values known of any run, even of a killed one."""
    record, result = entry.record, entry.result
    listed = {"path": entry.path, "status": entry.status(outputs), "seed": (record.get("seeds") or {}).get("root")}
    listed["moment"] = entry.moment  # unlike `started` comparable between machines
    listed |= {key: record.get(key) for key in RECORDED}
    if result is not None:
        listed |= {key: result[key] for key in SHOWN if key in result}
        listed["interval"] = result.get("intervals", {}).get("test_accuracy")
        listed["validation"] = _validation_accuracy(entry.folder(outputs), result)
    return listed


def _validation_accuracy(run: RunFolder, result: Mapping[str, Any]) -> float | None:
    """Validation accuracy by which the page chooses and sorts settings."""
    figures = held_out_figures(run, result)
    name = ranking_figure([figures], ACCURACIES)
    return None if name is None else figures[name]


def _details(run: RunFolder, source: Source) -> dict[str, Any]:
    """Configuration, curves and figures of a run. Damaged files are left out."""
    details: dict[str, Any] = {"history": []}
    with contextlib.suppress(Damaged):
        details["history"] = run.metrics()
    with contextlib.suppress(Damaged):
        tree = as_run(run.config())
        details["config"] = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
        # A browser's JSON has no NaN and no infinity: such values of a foreign configuration become text
        details["config_tree"] = json.loads(json.dumps(tree, default=str), parse_constant=str)
    drawn = ((path.stem, source(path)) for path in pictures(run.path))
    return {**details, "figures": [{"name": name, "src": src} for name, src in drawn if src is not None]}


def as_run(config: Mapping[str, Any]) -> dict[str, Any]:
    """Part of a stored configuration that was used: of the backend only the devices that the model uses, as many epochs
    as the scale allows, and not the published rows of its table."""
    tree = {key: value for key, value in config.items() if key != "table"}
    model, backend, training, scale = (tree.get(key) for key in ("model", "backend", "training", "scale"))
    if isinstance(model, dict) and isinstance(backend, dict):
        used = {"name", *(str(value)[len("${backend.") : -1] for value in model.values())}
        tree["backend"] = {key: value for key, value in backend.items() if key in used}
    if isinstance(training, dict) and isinstance(scale, dict) and scale.get("epochs"):
        tree["training"] = {**training, "epochs": min(training.get("epochs", scale["epochs"]), scale["epochs"])}
    return tree


def assembled(data: Mapping[str, Any], live: bool = False) -> str:
    """Assemble the page's parts in one file; `live`: include the script that polls its server for changes. A '<' in the
    data cannot end the element that contains them."""
    part = files("neurobench.report").joinpath("page")
    text = part.joinpath("page.html").read_text(encoding="utf-8")
    script = "\n".join(part.joinpath(name).read_text(encoding="utf-8") for name in ("app.js", "live.js")[: 1 + live])
    for mark, content in (
        ("/*STYLE*/", part.joinpath("style.css").read_text(encoding="utf-8")),
        ("/*SCRIPT*/", script),
        ("/*DATA*/", as_json(data).replace("<", "\\u003c")),  # last, because the name of a run may equal a mark
    ):
        text = text.replace(mark, content, 1)
    return text


def as_json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=str)
