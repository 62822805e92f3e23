"""Emulated recordings on disk: made once for each camera and set of images, mapped into memory afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import torch

from neurobench.data.camera.parameters import SENSOR, STEP, Camera, identity, prepare
from neurobench.data.dataset import DataError
from neurobench.data.events import StoredEvents
from neurobench.data.files import cache_folder
from neurobench.kernels import camera as kernel
from neurobench.kernels.adaptive_threads import kernel_threads
from neurobench.kernels.random import derive, key_of
from neurobench.phases import tracked
from neurobench.storage.provenance import cores

BLOCK = 500  # images emulated at a time: bounds memory, changes no event
ROOM = 14_000  # initial room for a recording's events; real ones have up to 7152


class Stored(NamedTuple):
    """Emulated recordings of some images."""

    events: StoredEvents
    sha256: str  # of their codes


def emulate(
    camera: Camera,
    seed: int,
    images: np.ndarray,
    ids: Sequence[int],
    late: np.ndarray | None = None,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Emulate images (B, 28, 28) uint8: event codes (all,) uint32, image after image, and counts by image (B,) int64.

    Image k's random numbers depend only on `seed` and ids[k]. `late` (B, S) in us: the delay of each saccade after the
    first; drawn if None.

    device: "cpu" for the compiled kernel; another torch device ("cuda") for the Triton kernel. They agree to the
    byte except where CUDA's library and the CPU's round the last bit of a float64 logarithm or cosine differently.
    Rounding to float32 hides such a bit except in one case of 2^29: of the 290 million events of 70,000 recordings that
    is about one, after which later events of its pixel may differ.
    """
    keys = np.array([key_of(derive(seed, number)) for number in ids], np.uint32).reshape(-1, 2)
    if late is None:
        late = kernel.lateness(keys, np.array(camera.late, np.float64))
    shown = kernel.Shown(np.ascontiguousarray(images), keys, (np.asarray(late) / STEP).astype(np.float32))
    prepared, chunks, room = prepare(camera, seed), min(len(images), 4 * numba.get_num_threads()), ROOM
    while True:
        if device == "cpu":
            codes, counts = np.empty((len(images), room), np.uint32), np.zeros(len(images), np.int64)
            kernel.emulate(shown, prepared, chunks, codes, counts)
            codes = codes[np.arange(room) < counts[:, None]]
        else:
            from neurobench.kernels import camera_triton

            codes, counts = camera_triton.emulate(shown, prepared, chunks, room, device)
        if counts.max(initial=0) <= room:
            return codes, counts
        room = int(counts.max())


def fastest() -> str:
    """Fastest device: "cuda" if torch has a GPU and Triton and the C compiler that it calls are installed, or "cpu"."""
    compiler = os.environ.get("CC") or shutil.which("clang") or shutil.which("gcc")
    return "cuda" if torch.cuda.is_available() and find_spec("triton") and compiler else "cpu"


def stored(camera: Camera, seed: int, images: np.ndarray, ids: Sequence[int]) -> Stored:
    """Recordings of the images (N, 28, 28) uint8, from the cache if they are in it. Raises DataError.

    Those of a CPU and of a GPU share a folder, as they are the same (but see `emulate`); `made.json` names the device.
    """
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
    remedy = "Remove it; it will be made again."
    try:
        length = np.load(folder / "length.npy")
        codes = np.memmap(folder / "codes.u32", np.uint32, "r")
        sha256 = json.loads((folder / "made.json").read_text())["sha256"]
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:  # after a power failure a file may be cut
        raise DataError(f"{folder}: is damaged ({error}). {remedy}") from error
    if len(codes) != length.sum() or len(length) != len(images):
        raise DataError(f"{folder}: contains {len(codes)} events, expected {length.sum()}. {remedy}")
    return Stored(StoredEvents.contiguous(codes, length, SENSOR), sha256)


def _make(folder: Path, camera: Camera, seed: int, images: np.ndarray, ids: Sequence[int]) -> None:
    """Emulate on a GPU if there is one, and on all cores, into a temporary folder that is renamed when complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    device, threads = fastest(), min(numba.config.NUMBA_NUM_THREADS, cores())
    try:
        sha, lengths = hashlib.sha256(), []
        with (staging / "codes.u32").open("wb") as file:
            for first in tracked(f"emulating {len(images):,} recordings, once", range(0, len(images), BLOCK)):
                block = slice(first, first + BLOCK)
                with kernel_threads(threads):
                    codes, counts = emulate(camera, seed, images[block], ids[block], device=device)
                sha.update(codes.data)
                file.write(codes.data)  # not `tofile`, whose errors have no reason
                lengths.append(counts)
        np.save(staging / "length.npy", np.concatenate(lengths))
        record = {"sha256": sha.hexdigest(), "device": device, **identity(camera, seed)}
        (staging / "made.json").write_text(json.dumps(record))
        try:
            staging.rename(folder)
        except OSError:
            if not folder.exists():  # another process has made it meanwhile
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
