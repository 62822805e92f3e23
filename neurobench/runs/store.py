"""Finding runs: one by its reference, those of one setting, or all at once.

`.index.json` keeps what the small files of all runs say, so that thousands are read in a moment. It is a cache and
nothing more: an entry counts only while both of its files have the size and the time that they had when they were read,
and the whole may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from neurobench.config.errors import UserError, did_you_mean
from neurobench.runs.atomic import write_bytes
from neurobench.runs.folder import RunFolder

INDEX_SCHEMA = 1
# Of run.json: what lists, tables and the report show. All else is read from the folder where it is wanted.
INDEXED = (
    "status", "error", "started", "finished", "commit", "host", "processor", "device", "threads", "python", "seeds",
)  # fmt: skip


class Entry(NamedTuple):
    """One run in the index."""

    path: str  # name/id
    record: dict[str, Any]  # run.json, the INDEXED part
    result: dict[str, Any] | None  # result.json; None where the run did not finish

    def folder(self, outputs: Path) -> RunFolder:
        return RunFolder(outputs / self.path)

    def status(self, outputs: Path) -> str:
        """That of `RunFolder.status`; a finished run's folder is not read for it."""
        if self.result is not None:
            return "finished"
        status = self.record["status"]
        return self.folder(outputs).status if status == "running" else status


def default_outputs() -> Path:
    """The folder of all runs, as `outputs` in conf/config.yaml: NEUROBENCH_OUTPUTS, or ./outputs."""
    return Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs"))


def all_runs(outputs: Path) -> Iterator[RunFolder]:
    """Every run below `outputs`, oldest first within a name."""
    for name in _folders(outputs):
        yield from runs_named(outputs, name)


def runs_named(outputs: Path, name: str) -> Iterator[RunFolder]:
    """Every run of a name, oldest first."""
    for stem in _folders(outputs / name):
        if os.path.exists(f"{outputs}/{name}/{stem}/run.json"):  # noqa: PTH110 - thousands of paths cost a second
            yield RunFolder(outputs / name / stem)


def same_setting(outputs: Path, name: str, config_hash: str) -> list[RunFolder]:
    """Runs of one configuration, newest first."""
    candidates = [run for run in runs_named(outputs, name) if f"-{config_hash[:6]}" in run.path.name]
    return [run for run in candidates if run.record().get("config_hash") == config_hash][::-1]


def find_run(outputs: Path, reference: str) -> RunFolder:
    """The run meant by a path, an id, the beginning of an id (or of name/id), a name (its newest run), or "latest"."""
    path = Path(reference)
    if (path / "run.json").is_file():
        return RunFolder(path)
    runs = list(all_runs(outputs))
    if not runs:
        raise UserError(f"there are no runs below {outputs}. Start one with: neurobench run")
    by_time = sorted(runs, key=lambda run: run.path.name)
    if reference == "latest":
        return by_time[-1]
    named = [run for run in by_time if run.path.parent.name == reference]
    if named:
        return named[-1]
    matches = [run for run in runs if (run.label if "/" in reference else run.path.name).startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        candidates = ", ".join(run.label for run in matches[:5])
        raise UserError(f"run '{reference}' is not one run: it can be {candidates}. Give more of the id.")
    known = ["latest", *{run.path.parent.name for run in runs}, *(run.path.name for run in runs)]
    raise UserError(
        f"there is no run '{reference}' below {outputs} ({len(runs)} runs).{did_you_mean(reference, known)} "
        "See: neurobench list runs"
    )


def read_index(outputs: Path) -> list[Entry]:
    """Every run below `outputs`, oldest first within a name."""
    try:
        index = json.loads((outputs / ".index.json").read_bytes())
        cached = index["runs"] if index["schema"] == INDEX_SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):
        cached = {}
    entries, changed = {}, False
    for path in (f"{name}/{stem}" for name in _folders(outputs) for stem in _folders(f"{outputs}/{name}")):
        stamp = _stamp(f"{outputs}/{path}/run.json")
        if not stamp:
            continue
        stamp += _stamp(f"{outputs}/{path}/result.json")
        entry = cached.get(path)
        if entry is None or entry[0] != stamp:
            run = RunFolder(outputs / path)
            try:
                record, result = run.record(), run.result()
            except FileNotFoundError:  # it has gone since it was listed
                continue
            entry, changed = [stamp, {key: record[key] for key in INDEXED if key in record}, result], True
        entries[path] = entry
    if changed or len(entries) != len(cached):
        # a folder that cannot be written is read anew each time
        with contextlib.suppress(OSError):
            text = json.dumps({"schema": INDEX_SCHEMA, "runs": entries}, separators=(",", ":"))
            write_bytes(outputs / ".index.json", text.encode())
    return [Entry(path, record, result) for path, (_, record, result) in entries.items()]


def _stamp(path: str) -> list[int]:
    """Size and time of a file; empty where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat on thousands costs a second
        return [status.st_size, status.st_mtime_ns]
    except OSError:
        return []


def _folders(path: Path | str) -> list[str]:
    """Names of the folders in it that are not hidden, in order; none where it does not exist."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
