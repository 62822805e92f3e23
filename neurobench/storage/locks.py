"""Check of file locks on a file system. A run is computed by one process at a time because its folder is locked; across
machines this needs a file system that carries locks from one to the other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

# Type of a file system -> mount options under which a lock is visible to one machine only.
LOCAL_LOCKS = {
    "nfs": ("nolock", "local_lock=all", "local_lock=flock"),
    "nfs4": ("local_lock=all", "local_lock=flock"),
    "lustre": ("localflock", "noflock"),
    "cifs": ("nobrl",),
}


def lock_fault(folder: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Reason why two machines that share `folder` could compute the same run; None if there is none."""
    kind, options = _mount(folder.resolve(), mounts)
    for option in LOCAL_LOCKS.get(kind, ()):
        if option in options:
            return f"its file system ({kind}, mounted with {option}) does not share locks between machines"
    return _local_fault(folder)


def _mount(folder: Path, mounts: Path) -> tuple[str, list[str]]:
    """Type and options of the mount that contains a folder; "" if the system does not say."""
    best: tuple[int, str, list[str]] = (-1, "", [])
    for line in mounts.read_text().splitlines() if mounts.is_file() else ():
        _, point, kind, options, *_ = line.split()
        point = point.replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= best[0]:  # a later mount hides an earlier one
            best = (len(point), kind, options.split(","))
    return best[1:]


def _local_fault(folder: Path) -> str | None:
    """Why flock, the lock of a run, fails on this machine, or None. Two open files of one process are two holders."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".lock-test.")
    other = os.open(name, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError as error:
        return f"its file system does not support locks ({error.strerror})"
    finally:
        os.close(other)
        os.close(handle)
        Path(name).unlink()
    return "its file system grants one lock twice"
