"""Locating a user's files: they must exist, be readable and lie in one folder per class; none is skipped silently."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from neurobench.config.errors import did_you_mean
from neurobench.data.custom.splits import encode_labels
from neurobench.data.dataset import DataError

PASSED_OVER = ("__MACOSX", "__pycache__")
VALIDATION = ("val", "valid", "validation")  # accepted names of a user's validation set
SETS = ("train", "training", "test", "testing", *VALIDATION)  # folders are not classes if all have such names


class Labelled(NamedTuple):
    files: tuple[Path, ...]
    labels: tuple[int, ...]


class Folders(NamedTuple):
    """Files by class. `test` and `validation` are None if they have no folder."""

    classes: tuple[str, ...]
    train: Labelled
    validation: Labelled | None
    test: Labelled | None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for _, part in self._parts for file in part.files)

    @property
    def folders(self) -> tuple[str, ...]:
        """Set and class of each of `files`."""
        return tuple(f"{name}/{self.classes[label]}" for name, part in self._parts for label in part.labels)

    @property
    def _parts(self) -> list[tuple[str, Labelled]]:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return [(name, part) for name, part in parts.items() if part]


def existing(root: str | None, wanted: str, folder: bool = False) -> Path:
    """Path of an existing, readable file or folder. Raises DataError if there is none."""
    path = Path(str(root)).expanduser()
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path}: is a broken link. Restore its target.")
    if not path.exists():
        raise DataError(f"{path}: does not exist; expected {wanted}")
    if path.is_dir() != folder:
        raise DataError(f"{path}: is {'a folder' if path.is_dir() else 'not a folder'}; expected {wanted}")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: cannot be read (no permission). Allow it: chmod +r.")
    return path


def version(path: Path) -> tuple[int, int]:
    """Size and time of a file, which change with its content."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def class_folders(root: str | None, wanted: str, suffixes: Sequence[str]) -> Folders:
    """Files below ROOT/CLASS, or below ROOT/train/CLASS, ROOT/test/CLASS and, if there is a validation set,
    ROOT/val/CLASS, links followed. Raises DataError."""
    base = existing(root, wanted, folder=True)
    inside = _folders(base)
    parts = {name.name.lower(): name for name in inside}
    if "train" not in parts and (not parts or {*parts} - {*SETS}):
        classes, located = _labelled(base, inside, suffixes)
        return Folders(classes, located, None, None)
    for name in ("train", "test"):
        if name not in parts:
            named = next(each.name for each in inside if each.name.lower() in SETS)
            raise DataError(f"{base}: has a folder {named} and none called {name}")
    validation = next((name for name in VALIDATION if name in parts), None)
    read = [parts[name].name for name in ("train", "test", *([validation] if validation else ()))]
    require_read(base, [each.name for each in inside if each.is_dir()], read, VALIDATION)
    for name in read:
        existing(str(base / name), wanted, folder=True)
    _say_passed_over(base, _stray(base))
    classes, train = _labelled(parts["train"], _folders(parts["train"]), suffixes)

    def other(folder: Path) -> Labelled:
        inside = _folders(folder)
        if strange := sorted({each.name for each in inside} - {each.name for each in _folders(parts["train"])}):
            raise DataError(f"{folder}: class {strange[0]} is not in {parts['train']}, so it cannot be learned")
        names, located = _labelled(folder, inside, suffixes)
        place = [classes.index(name) for name in names]
        return Labelled(located.files, tuple(place[label] for label in located.labels))

    return Folders(classes, train, other(parts[validation]) if validation else None, other(parts["test"]))


def require_read(path: Path, names: Iterable[str], read: Sequence[str], validation: Sequence[str]) -> None:
    """Check that all of `names` are read. Raises DataError if one is not, which would go unnoticed. `validation`:
    accepted names of a validation set."""
    others = [name for name in names if name not in read]
    if others:
        may_hold_out = validation and not {name.lower() for name in read} & {*validation}
        more = f" (a validation set is called {', '.join(VALIDATION[:-1])} or {VALIDATION[-1]})" if may_hold_out else ""
        hint = "" if others[0] in validation else did_you_mean(others[0], [*read, *validation])
        raise DataError(
            f"{path}: contains {', '.join(others[:12])} too, but only {', '.join(read)} are read{more}. Rename or "
            f"remove the others.{hint}"
        )


def _folders(base: Path) -> list[Path]:
    inside = sorted(entry for entry in base.iterdir() if entry.is_dir() or entry.is_symlink())
    return [entry for entry in inside if not entry.name.startswith(".") and entry.name not in PASSED_OVER]


def _stray(base: Path) -> int:
    """Number of files in a folder, besides its subfolders."""
    return sum(not entry.is_dir() and not entry.name.startswith(".") for entry in base.iterdir())


def _say_passed_over(base: Path, files: int) -> None:
    if files:
        warnings.warn(f"{base}: {files} other files are ignored", stacklevel=3)


def _labelled(base: Path, folders: Sequence[Path], suffixes: Sequence[str]) -> tuple[tuple[str, ...], Labelled]:
    stray, files, names = _stray(base), [], []
    for folder in folders:
        if not folder.exists():
            raise DataError(f"{folder}: is a broken link. Restore or remove it.")
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
            raise DataError(f"{folder}: contains no readable file ({', '.join(suffixes)})")
        files += members
        names += [folder.name] * len(members)
    if not files:
        raise DataError(f"{base}: contains no folders of files, one for each class ({', '.join(suffixes)})")
    _say_passed_over(base, stray)
    classes, labels = encode_labels(names)
    return classes, Labelled(tuple(files), tuple(labels.tolist()))


def _readable(path: Path) -> Path:
    if not path.is_file():
        kind = "a broken link" if path.is_symlink() else "not a regular file"
        raise DataError(f"{path}: is {kind}. Restore or remove it.")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: cannot be read (no permission). Allow it: chmod +r.")
    if not path.stat().st_size:
        raise DataError(f"{path}: is empty (0 bytes). Replace or remove it.")
    return path
