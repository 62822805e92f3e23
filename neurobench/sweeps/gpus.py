"""One run per GPU: which GPUs a sweep may use, and which of them a worker takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

VISIBLE = "CUDA_VISIBLE_DEVICES"
_taken: list[FileLock] = []  # held for the lifetime of this process


def visible_gpus(dev: Path = Path("/dev")) -> tuple[str, ...]:
    """GPUs listed in CUDA_VISIBLE_DEVICES, as written in it (numbers or UUIDs), else all of this machine.

    CUDA ends the list at the first entry that is not a GPU, such as -1.
    """
    if VISIBLE in os.environ:
        words = [word.strip() for word in os.environ[VISIBLE].split(",")]
        invalid = [number for number, word in enumerate(words) if not word or word.startswith("-")]
        return tuple(words[: invalid[0]] if invalid else words)
    numbers = [path.name.removeprefix("nvidia") for path in dev.glob("nvidia[0-9]*")]
    return tuple(sorted(numbers, key=int))


def has_gpu() -> bool:
    """Whether this process has taken a GPU."""
    return bool(_taken)


def take_gpu(parent: int, gpus: Sequence[str]) -> str | None:
    """Take the first GPU that no other worker of the process `parent` has taken; None if all are taken. Must be
    called before torch is loaded."""
    for number, gpu in enumerate(gpus):
        lock = FileLock(Path(tempfile.gettempdir()) / f"neurobench-{parent}-gpu-{number}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        _taken.append(lock)
        os.environ[VISIBLE] = gpu
        return gpu
    return None
