"""Files that are either whole or absent."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

_UMASK = os.umask(0o022)  # it can only be read by setting it
os.umask(_UMASK)


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write through a temporary file next to it, so that a kill at any moment leaves the old file or the new.

    `durable`: also when the machine itself goes down; what can be lost then without harm is written sooner.
    """
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
