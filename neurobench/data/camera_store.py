"""Emulated recordings on disk: made once for each camera and set of pictures, mapped into memory afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurobench.data.camera import SENSOR, STEP, Camera, identity, prepare
from neurobench.data.dataset import DataError
from neurobench.data.files import cache_folder
from neurobench.data.stored_events import StoredEvents

BLOCK = 500  # pictures emulated at a time: bounds memory, changes no event
ROOM = 14_000  # events of a recording to begin with; real ones have up to 7152


class Stored(NamedTuple):
    """Emulated recordings of some pictures."""

    events: StoredEvents
    sha256: str  # of their codes


def emulate(
    camera: Camera, seed: int, images: np.ndarray, ids: Sequence[int], late: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (all,) uint32 of the pictures (B, 28, 28) uint8, one after the other, and their numbers (B,) int64.

    Picture k's random numbers depend on `seed` and ids[k] alone. `late` (B, S) in us: by how much each saccade after
    the first is late; without it that is drawn.
    """
    import numba

    from neurobench.kernels import camera as kernel
    from neurobench.kernels.random import derive, key_of

    prepared = prepare(camera, seed)
    keys = np.array([key_of(derive(seed, number)) for number in ids], np.uint32).reshape(-1, 2)
    if late is None:
        late = kernel.lateness(keys, np.array(camera.late, np.float64))
    steps = (
        (np.asarray(late) / STEP).astype(np.float32),
        (np.array(camera.rests).reshape(-1, 2) / STEP).astype(np.float32),
    )
    counts = np.zeros(len(images), np.int64)
    room = ROOM
    while True:
        codes = np.empty((len(images), room), np.uint32)
        chunks = min(len(images), 4 * numba.get_num_threads())
        kernel.emulate(np.ascontiguousarray(images), *prepared, keys, *steps, chunks, codes, counts)
        if counts.max(initial=0) <= room:
            return codes[np.arange(room) < counts[:, None]], counts
        room = int(counts.max())


def stored(camera: Camera, seed: int, images: np.ndarray, ids: Sequence[int]) -> Stored:
    """Recordings of the pictures (N, 28, 28) uint8, from the cache where they are in it. Raises DataError."""
    digest = hashlib.sha256(json.dumps(identity(camera, seed), sort_keys=True).encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(np.asarray(ids, np.int64).data)
    folder = cache_folder() / "emulated" / digest.hexdigest()[:16]
    if not (folder / "made.json").is_file():
        try:
            _make(folder, camera, seed, images, ids)
        except OSError as error:
            raise DataError(
                f"{folder}: emulated recordings cannot be written ({error.strerror}; {len(images) * 17 // 1000} MB are "
                "needed). Make room, or set NEUROBENCH_DATA to another folder."
            ) from error
    length = np.load(folder / "length.npy")
    codes = np.memmap(folder / "codes.u32", np.uint32, "r")
    if len(codes) != length.sum():
        raise DataError(f"{folder}: holds {len(codes)} events, expected {length.sum()}. Remove it; it is made anew.")
    told = json.loads((folder / "made.json").read_text())
    return Stored(StoredEvents(codes, np.cumsum(length) - length, length, SENSOR), told["sha256"])


def _make(folder: Path, camera: Camera, seed: int, images: np.ndarray, ids: Sequence[int]) -> None:
    """On all cores, into a folder aside, which gets its name when it is whole."""
    import numba

    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    threads = numba.get_num_threads()
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, _cores()))
    try:
        sha, lengths = hashlib.sha256(), []
        with (aside / "codes.u32").open("wb") as file:
            for first in range(0, len(images), BLOCK):
                own = slice(first, first + BLOCK)
                codes, counts = emulate(camera, seed, images[own], ids[own])
                sha.update(codes.data)
                codes.tofile(file)
                lengths.append(counts)
        np.save(aside / "length.npy", np.concatenate(lengths))
        (aside / "made.json").write_text(json.dumps({"sha256": sha.hexdigest(), **identity(camera, seed)}))
        if not folder.exists():
            aside.rename(folder)
    finally:
        numba.set_num_threads(threads)
        shutil.rmtree(aside, ignore_errors=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
