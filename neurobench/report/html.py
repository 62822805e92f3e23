"""The report: one page that holds every run, table and figure, and needs nothing but a browser."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from neurobench.metrics.catalog import metric
from neurobench.report.published import Tables
from neurobench.report.summary import embedded, pictures
from neurobench.report.table import join
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import Entry
from neurobench.version import __version__

RECORDED = ("started", "commit", "host", "processor", "device", "threads", "python", "error")
SHOWN = (
    "model", "dataset", "backend", "scale", "seed", "metrics", "undefined", "device_costs", "energy_source", "epochs",
    "data", "config_hash", "setting_hash", "seconds", "samples_per_s", "peak_rss_mb",
)  # fmt: skip


def page(tables: Tables, outputs: Path, entries: Sequence[Entry], detailed: int, figure_bytes: int) -> str:
    """The whole file.

    Every run is listed with its figures of merit. The `detailed` newest bring configuration and curves too, and
    their figures for as long as these stay below `figure_bytes`.
    """
    newest = sorted(entries, key=lambda entry: entry.moment, reverse=True)
    details, left = {}, figure_bytes
    for entry in newest[:detailed]:
        details[entry.path], spent = _details(entry.folder(outputs), left)
        left -= spent
    data = {
        "version": __version__,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "detailed": len(details),
        "tables": [
            {"name": name, "rows": [row.as_dict() for row in join(tables[name], outputs, entries)]} for name in tables
        ],
        "metrics": _units(tables, entries, details),
        "runs": [{**_listed(entry, outputs), **details.get(entry.path, {})} for entry in entries],
    }
    return _assembled(json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=str))


def _units(tables: Tables, entries: Sequence[Entry], details: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Unit and direction of every metric that the page shows."""
    names = {row.metric for published in tables.values() for entry in published for row in entry.rows}
    for entry in entries:
        names.update((entry.result or {}).get("metrics", {}))
    curves = {name for run in details.values() for row in run["history"] for name in row}
    names.update(name.removeprefix("train_").removeprefix("validation_") for name in curves)
    return {name: metric(name)._asdict() for name in sorted(names)}


def _listed(entry: Entry, outputs: Path) -> dict[str, Any]:
    record, result = entry.record, entry.result
    listed = {"path": entry.path, "status": entry.status(outputs), "seed": (record.get("seeds") or {}).get("root")}
    listed |= {key: record.get(key) for key in RECORDED}
    if result is not None:
        listed |= {key: result[key] for key in SHOWN if key in result}
        listed["interval"] = result.get("intervals", {}).get("test_accuracy")
    return listed


def _details(run: RunFolder, room: int) -> tuple[dict[str, Any], int]:
    """Configuration, curves and figures, and the bytes of the figures. What is damaged is left out."""
    details: dict[str, Any] = {"history": []}
    with contextlib.suppress(Damaged):
        details["history"] = run.metrics()
    with contextlib.suppress(Damaged):
        tree = run.config()
        details |= {"config": (run.path / "config.yaml").read_text(), "config_tree": tree}
    spent, figures = 0, []
    for path in pictures(run.path):
        size = path.stat().st_size
        if spent + size <= room:
            figures.append({"name": path.stem, "src": embedded(path)})
            spent += size
    return {**details, "figures": figures}, spent


def _assembled(data: str) -> str:
    """The page's parts in one file. A '<' in the data cannot end the element that holds them."""
    part = files("neurobench.report").joinpath("page")
    text = part.joinpath("page.html").read_text(encoding="utf-8")
    for mark, content in (
        ("/*STYLE*/", part.joinpath("style.css").read_text(encoding="utf-8")),
        ("/*SCRIPT*/", part.joinpath("app.js").read_text(encoding="utf-8")),
        ("/*DATA*/", data.replace("<", "\\u003c")),  # last: a run may be named like a mark
    ):
        text = text.replace(mark, content, 1)
    return text
