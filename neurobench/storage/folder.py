"""The folder that a run leaves behind, outputs/<name>/<id>/, and differences between run folders."""

from __future__ import annotations

import fcntl
import json
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from neurobench.config.errors import UserError
from neurobench.config.secrets import scrubbed
from neurobench.storage.atomic import lost_link, make_folder, unfinished, write_bytes, write_json, writing
from neurobench.storage.checkpoint import write_checkpoint
from neurobench.storage.files import Damaged, read_checkpoint, read_config, read_metrics, read_record, read_result

TRAINED = "trained.pt"  # the checkpoint at the end of training, while the run is finalized and tested
PRINTOUT = "printout.txt"  # output of the model's tutorial, for this run
SCHEMA = 2  # 1: before configurations were stored resolved


class InUse(UserError):
    """Error: another process is computing this run."""


class RunFolder:
    """A run folder: config.yaml, run.json, metrics.jsonl, checkpoint.pt, predictions.npz, figures/, run.log; last,
    result.json. Some models add PRINTOUT and the network in a format of their field.

    A run without result.json did not finish. The writing process holds the lock.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, outputs: Path, name: str, config_hash: str, config_yaml: str) -> RunFolder:
        """Create and lock a new folder. Its id is the time (UTC) and the first digits of the config hash."""
        now = datetime.now(UTC)
        stem = f"{now:%Y%m%d-%H%M%S}-{config_hash[:6]}"
        for attempt in range(1, 10_000):
            path = outputs / name / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except OSError as error:
                if isinstance(error, FileExistsError) and not lost_link(path):
                    continue
                reason = lost_link(path) or error.strerror
                raise UserError(f"cannot create the run folder {path}: {reason}. Set outputs=FOLDER.") from None
            folder = cls(path)
            folder.acquire()
            write_bytes(path / "config.yaml", config_yaml.encode())
            folder.update(status="running", created=now.isoformat())
            return folder
        raise UserError(f"cannot create a new run folder below {outputs / name}")

    @cached_property
    def _lock(self) -> FileLock:
        return FileLock(self.path / ".lock", timeout=0)

    def acquire(self) -> None:
        """Lock the folder as its only writer. The lock ends with the process, so a killed run is unlocked again."""
        try:
            self._lock.acquire()
        except Timeout:
            try:
                writer = self.record().get("pid", "?")
            except Damaged:
                writer = "?"
            raise InUse(f"{self.path} is being written by process {writer}. Wait for it or stop it.") from None
        except OSError as error:  # another user's folder, or a read-only one
            raise UserError(f"cannot write to the run folder {self.path}: {error.strerror or error}.") from None

    def clean(self) -> None:
        """Remove what a crash during a write has left behind: temporary files that were never renamed, and the first
        part of a line of metrics.jsonl."""
        for path in (*unfinished(self.path), *unfinished(self.path / "figures")):
            path.unlink(missing_ok=True)
        rows = self.path / "metrics.jsonl"
        if rows.is_file() and not (text := rows.read_bytes()).endswith(b"\n"):
            write_bytes(rows, text[: text.rfind(b"\n") + 1])

    def release(self) -> None:
        self._lock.release()

    @property
    def in_use(self) -> bool:
        """Whether a process is writing the run; also for a folder that this user may only read."""
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return _is_locked(self.path / ".lock")

    @property
    def label(self) -> str:
        """The run as name/id."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def status(self) -> str:
        """Status in run.json, but "finished" once there is a result, even if the run was stopped before run.json said
        so; "killed" if a running run has no writer any more; and "damaged: " with the reason if run.json or result.json
        is damaged."""
        try:
            status = self.record()["status"]
            if self.result() is not None:
                return "finished"
            if status == "finished":
                return "damaged: result.json is missing"
        except Damaged as damage:
            return f"damaged: {damage.reason}"
        return "killed" if status == "running" and not self.in_use else status

    def damage(self) -> list[str]:
        """List which of the text files are damaged, and how."""
        faults, read = [], {}
        for name in ("record", "result", "metrics", "config"):
            try:
                read[name] = getattr(self, name)()
            except Damaged as damage:
                faults.append(damage.reason)
        epochs = (read.get("result") or {}).get("epochs", 0)
        if "metrics" in read and len(read["metrics"]) < epochs:
            faults.append(f"metrics.jsonl has {len(read['metrics'])} of {epochs} epochs")
        return faults

    @property
    def is_finished(self) -> bool:
        """Whether the run has a readable result."""
        try:
            return self.result() is not None
        except Damaged:
            return False

    def has(self, file: str) -> bool:
        return (self.path / file).is_file()

    def record(self) -> dict[str, Any]:
        """Read run.json: status, versions, host, seeds and hashes. All methods that read files raise `Damaged`."""
        return read_record(self.path / "run.json")

    def update(self, **entries: Any) -> None:
        """Set entries of run.json. The error of an earlier session vanishes once the status is another one."""
        try:
            record = self.record()
        except Damaged:  # absent, or its content is lost
            record = {"schema": SCHEMA}
        if entries.get("status", "failed") != "failed":
            record.pop("error", None)
        updated = datetime.now(UTC).isoformat("T", "seconds")
        write_json(self.path / "run.json", {**record, **entries, "updated": updated})

    def config(self) -> dict[str, Any]:
        """Read config.yaml as plain values."""
        return read_config(self.path / "config.yaml")

    def result(self) -> dict[str, Any] | None:
        """Read result.json, or None if the run did not finish."""
        return read_result(self.path / "result.json") if self.has("result.json") else None

    def write_result(self, result: Mapping[str, Any]) -> None:
        write_json(self.path / "result.json", {"schema": SCHEMA, **result})
        (self.path / TRAINED).unlink(missing_ok=True)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl, whole or not at all."""
        path, line = self.path / "metrics.jsonl", (json.dumps(row, allow_nan=False) + "\n").encode()
        with writing(path), path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                while line:  # a disk that is nearly full takes a part of it
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise

    def log(self, error: BaseException) -> None:
        """Add the traceback of an error to run.log."""
        with (self.path / "run.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(scrubbed("".join(traceback.format_exception(error))))

    def rewrite_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Set metrics.jsonl to the rows in the checkpoint, since a kill can occur between writing the two."""
        write_bytes(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())

    def metrics(self) -> list[dict[str, Any]]:
        """Read metrics.jsonl: one row per epoch."""
        return read_metrics(self.path / "metrics.jsonl") if self.has("metrics.jsonl") else []

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write checkpoint.pt. Raises UserError for a state that could not be read back."""
        write_checkpoint(self.path / "checkpoint.pt", state)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Read checkpoint.pt, or None if there is none."""
        return read_checkpoint(self.path / "checkpoint.pt") if self.has("checkpoint.pt") else None

    def set_trained_aside(self) -> None:
        """Rename checkpoint.pt, written at the end of training, to trained.pt until there is a result: finalizing
        changes a learner, and a run that is resumed after it must not finalize a finalized one."""
        if self.has("checkpoint.pt") and not self.has(TRAINED):
            (self.path / "checkpoint.pt").replace(self.path / TRAINED)

    def load_resumable(self) -> dict[str, Any] | None:
        """Read the state from which an unfinished run continues: trained.pt, else checkpoint.pt; None if neither
        exists."""
        return read_checkpoint(self.path / TRAINED) if self.has(TRAINED) else self.load_checkpoint()

    def save_figure(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Write a figure. `files`: contents by kind, such as "png". Returns the first path, which a page shows."""
        folder = self.path / "figures"
        make_folder(folder)
        for kind, content in files.items():
            write_bytes(folder / f"{name}.{kind}", content)
        return folder / f"{name}.{next(iter(files))}"


def _is_locked(path: Path) -> bool:
    """Whether a process holds a lock on a file that this one may only read; False if it may not even do that."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def choosing(outputs: Path, name: str, config_hash: str) -> Iterator[None]:
    """Context manager: one process at a time chooses the folder of a configuration, so that two do not compute it. In a
    folder that cannot be written, only a finished run can be chosen, which needs no lock."""
    folder = outputs / ".locks"
    lock = FileLock(folder / f"{name}-{config_hash}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        if os.access(outputs, os.W_OK):
            sentence = f"cannot create a run folder below {outputs}: {error.strerror}. Set outputs=FOLDER."
            raise UserError(sentence) from None
    try:
        yield
    finally:
        lock.release()
