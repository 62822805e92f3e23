"""Writing of files that are either whole or absent; and the error for folders that cannot be written."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from neurobench.config.errors import FAILED, UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ANOTHER = "name another folder"

_TEMPORARY = re.compile(r"\..+\.[^.]+\.[a-z0-9_]{8}")  # .NAME.SUFFIX.RANDOM, as mkstemp makes it below

_UMASK = os.umask(0o022)  # the umask can only be read by setting it
os.umask(_UMASK)


class Unwritable(UserError, OSError):
    """Error: a folder cannot be written. Callers that can do without the file continue, as after any OSError."""

    exit_code = FAILED  # as for any OSError: a disk can fill up long after the command line has been checked
    sentence: str  # an attribute, not an argument: it has to reach the process that waits for a worker

    def __str__(self) -> str:
        return self.sentence


def lost_link(path: Path) -> str | None:
    """Message if a path leads through a link whose target does not exist, such as a disk that is not mounted, for which
    the system reports only that the link exists; else None."""
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            return f"{place} is a link to {place.readlink()}, which does not exist"
    return None


@contextmanager
def writing(path: Path, remedy: str = _ANOTHER) -> Iterator[None]:
    """Context manager: create `path`, a file or folder, within it. Raises Unwritable, which names the folder that
    cannot be written, and `remedy`, what to do if it never can."""
    try:
        yield
    except Unwritable:
        raise
    except OSError as error:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        lost, reason = lost_link(path), error.strerror or error
        first = "Make room there" if error.errno in _FULL else "Make it writable"
        if lost:
            first, reason = "Create it", lost
        name = path.absolute().relative_to(folder)
        unwritable = Unwritable(error.errno, error.strerror, str(folder))
        unwritable.sentence = f"{name} cannot be written to {folder}: {reason}. {first}, or {remedy}."
        raise unwritable from error


def require_writable(path: Path, remedy: str) -> None:
    """Check that `path` can be written, before its content takes long to compute. Raises Unwritable."""
    with writing(path, remedy), tempfile.TemporaryFile(dir=path.parent):
        pass


def make_folder(folder: Path, remedy: str = _ANOTHER) -> None:
    """Create a folder and its missing parents. Raises Unwritable."""
    with writing(folder, remedy):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Context manager: a temporary file next to `path` that takes its place at the end, so that a kill at any moment
    leaves the old file or the new.

    `durable`: also if the machine itself crashes; False is faster, for files that can then be lost without harm. Raises
    Unwritable.
    """
    with writing(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            Path(temporary).chmod(0o666 & ~_UMASK)  # a temporary file is private; others may read a result
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def unfinished(folder: Path) -> list[Path]:
    """Temporary files of `replacing` in a folder, of files with a suffix, whose process was killed. Other hidden files
    are the user's."""
    return [path for path in folder.glob(".*.*.*") if _TEMPORARY.fullmatch(path.name) and path.is_file()]


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write a file as `replacing` does. Raises Unwritable."""
    with replacing(path, durable) as file:
        file.write(data)


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Write strict JSON: NaN and infinity are refused, since other readers refuse them."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode(), durable)
