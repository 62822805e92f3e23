"""The record of a sweep in its folder, for later queries: its jobs, and the arrays that were submitted to SLURM.

<outputs>/.sweeps/<time, UTC>/
    N.json, N.log       the latest report of job N, and its output
    stop                if it exists, jobs that have not begun are skipped
    queue/sweep.json    launcher, command, jobs
    queue/N.json        the task that the worker of job N reads
    queue/array-K.json  an array of SLURM and the jobs behind each index; queue/array-K.sh is its script
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError
from neurobench.storage.atomic import make_folder, write_json
from neurobench.storage.store import default_outputs

PREFIX = "neurobench-"  # of array names in SLURM


@dataclass(frozen=True)
class Entry:
    """One job of a recorded sweep."""

    number: int
    overrides: tuple[str, ...]
    name: str
    config_hash: str

    @property
    def label(self) -> str:
        return " ".join(self.overrides)


@dataclass(frozen=True)
class Array:
    """An array of SLURM. Its name identifies the sweep, so that it can be recognised before SLURM assigns an id."""

    part: int  # index among the sweep's arrays
    name: str
    groups: tuple[tuple[int, ...], ...]  # numbers of the jobs behind each index, run one after the other
    id: str | None = None  # None: the submitting process was stopped before SLURM answered


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as recorded in its folder."""

    folder: Path
    launcher: str
    command: str
    host: str
    pid: int
    entries: tuple[Entry, ...]

    @property
    def label(self) -> str:
        return self.folder.name

    def write(self) -> None:
        values = {"launcher": self.launcher, "command": self.command, "host": self.host, "pid": self.pid}
        make_folder(self.folder / "queue")
        write_json(self.folder / "queue" / "sweep.json", {**values, "jobs": [asdict(entry) for entry in self.entries]})

    def arrays(self) -> list[Array]:
        """Arrays that were submitted to SLURM, in order."""
        return sorted(map(_array, (self.folder / "queue").glob("array-*.json")), key=lambda array: array.part)


def new_sweep_folder(outputs: Path) -> Path:
    """Folder for the reports and logs of a new sweep's jobs, named by the time (UTC); it is not created yet."""
    return outputs / ".sweeps" / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"


def remove_record(folder: Path) -> None:
    """Delete the record of a sweep that its launcher refused, so that it is not taken for the newest one."""
    (folder / "queue" / "sweep.json").unlink(missing_ok=True)


def new_array(sweep: Path, part: int, groups: Sequence[Sequence[int]]) -> Array:
    return Array(part, f"{PREFIX}{sweep.name}-{part}", tuple(map(tuple, groups)))


def write_array(sweep: Path, array: Array) -> None:
    write_json(sweep / "queue" / f"array-{array.part}.json", asdict(array))


def remove_array(sweep: Path, array: Array) -> None:
    """Delete the record of an array that SLURM did not accept."""
    (sweep / "queue" / f"array-{array.part}.json").unlink()


def read_array(sweep: Path, part: int) -> Array:
    return _array(sweep / "queue" / f"array-{part}.json")


def array_of_name(outputs: Path, name: str) -> tuple[Path, Array] | None:
    """Sweep folder and array that have this name in SLURM; None if it belongs to no sweep below `outputs`."""
    stamp, _, part = name.removeprefix(PREFIX).rpartition("-")
    sweep = outputs / ".sweeps" / stamp
    if not name.startswith(PREFIX) or not (sweep / "queue" / f"array-{part}.json").is_file():
        return None
    return sweep, read_array(sweep, int(part))


def recorded(outputs: Path) -> list[Path]:
    """Folders of the sweeps below `outputs` that have a record, oldest first."""
    return sorted(file.parents[1] for file in (outputs / ".sweeps").glob("*/queue/sweep.json"))


def find_sweep(outputs: Path, reference: str) -> SweepRecord:
    """Find a sweep by its timestamp, the beginning of it, or "latest". Raises UserError unless exactly one matches."""
    folders = recorded(outputs)
    matches = folders[-1:] if reference == "latest" else [each for each in folders if each.name.startswith(reference)]
    if len(matches) != 1:
        known = ", ".join(folder.name for folder in folders[-5:]) or "none"
        which = "matches several sweeps" if matches else "matches no sweep"
        raise UserError(f"'{reference}' {which} below {outputs / '.sweeps'}: there is {known}")
    return read_sweep(matches[0])


def read_sweep(folder: Path) -> SweepRecord:
    """Read the record of a sweep. Raises UserError if it is damaged."""
    values = _read(folder / "queue" / "sweep.json")
    try:
        entries = tuple(map(_read_entry, values["jobs"]))
        return SweepRecord(
            folder, str(values["launcher"]), str(values["command"]), str(values["host"]), int(values["pid"]), entries
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder / 'queue' / 'sweep.json'} is damaged: {error}") from None


def _read_entry(values: Mapping[str, Any]) -> Entry:
    """Entry of a record; earlier versions stored the overrides joined, as `label`."""
    overrides = values["label"].split() if "label" in values else values["overrides"]
    return Entry(int(values["number"]), tuple(map(str, overrides)), str(values["name"]), str(values["config_hash"]))


def control_command(sweep: Path, *words: str) -> str:
    """Command that shows or cancels a sweep, with `outputs` unless it is the default."""
    outputs = sweep.absolute().parents[1]
    place = [] if outputs == default_outputs().absolute() else [f"outputs={outputs}"]
    return shlex.join(["neurobench", "sweep", *words, *place])


def _array(file: Path) -> Array:
    values = _read(file)
    try:
        groups = tuple(tuple(map(int, group)) for group in values["groups"])
        return Array(int(values["part"]), str(values["name"]), groups, values["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{file} is damaged: it contains no record")
    return values
