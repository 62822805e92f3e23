"""Journal of a run's jobs at a device that answers later: jobs.jsonl, and the answers, jobs/KEY.npy.

The journal grows by one line at a time, on disk before the step that the line records is taken: a job is about to be
sent, the device gave it an id, it failed. A process that resumes the run reads from it what was paid for. Each answer
is a separate file, whole or absent.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurobench.config.secrets import scrubbed
from neurobench.storage.atomic import write_bytes
from neurobench.storage.files import Damaged

FILE = "jobs.jsonl"
REMEDY = "It no longer says which jobs have been paid for: restore it, or start again without --resume."


@dataclass
class Attempt:
    """An attempt at a job, recorded before it is sent."""

    tag: str  # by which the device knows it from the first moment
    shots: int
    seconds: float  # modelled, on the device
    id: str | None = None  # None: the device must be queried whether it was sent
    gone: str | None = None  # why it failed

    @property
    def is_open(self) -> bool:
        return self.gone is None


class Spent(NamedTuple):
    """Shots and seconds of all attempts, including failed ones: a device may charge for them."""

    shots: int
    seconds: float


class Journal:
    """Journal in a run folder, which its only writer has locked; without a folder it is stored in memory."""

    def __init__(self, folder: Path | None):
        self.folder, self.attempts = folder, dict[str, list[Attempt]]()
        self._run = secrets.token_hex(6) if folder is None else folder.name
        self._kept: dict[str, np.ndarray] = {}  # answers, if there is no folder
        for line in self._read():
            self._enter(**line)

    def last(self, key: str) -> Attempt | None:
        """The newest attempt at a job, if any."""
        return self.attempts.get(key, [None])[-1]

    def intend(self, key: str, shots: int, seconds: float) -> Attempt:
        """Record that a job is about to be sent, for the first time or again."""
        tag = f"{self._run}-{key}-{len(self.attempts.get(key, ())) + 1}"
        self._append(event="intent", key=key, tag=tag, shots=shots, seconds=seconds)
        return self.attempts[key][-1]

    def note(self, key: str, job: str) -> None:
        """Record that the device accepted a job under the id `job`."""
        self._append(event="job", key=key, id=job)

    def drop(self, key: str, reason: str) -> None:
        """Record that a job failed."""
        self._append(event="gone", key=key, reason=scrubbed(reason))

    def spent(self) -> Spent:
        every = [attempt for attempts in self.attempts.values() for attempt in attempts]
        return Spent(sum(attempt.shots for attempt in every), sum(attempt.seconds for attempt in every))

    def answer(self, key: str) -> np.ndarray | None:
        if self.folder is None:
            return self._kept.get(key)
        path = self._answer_path(key)
        if not path.is_file():
            return None
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise Damaged(
                path, f"is not an array ({error})", "Delete it: it is then requested from the device again."
            ) from None

    def store(self, key: str, answer: np.ndarray) -> None:
        """Store an answer, after which the device need not be queried again."""
        if self.folder is None:
            self._kept[key] = answer
            return
        buffer = io.BytesIO()
        np.save(buffer, answer, allow_pickle=False)
        self._answer_path(key).parent.mkdir(exist_ok=True)
        write_bytes(self._answer_path(key), buffer.getvalue())

    def waiting(self) -> list[Attempt]:
        """Jobs that were sent and have no answer yet."""
        lasts = {key: attempts[-1] for key, attempts in self.attempts.items()}
        return [last for key, last in lasts.items() if last.is_open and self.answer(key) is None]

    def _answer_path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / "jobs" / f"{key}.npy"

    def _append(self, **line: Any) -> None:
        if self.folder is not None:
            with (self.folder / FILE).open("a") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        self._enter(**line)

    def _enter(self, event: str, key: str, **fields: Any) -> None:
        if event == "intent":
            self.attempts.setdefault(key, []).append(Attempt(**fields))
        elif event == "job":
            self.attempts[key][-1].id = fields["id"]
        else:
            self.attempts[key][-1].gone = fields["reason"]

    def _read(self) -> list[dict[str, Any]]:
        """Read the lines. A last line that a kill truncated did not take effect, and is removed; one that is whole
        counts also without its line break, which some editors remove."""
        path = None if self.folder is None else self.folder / FILE
        if path is None or not path.is_file():
            return []
        data = path.read_bytes()
        *lines, last = data.split(b"\n")
        if last and _entry(last) is not None:
            lines.append(last)
        if (whole := b"".join(line + b"\n" for line in lines)) != data:
            write_bytes(path, whole)
        entries: list[dict[str, Any]] = []
        intended = set()
        for number, line in enumerate(lines, 1):
            entry = _entry(line)
            if entry is None or (entry["event"] != "intent" and entry["key"] not in intended):
                raise Damaged(path, f"has an invalid line {number}", REMEDY)
            intended.add(entry["key"])
            entries.append(entry)
        return entries


def gone_line(key: str, reason: str) -> str:
    """Line of the journal after which a job is sent again."""
    return json.dumps({"event": "gone", "key": key, "reason": reason})


def _entry(line: bytes) -> dict[str, Any] | None:
    """Entry of a line; None if no run writes such a line."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        entry = json.loads(line)
        kinds = _LINES[entry["event"]]
        if all(isinstance(entry[name], kind) for name, kind in kinds.items()) and len(entry) == len(kinds) + 1:
            return entry
    return None


_LINES: dict[str, dict[str, Any]] = {
    "intent": {"key": str, "tag": str, "shots": int, "seconds": (int, float)},
    "job": {"key": str, "id": str},
    "gone": {"key": str, "reason": str},
}
