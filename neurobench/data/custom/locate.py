"""Finding a user's files: they exist, can be read, and lie in a folder for each class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from neurobench.data.custom.splits import encode_labels
from neurobench.data.dataset import DataError

PASSED_OVER = ("__MACOSX", "__pycache__")


class Labelled(NamedTuple):
    files: tuple[Path, ...]
    labels: tuple[int, ...]


class Folders(NamedTuple):
    """Files by class. `test` is None where all lie in one piece."""

    classes: tuple[str, ...]
    train: Labelled
    test: Labelled | None

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.train.files, *(self.test.files if self.test else ()))


def existing(root: str | None, wanted: str, folder: bool = False) -> Path:
    """Raises DataError where there is no such file, or folder."""
    path = Path(str(root)).expanduser()
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path}: is a link to nothing. Restore what it points to.")
    if not path.exists():
        raise DataError(f"{path}: is not there; {wanted} is wanted")
    if path.is_dir() != folder:
        raise DataError(f"{path}: is {'a folder' if path.is_dir() else 'no folder'}; {wanted} is wanted")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: cannot be read (no permission). Allow it: chmod +r.")
    return path


def version(path: Path) -> tuple[int, int]:
    """Changes with the file's content."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def class_folders(root: str | None, wanted: str, suffixes: Sequence[str]) -> Folders:
    """Files below ROOT/CLASS, or below ROOT/train/CLASS and ROOT/test/CLASS, links followed. Raises DataError."""
    base = existing(root, wanted, folder=True)
    inside = _folders(base)
    parts = {name.name.lower(): name for name in inside}
    if "train" not in parts:
        classes, located = _labelled(base, inside, suffixes)
        return Folders(classes, located, None)
    if "test" not in parts:
        raise DataError(f"{base}: has a folder train and none called test")
    names = {part: _folders(parts[part]) for part in ("train", "test")}
    strange = sorted({each.name for each in names["test"]} - {each.name for each in names["train"]})
    if strange:
        raise DataError(f"{parts['test']}: class {strange[0]} is not in {parts['train']}, so it cannot be learned")
    classes, train = _labelled(parts["train"], names["train"], suffixes)
    tested, test = _labelled(parts["test"], names["test"], suffixes)
    place = [classes.index(name) for name in tested]
    return Folders(classes, train, Labelled(test.files, tuple(place[label] for label in test.labels)))


def _folders(base: Path) -> list[Path]:
    inside = sorted(entry for entry in base.iterdir() if entry.is_dir() or entry.is_symlink())
    return [entry for entry in inside if not entry.name.startswith(".") and entry.name not in PASSED_OVER]


def _labelled(base: Path, folders: Sequence[Path], suffixes: Sequence[str]) -> tuple[tuple[str, ...], Labelled]:
    stray, files, names = 0, [], []
    for folder in folders:
        if not folder.exists():
            raise DataError(f"{folder}: is a link to nothing. Restore or remove it.")
        if not folder.is_dir():
            continue
        members = []
        for at, inner, entries in os.walk(folder, followlinks=True):
            inner[:] = sorted(name for name in inner if name not in PASSED_OVER and not name.startswith("."))
            for entry in sorted(entries):
                path = Path(at, entry)
                if entry.startswith(".") or path.suffix.lower() not in suffixes:
                    stray += 1
                    continue
                members.append(_readable(path))
        if not members:
            raise DataError(f"{folder}: holds no file that can be read ({', '.join(suffixes)})")
        files += members
        names += [folder.name] * len(members)
    if not files:
        raise DataError(f"{base}: has no folder with files in it, one for each class ({', '.join(suffixes)})")
    if stray:
        warnings.warn(f"{base}: {stray} other files are passed over", stacklevel=2)
    classes, labels = encode_labels(names)
    return classes, Labelled(tuple(files), tuple(labels.tolist()))


def _readable(path: Path) -> Path:
    if not path.is_file():
        kind = "a link to nothing" if path.is_symlink() else "no regular file"
        raise DataError(f"{path}: is {kind}. Restore or remove it.")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: cannot be read (no permission). Allow it: chmod +r.")
    if not path.stat().st_size:
        raise DataError(f"{path}: is empty (0 bytes). Replace or remove it.")
    return path
