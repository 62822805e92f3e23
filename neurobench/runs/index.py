"""All runs of a folder at once: what their small files say, kept in one file so that thousands are read in a moment.

`.index.json` is a cache and nothing more: an entry counts only while both of its files have the size and the time that
they had when they were read, and the whole may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from neurobench.runs.atomic import write_bytes
from neurobench.runs.folder import RunFolder

SCHEMA = 1
# Of run.json: what lists, tables and the report show. All else is read from the folder where it is wanted.
KEPT = ("status", "error", "started", "finished", "commit", "host", "processor", "device", "threads", "python", "seeds")


class Entry(NamedTuple):
    """One run."""

    path: str  # name/id
    record: dict[str, Any]  # run.json, the KEPT part
    result: dict[str, Any] | None  # result.json; None where the run did not finish

    def folder(self, outputs: Path) -> RunFolder:
        return RunFolder(outputs / self.path)


def read_index(outputs: Path, name: str | None = None) -> list[Entry]:
    """Every run below `outputs` (or below one name), oldest first within a name."""
    if name is not None:
        return [entry for entry in read_index(outputs) if entry.path.startswith(f"{name}/")]
    kept, entries, fresh = _load(outputs), {}, False
    for path, stamp in _stamps(outputs):
        known = kept.get(path)
        if known is None or known[0] != stamp:
            read = _read(outputs / path)
            if read is None:
                continue
            known, fresh = [stamp, *read], True
        entries[path] = known
    if fresh or len(entries) != len(kept):
        # a folder that cannot be written is read anew each time
        with contextlib.suppress(OSError):
            text = json.dumps({"schema": SCHEMA, "runs": entries}, separators=(",", ":"))
            write_bytes(outputs / ".index.json", text.encode())
    return [Entry(path, record, result) for path, (_, record, result) in entries.items()]


def _load(outputs: Path) -> dict[str, list[Any]]:
    try:
        told = json.loads((outputs / ".index.json").read_bytes())
        return told["runs"] if told["schema"] == SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
    """None where the folder has gone since it was listed."""
    run = RunFolder(folder)
    try:
        record = run.record()
        return {key: record[key] for key in KEPT if key in record}, run.result()
    except FileNotFoundError:
        return None


def _stamps(outputs: Path) -> Iterator[tuple[str, list[int]]]:
    """name/id and the size and time of its two files, in order."""
    for name in _folders(outputs):
        for stem in _folders(f"{outputs}/{name}"):
            stamp = _stamp(f"{outputs}/{name}/{stem}/run.json")
            if stamp:
                yield f"{name}/{stem}", stamp + _stamp(f"{outputs}/{name}/{stem}/result.json")


def _stamp(path: str) -> list[int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - Path.stat on thousands costs a second
        return [found.st_size, found.st_mtime_ns]
    except OSError:
        return []


def _folders(where: Path | str) -> list[str]:
    try:
        with os.scandir(where) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
