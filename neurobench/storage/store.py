"""Lookup of runs: one by its reference, those of one setting, or all at once.

`.index.json` stores the content of the small files of all runs, so that thousands are read in a moment. It is only a
cache: an entry is valid only while both of its files have the size and the time that they had when they were read, and
the index may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.home import home_path
from neurobench.storage.atomic import write_bytes
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder

INDEX_SCHEMA = 3
# Keys of run.json that lists, tables and the report show. All others are read from the folder when needed.
INDEXED = (
    "status", "error", "created", "started", "finished", "commit", "host", "processor", "device", "threads", "python",
    "seeds", "config_hash", "model", "dataset", "backend", "encoder", "encoders", "scale", "overrides",
)  # fmt: skip
_ID = re.compile(r"\d{8}-\d{6}-(?P<hash>[0-9a-f]{6})(-\d+)?")  # name of a run's folder
JOINED = ("model", "dataset", "backend", "encoder", "encoders", "scale", "seed", "overrides")


class Entry(NamedTuple):
    """One run in the index."""

    path: str  # name/id
    record: dict[str, Any]  # run.json, the INDEXED part; empty if it is damaged
    result: dict[str, Any] | None  # result.json; None if the run did not finish or the file is damaged
    damage: str | None = None  # "result.json is cut at byte 512"

    def folder(self, outputs: Path) -> RunFolder:
        return RunFolder(outputs / self.path)

    def status(self, outputs: Path) -> str:
        """Status as in `RunFolder.status`, without reading the folder of a finished run."""
        if self.damage:
            return f"damaged: {self.damage}"
        if self.result is not None:
            return "finished"
        status = self.record["status"]
        return status if status != "running" else self.folder(outputs).status

    def summary(self, outputs: Path) -> dict[str, Any]:
        return summary(self.path, self.status(outputs), self.record, self.result)

    @property
    def moment(self) -> float:
        """Start of the run in seconds since 1970, whatever the time zone of its machine."""
        return moment(self.record, self.path)


def summary(path: str, status: str, record: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values of a run for a table of runs: name/id, status, JOINED and metrics. None if a run of an earlier version
    does not record the value."""
    known = {"seed": record.get("seeds", {}).get("root"), **record, **(result or {})}
    joined = {key: known.get(key) for key in JOINED}
    return {"run": path, "status": status, **joined, "metrics": dict((result or {}).get("metrics", {}))}


def moment(record: Mapping[str, Any], path: str) -> float:
    """Start of a run by its run.json, else by its id, which is a time as well (UTC; local in earlier versions)."""
    identity = path.rpartition("/")[2][:15].replace("-", "T")
    for text in (record.get("created"), record.get("started"), identity):
        with contextlib.suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(str(text))
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return 0.0


def default_outputs() -> Path:
    """The folder of all runs, as `outputs` in conf/config.yaml: NEUROBENCH_OUTPUTS, or ./outputs if it is unset
    or empty."""
    return Path(home_path(os.environ.get("NEUROBENCH_OUTPUTS") or "outputs"))


def all_runs(outputs: Path) -> Iterator[RunFolder]:
    """Yield every run below `outputs`, including damaged ones, in the order of their ids."""
    for name in _folders(outputs):
        yield from runs_named(outputs, name)


def runs_named(outputs: Path, name: str) -> Iterator[RunFolder]:
    """Yield every run of a name, including damaged ones, in the order of their ids."""
    for stem in _folders_within(outputs / name):
        if _stamp_of(f"{outputs}/{name}/{stem}"):
            yield RunFolder(outputs / name / stem)


def same_setting(outputs: Path, name: str, config_hash: str) -> list[RunFolder]:
    """Runs of one configuration with a valid run.json, newest first."""
    entries = []
    for stem in _folders_within(outputs / name):
        identity = _ID.fullmatch(stem)  # each job of a sweep asks: nothing is read of thousands of others
        if identity is None or identity["hash"] == config_hash[:6]:  # a folder that was renamed may be any run's
            run = RunFolder(outputs / name / stem)
            with contextlib.suppress(Damaged):
                record = run.record()
                if record.get("config_hash") == config_hash:
                    entries.append((moment(record, stem), run))
    return [run for _, run in sorted(entries, key=lambda pair: pair[0], reverse=True)]


def find_run(outputs: Path, reference: str, finished: bool = False) -> RunFolder:
    """Find a run by a path, an id, the beginning of an id (or of name/id), a name (its newest run), or "latest".

    `finished`: a name and "latest" mean the newest run that finished, if there is one.
    """
    path = Path(reference)
    if any((path / file).is_file() for file in ("run.json", "config.yaml", "result.json")):
        is_whole = len(path.parts) > 1 and ".." not in path.parts  # "." in a run folder has no name and no parent
        return RunFolder(path if is_whole else path.resolve())
    entries = sorted(read_index(outputs), key=lambda entry: entry.moment)
    if not entries:
        raise UserError(f"there are no runs below {outputs}.{_choice(reference)} Start one with: neurobench run")
    named = [entry for entry in entries if reference in ("latest", entry.path.partition("/")[0])]
    if named:
        ended = [entry for entry in named if entry.result is not None] if finished else []
        return (ended or named)[-1].folder(outputs)
    part = 0 if "/" in reference else 1
    matches = [entry for entry in entries if entry.path.split("/", part)[part].startswith(reference)]
    # A whole id is also the beginning of the id of another run started in the same second
    matches = [entry for entry in matches if entry.path.split("/", part)[part] == reference] or matches
    if len(matches) == 1:
        return matches[0].folder(outputs)
    if matches:
        candidates = ", ".join(entry.path for entry in matches[:5])
        raise UserError(f"run '{reference}' is ambiguous: it can be {candidates}. Give more of the id.")
    known = ["latest", *{word for entry in entries for word in entry.path.split("/")}]
    raise UserError(
        f"there is no run '{reference}' below {outputs} ({len(entries)} runs)."
        f"{_choice(reference) or did_you_mean(reference, known)} See: neurobench list runs"
    )


def _choice(reference: str) -> str:
    """Hint for a reference that names a choice, such as a model, instead of a run; else ""."""
    from neurobench.config.compose import all_choices
    from neurobench.config.suggestions import groups_of

    groups = groups_of(reference, all_choices())
    return f" {reference} is a {groups[0]}: neurobench help {groups[0]}={reference} explains it." if groups else ""


def read_index(outputs: Path) -> list[Entry]:
    """Index of every run below `outputs`, including damaged ones, oldest first within a name."""
    try:
        index = json.loads((outputs / ".index.json").read_bytes())
        cached = dict(index["runs"]) if index["schema"] == INDEX_SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        cached = {}
    entries, changed = {}, False
    for path, stamp in _stamps(outputs):
        entry = cached.get(path)
        if not (isinstance(entry, list) and len(entry) == 4 and entry[0] == stamp):
            content = _read(outputs / path)
            if content is None:
                continue
            entry, changed = [stamp, *content], True
        entries[path] = entry
    if changed or len(entries) != len(cached):
        # a folder that cannot be written is read anew each time
        with contextlib.suppress(OSError):
            text = json.dumps({"schema": INDEX_SCHEMA, "runs": entries}, separators=(",", ":"))
            write_bytes(outputs / ".index.json", text.encode())
    indexed = [Entry(path, *content) for path, (_, *content) in entries.items()]
    return sorted(indexed, key=lambda entry: (entry.path.partition("/")[0], entry.moment))


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any] | None, str | None] | None:
    """Record, result and damage for an Entry; None if the folder has vanished since it was listed."""
    run = RunFolder(folder)
    record: dict[str, Any] = {}
    try:
        record = run.record()
        result = run.result()
        lost = "result.json is missing" if record["status"] == "finished" and result is None else None
        return {key: record[key] for key in INDEXED if key in record}, result, lost
    except Damaged as damage:
        if not folder.is_dir():
            return None
        return {key: record[key] for key in INDEXED if key in record}, None, damage.reason


def _stamps(outputs: Path) -> Iterator[tuple[str, list[int]]]:
    """Yield name/id of each run, and the sizes and times of its two files."""
    for name in _folders(outputs):
        for stem in _folders_within(f"{outputs}/{name}"):
            stamp = _stamp_of(f"{outputs}/{name}/{stem}")
            if stamp:
                yield f"{name}/{stem}", stamp


def _stamp_of(folder: str) -> list[int]:
    """Sizes and times of a run's files; empty if the folder is not a run folder."""
    stamp = _stamp(f"{folder}/run.json") + _stamp(f"{folder}/result.json")
    return stamp or _stamp(f"{folder}/config.yaml")


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat on thousands costs a second
        return [status.st_size, status.st_mtime_ns]
    except OSError:
        return []


def _folders(path: Path | str) -> list[str]:
    """Names of the folders in `path` that are not hidden, in order; none if it does not exist."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders_within(path: Path | str) -> list[str]:
    """The same for a folder below that of all runs, which need not be a run's: none if it cannot be read."""
    with contextlib.suppress(PermissionError):  # such as lost+found
        return _folders(path)
    return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):  # a circle of links
        return entry.is_dir()
    return False
