"""The most memory that a run took, also in a process that has run others before."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Begin anew. Where the system cannot (only Linux can), the peak is that of the process so far."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def peak_mb() -> int:
    """Resident memory in MB, its highest since `forget_peak`."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024)
    except OSError:
        pass
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
