"""Emulated recordings as the official set's files, for use elsewhere, with a note that says what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurobench.data.aer import Recording, encode
from neurobench.data.camera import SENSOR, as_json, read
from neurobench.data.camera_store import BLOCK, emulate, fastest
from neurobench.data.dataset import DataError
from neurobench.data.mnist import read as read_mnist
from neurobench.data.mnist_files import checked_root
from neurobench.data.nmnist_folder import NOTE
from neurobench.data.stored_events import StoredEvents


def write(root: str, n_train: int, n_test: int, camera_seed: int) -> tuple[Path, int]:
    """ROOT/NMNIST/(Train|Test)/DIGIT/NUMBER.bin of the first images. Returns the folder and how many there are.

    The same recordings as those of `dataset=nmnist_emulated`. Raises DataError where the folder is taken.
    """
    folder = Path(root).expanduser() / "NMNIST"
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty. Emulated recordings are never put beside others; give a new folder.")
    camera = read(None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        note = f"Not recorded: emulated from MNIST by neurobench, camera seed {camera_seed}, with this camera:\n"
        (folder / NOTE).write_text(note + as_json(camera))
        with checked_root(None) as mnist:
            for split, n, offset in (("Train", n_train, 0), ("Test", n_test, 60_000)):
                images, labels = (part.numpy() for part in read_mnist(mnist, split == "Train"))
                for first in range(0, n, BLOCK):
                    own = np.arange(first, min(first + BLOCK, n))
                    ids = (own + offset).tolist()
                    codes, counts = emulate(camera, camera_seed, images[own], ids, device=fastest())
                    _write_block(folder / split, codes, counts, own, labels[own])
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Make room, or give another folder."
        ) from error
    return folder, n_train + n_test


def _write_block(folder: Path, codes: np.ndarray, counts: np.ndarray, ids: np.ndarray, labels: np.ndarray) -> None:
    ends = counts.cumsum()
    events = StoredEvents(codes, ends - counts, counts, SENSOR)[:]
    fields = [getattr(events, key).numpy() for key in ("t", "x", "y", "p")]
    for number, digit, end, count in zip(ids + 1, labels, ends, counts, strict=True):
        path = folder / str(digit) / f"{number:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(Recording(*(field[end - count : end] for field in fields))))
