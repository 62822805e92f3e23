"""Provenance of a run, which others need to compute it again, and its peak memory."""

import contextlib
import os
import platform
import resource
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from neurobench.config.secrets import scrubbed
from neurobench.version import __version__

PACKAGES = (
    "torch", "torchvision", "numpy", "numba", "scipy", "scikit-learn", "dimod", "hydra-core", "omegaconf", "tonic",
    "matplotlib",
)  # fmt: skip


def provenance(device: str, threads: int) -> dict[str, Any]:
    """Versions, commit, host, device and threads of this process."""
    return {
        "neurobench": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "device": device,
        "threads": threads,
        "pid": os.getpid(),
        "command": command(),
    }


def command() -> str:
    """Command line of this process, quoted for a shell, without credentials."""
    return scrubbed(os.environ.get("NEUROBENCH_COMMAND") or shlex.join(sys.argv))


def cores() -> int:
    """Number of cores that this process may use: those that it may run on, limited by its container's CPU quota."""
    present = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # the file is absent, or says "max"
        quota, period = (int(word) for word in Path("/sys/fs/cgroup/cpu.max").read_text().split())
        return max(1, min(present, round(quota / period)))
    return present


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout that contains this package, with '+changes' if files differ; None outside one."""
    folder = Path(__file__).parent
    try:
        if not _git(folder, "ls-files", "--error-unmatch", Path(__file__).name):
            return None
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
        return _git(folder, "rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def forget_peak() -> None:
    """Reset the peak memory, in a process that has computed other runs. Without Linux it stays that of the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> int:
    """Peak resident memory in MB since `forget_peak`."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
