"""N-MNIST: MNIST digits shown to an event camera of 34 x 34 pixels that makes three small saccades.

Orchard, Jayawant, Cohen, Thakor, "Converting Static Image Datasets to Spiking Neuromorphic Datasets Using
Saccades", Frontiers in Neuroscience 9:437 (2015); CC BY-SA 4.0. The package ships the first 1000 training and the
first 100 test recordings, read straight from their archives; the full set (60,000 and 10,000, 1.2 GB) is read by
tonic from a root. tonic checks neither ranges nor order, so each file is checked first.

One event is five bytes: column, row, then 24 bits of which the first is the polarity and the rest the time in
microseconds, big-endian.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from torch import as_tensor

from neurobench.data.dataset import DataError, Split, Splits, hold_out
from neurobench.data.events import Events, are_emulated
from neurobench.data.files import BUNDLED, NMNIST_ZIP, OFFICIAL, REINSTALL, Declared, checked_bytes, combined
from neurobench.data.specs import NMNIST, NMNISTFolds

SENSOR = (2, 34, 34)  # polarities, rows, columns
EVENT = 5  # bytes per event
SIDE = 34  # pixels, rows and columns
WINDOW = 300_000  # microseconds of a recording, three saccades of 100 ms
OVERFLOW_ROW = 240  # row in which the ATIS camera reports that its clock wrapped around, not a pixel


class Recording(NamedTuple):
    """E events in order of time."""

    t: np.ndarray  # (E,) int32 microseconds; 23 bits, so below 8.4 s by the format itself
    x: np.ndarray  # (E,) uint8 column
    y: np.ndarray  # (E,) uint8 row
    p: np.ndarray  # (E,) uint8 polarity bit


class RecordingFile(NamedTuple):
    """One recording, not yet read."""

    name: str  # of the file, or of the archive's member
    id: int  # recording number - 1
    label: int
    size: int  # bytes
    read: Callable[[], tuple[Recording, str]]  # returns checked events and the sha256 of the bytes


def load(spec: NMNIST, seed: int) -> Splits:
    """Find, check and decode the recordings; `seed` draws those held out. Raises DataError."""
    train, test = _files(spec.root)
    emulated = are_emulated(Path(spec.root or BUNDLED).expanduser() / "NMNIST")
    held_out = len(train) // 10 if spec.validation is None else spec.validation
    trained, held = hold_out(len(train), held_out, seed)
    digests: dict[str, str] = {}  # name of a recording -> sha256 of its bytes
    trained_split, held_split = (_join([train[k] for k in chosen], digests) for chosen in (trained, held))
    test_digests: dict[str, str] = {}
    test_split = _join(test, test_digests)
    check_apart(digests, test_digests)
    digests |= test_digests
    return Splits(
        train=trained_split,
        validation=held_split,
        test=test_split,
        source="bundled" if spec.root is None else spec.root,
        sha256=combined(digests[each.name] for each in [*train, *test]),
        evaluated_on=f"emulated recordings, {_description(test)}" if emulated else _description(test),
        emulated=emulated,
    )


def load_fold(spec: NMNISTFolds, seed: int) -> Splits:
    """Splits with one fold as the test set and the others as the training set. Raises DataError."""
    train, test = _files(spec.root)
    every = [*train, *(each._replace(id=each.id + len(train)) for each in test)]
    if len(every) < spec.folds:
        raise DataError(f"dataset.folds={spec.folds}: there are {len(every)} recordings. Use at most that many folds.")
    fold = np.random.default_rng(0).permutation(len(every)) % spec.folds
    digests: dict[str, str] = {}
    emulated = are_emulated(Path(spec.root or BUNDLED).expanduser() / "NMNIST")
    described = f"fold {spec.fold + 1} of {spec.folds} of all {len(every)} recordings"
    return Splits(
        train=_join([each for each, k in zip(every, fold, strict=True) if k != spec.fold], digests),
        validation=_join([], digests),
        test=_join([each for each, k in zip(every, fold, strict=True) if k == spec.fold], digests),
        source="bundled" if spec.root is None else spec.root,
        sha256=combined(digests[each.name] for each in every),
        evaluated_on=f"emulated recordings, {described}" if emulated else described,
        emulated=emulated,
    )


def _files(root: str | None) -> list[list[RecordingFile]]:
    """Training and test recordings by number, bundled or under ROOT/NMNIST. Raises DataError; never downloads."""
    return [_bundled(each) for each in NMNIST_ZIP] if root is None else [_under_root(root, each) for each in OFFICIAL]


def _bundled(declared: Declared) -> list[RecordingFile]:
    archive = zipfile.ZipFile(io.BytesIO(checked_bytes(BUNDLED / declared.name, declared, REINSTALL)))
    files = []

    def read(member: str, name: str) -> tuple[Recording, str]:
        raw = archive.read(member)
        return decode(raw, name), hashlib.sha256(raw).hexdigest()

    for member in archive.infolist():
        label, number = _identify(member.filename)
        name = f"{declared.name}:{member.filename}"
        files.append(RecordingFile(name, number, label, member.file_size, partial(read, member.filename, name)))
    return _in_order(files)


def _under_root(root: str, split: str) -> list[RecordingFile]:
    from tonic import datasets

    base = Path(root).expanduser()
    paths = _recordings(base / "NMNIST" / split)
    if not paths:
        raise DataError(
            f"{base / 'NMNIST' / split}: contains no recordings (*.bin). Run `neurobench data fetch nmnist {root}`, "
            "or leave out dataset.root to read the bundled ones."
        )
    identified = [_identify(path.relative_to(base / "NMNIST").as_posix(), f"{base}/NMNIST/") for path in paths]

    class NMNIST(datasets.NMNIST):  # tonic derives the folder's name from the class name
        def _check_exists(self) -> bool:
            return True  # tonic would download if its archive were missing

    stored = NMNIST(str(base), train=split == "Train")
    # tonic follows no links and takes a label from a folder's last character: it is given the paths and labels above.
    stored.data, stored.targets = [str(path) for path in paths], [label for label, _ in identified]
    files = []

    def read(k: int) -> tuple[Recording, str]:
        """Recording k as decoded by tonic, once its bytes have passed the checks of this module."""
        raw = Path(stored.data[k]).read_bytes()
        decode(raw, stored.data[k])
        events, _ = stored[k]
        fields = (events["t"].astype(np.int32), *(events[key].astype(np.uint8) for key in "xyp"))
        return Recording(*fields), hashlib.sha256(raw).hexdigest()

    for k, (path, (label, number)) in enumerate(zip(paths, identified, strict=True)):
        files.append(RecordingFile(str(path), number, label, path.stat().st_size, partial(read, k)))
    return _in_order(files)


def _recordings(folder: Path) -> list[Path]:
    """Every recording below a folder, links followed; files left behind by file managers and archives are skipped with
    a warning. Raises DataError if a recording cannot be opened."""
    recordings, stray = [], 0
    for at, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != "__MACOSX"]
        for name in names:
            path = Path(at, name)
            if not name.lower().endswith(".bin") or name.startswith("."):
                stray += name.lower().endswith(".bin")
                continue
            if not path.is_file():
                kind = "a broken link" if path.is_symlink() else "not a regular file"
                raise DataError(f"{path}: is {kind}. Restore or remove it.")
            if not os.access(path, os.R_OK):
                raise DataError(f"{path}: cannot be read (no permission). Allow it: chmod +r.")
            recordings.append(path)
    if stray:
        warnings.warn(f"{folder}: {stray} hidden files (._*.bin) are ignored", stacklevel=2)
    return sorted(recordings)


def _identify(path: str, folder: str = "") -> tuple[int, int]:
    """Label and id given by an official path below a folder ("Train/<digit>/<number>.bin"). Raises DataError."""
    match = re.fullmatch(r"(Train|Test)/(?:\1/)?([0-9])/([0-9]{5})\.bin", path, re.IGNORECASE)
    if match is None:
        raise DataError(
            f"{folder}{path}: is not named like a recording, (Train or Test)/(digit 0-9)/(five-digit number).bin"
        )
    split, label, number = match[1], int(match[2]), int(match[3])
    if not 1 <= number <= OFFICIAL[split]:
        raise DataError(f"{folder}{path}: the {split} recordings are numbered 1 to {OFFICIAL[split]}")
    return label, number - 1


def _in_order(files: Iterable[RecordingFile]) -> list[RecordingFile]:
    """Recordings sorted by id. A number that occurs twice would be in two classes, or in two splits: refused."""
    ordered = sorted(files, key=lambda each: each.id)
    for one, other in pairwise(ordered):
        if one.id == other.id:
            raise DataError(f"{one.name} and {other.name} carry the same number; remove the wrong one.")
    return ordered


def _join(files: Sequence[RecordingFile], digests: dict[str, str]) -> Split:
    """Read recordings one by one, each directly into its place (the full set fills 2 GB, which must not double).

    Stores the sha256 of each under its name in `digests`.
    """
    start = np.zeros(len(files) + 1, np.int64)
    np.cumsum([each.size // EVENT for each in files], out=start[1:])
    t = np.empty(start[-1], np.int32)
    x, y, p = (np.empty(start[-1], np.uint8) for _ in range(3))
    for k, each in enumerate(files):
        events, digests[each.name] = each.read()
        check_window(events, each.name)
        place = slice(start[k], start[k + 1])
        t[place], x[place], y[place], p[place] = events
    return Split(
        x=Events(as_tensor(t), as_tensor(x), as_tensor(y), as_tensor(p), as_tensor(start), SENSOR),
        y=torch.tensor([each.label for each in files], dtype=torch.int64),
        ids=torch.tensor([each.id for each in files], dtype=torch.int64),
    )


def _description(test: Sequence[RecordingFile]) -> str:
    """Description of these test recordings, for figures measured on them."""
    n, full = len(test), OFFICIAL["Test"]
    if n == full:
        return "the official test set"
    first = "the first " if test[-1].id == n - 1 else ""
    return f"{first}{n} of the {full:,} official test recordings"


def decode(raw: bytes, name: str, side: int = SIDE) -> Recording:
    """Decode the events in the bytes of a file from a sensor of `side` rows and columns at most. Raises DataError with
    the file's name and the offset of the fault."""
    if not raw:
        raise DataError(f"{name}: is empty; a recording has at least one event. Replace the file.")
    if len(raw) % EVENT:
        whole = len(raw) - len(raw) % EVENT
        raise DataError(
            f"{name}: ends within an event that starts at byte {whole} ({len(raw)} bytes are not a multiple of "
            f"{EVENT}). The file is truncated; replace it."
        )
    byte = np.frombuffer(raw, np.uint8).reshape(-1, EVENT)
    stamp = byte[:, 2].astype(np.int32) << 16 | byte[:, 3].astype(np.int32) << 8 | byte[:, 4]
    events = Recording(t=stamp & 0x7FFFFF, x=byte[:, 0], y=byte[:, 1], p=(stamp >> 23).astype(np.uint8))
    _check(events, name, side)
    return events


def encode(events: Recording) -> bytes:
    """Encode events as the bytes of a file."""
    byte = np.empty((len(events.t), EVENT), np.uint8)
    stamp = events.t.astype(np.int32) | events.p.astype(np.int32) << 23
    byte[:, 0], byte[:, 1] = events.x, events.y
    byte[:, 2], byte[:, 3], byte[:, 4] = stamp >> 16, stamp >> 8 & 0xFF, stamp & 0xFF
    return byte.tobytes()


def _check(events: Recording, name: str, side: int) -> None:
    """Refuse pixels outside the sensor and times that run backwards."""
    for column_or_row, axis in ((events.x, "x"), (events.y, "y")):
        if column_or_row.max() >= side:
            k = int(np.argmax(column_or_row >= side))
            mark = axis == "y" and column_or_row[k] == OVERFLOW_ROW
            why = "; row 240 marks an overflow of the camera's clock" if mark else ""
            _refuse(name, k, f"{axis}={column_or_row[k]} is outside the sensor, whose pixels are 0 to {side - 1}{why}")
    backwards = events.t[1:] < events.t[:-1]
    if backwards.any():
        k = int(np.argmax(backwards)) + 1
        _refuse(name, k, f"time {events.t[k]} us comes after {events.t[k - 1]} us; times must not decrease")


def _refuse(name: str, event: int, fault: str) -> NoReturn:
    raise DataError(f"{name}: the event at byte {event * EVENT}: {fault}. The file is damaged; replace it.")


def check_window(events: Recording, name: str) -> None:
    """Refuse a recording whose events all come after the saccades. Raises DataError.

    The last half millisecond does not count: models round an event to the nearest step of a 1 ms grid, where it is past
    the end.
    """
    last = WINDOW - 500
    if events.t[0] >= last:
        _refuse(
            name, 0, f"time {events.t[0]} us of the first event is past the {last} us that models see: it shows nothing"
        )


def check_apart(train: Mapping[str, str], test: Mapping[str, str]) -> None:
    """Refuse a recording that is in both sets (name of a recording -> sha256 of its bytes). Raises DataError."""
    known = {digest: name for name, digest in train.items()}
    for name, digest in test.items():
        if digest in known:
            raise DataError(
                f"{name}: identical to {known[digest]}, byte for byte; no recording may be in both the training "
                "and the test set. Replace one of them."
            )
