"""Files that are either whole or absent; and folders that cannot be written."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurobench.config.errors import FAILED, UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ANOTHER = "name another folder"

_UMASK = os.umask(0o022)  # it can only be read by setting it
os.umask(_UMASK)


class Unwritable(UserError, OSError):
    """A folder that takes no file. Whoever can do without the file goes on, as after any OSError."""

    exit_code = FAILED  # as that of any OSError: a disk can be full long after what was typed has been checked
    sentence: str  # an attribute, not an argument: it has to reach the process that waits for a worker

    def __str__(self) -> str:
        return self.sentence


@contextmanager
def writing(path: Path, remedy: str = _ANOTHER) -> Iterator[None]:
    """Within it `path`, a file or folder, is made. Raises Unwritable, which names the folder that does not take it, and
    `remedy`, what to do where it never will."""
    try:
        yield
    except Unwritable:
        raise
    except OSError as error:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        first = "Make room there" if error.errno in _FULL else "Make it writable"
        name, reason = path.absolute().relative_to(folder), error.strerror or error
        unwritable = Unwritable(error.errno, error.strerror, str(folder))
        unwritable.sentence = f"{name} cannot be written to {folder}: {reason}. {first}, or {remedy}."
        raise unwritable from error


def require_writable(path: Path, remedy: str) -> None:
    """For what takes long to compute: whether it can be written is said before. Raises Unwritable."""
    with writing(path, remedy), tempfile.TemporaryFile(dir=path.parent):
        pass


def make_folder(folder: Path, remedy: str = _ANOTHER) -> None:
    """And those above it, where they are not there yet. Raises Unwritable."""
    with writing(folder, remedy):
        folder.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write through a temporary file next to it, so that a kill at any moment leaves the old file or the new.

    `durable`: also when the machine itself goes down; what can be lost then without harm is written sooner. Raises
    Unwritable.
    """
    with writing(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            Path(temporary).chmod(0o666 & ~_UMASK)  # a temporary file is private; a result is read by others
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Strict JSON: NaN and infinity are refused, since other readers refuse them."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode(), durable)
