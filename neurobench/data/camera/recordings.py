"""Emulated N-MNIST at full size: the camera looking at MNIST. Always labelled as emulated, not as the recorded set."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neurobench.data.camera.emulation import BLOCK, emulate, fastest, stored
from neurobench.data.camera.likeness import drawings
from neurobench.data.camera.parameters import SENSOR, as_json, read
from neurobench.data.dataset import DataError, Split, Splits, hold_out
from neurobench.data.events import EMULATED_NOTE, Events, StoredEvents, concatenate
from neurobench.data.files import combined
from neurobench.data.mnist import checked_root
from neurobench.data.mnist import read as read_mnist
from neurobench.data.nmnist import Recording, encode
from neurobench.data.specs import NMNIST, NMNISTEmulated
from neurobench.phases import tracked

N_TRAIN, N_TEST = 60_000, 10_000  # images of MNIST


def load(spec: NMNISTEmulated, seed: int) -> Splits:
    """Emulate the recordings or read them from the cache; `seed` draws those held out. Raises DataError."""
    n_train = None if spec.train is None else spec.leave_out + spec.train
    (train, labels, train_sha256), (test, test_labels, test_sha256) = _recordings(spec, n_train)
    trained, held = hold_out(len(train) - spec.leave_out, spec.validation, seed)
    first = "" if len(test) == N_TEST else f"the first {len(test)} of "

    def split(events: StoredEvents, labels: Tensor, chosen: np.ndarray) -> Split:
        ids = torch.from_numpy(chosen)
        return Split(events.only(chosen), labels[ids], ids)

    return Splits(
        train=split(train, labels, trained + spec.leave_out),
        validation=split(train, labels, held + spec.leave_out),
        test=split(test, test_labels, np.arange(len(test))),
        source="emulated from the bundled MNIST",
        sha256=combined([train_sha256, test_sha256]),
        evaluated_on=f"emulated recordings of {first}the official MNIST test images",
        emulated=True,
        others={"recorded": recorded()} if spec.recorded else {},
        drawings=partial(drawings, spec.camera) if spec.recorded else None,
    )


def _recordings(spec: NMNISTEmulated, n_train: int | None) -> Iterator[tuple[StoredEvents, Tensor, str]]:
    """Yield events, digits and sha256 of the training images, including those left out, and of the test images."""
    camera = read(spec.camera)
    with checked_root(None) as root:
        for train, n in ((True, n_train), (False, spec.test)):
            images, labels = (part[:n] for part in read_mnist(root, train))
            # A training and a test image of the same number get different noise.
            ids = range(len(images)) if train else range(N_TRAIN, N_TRAIN + len(images))
            events, sha256 = stored(camera, spec.camera_seed, images.numpy(), ids)
            yield events, labels, sha256


def recorded() -> Split:
    """All 1100 real recordings: those of training images have ids 0 to 999, those of test images 60,000 to 60,099."""
    splits = NMNIST(validation=0).load(0)
    train, test = splits.train, splits.test
    assert isinstance(train.x, Events)
    assert isinstance(test.x, Events)
    ids = torch.cat([train.ids, test.ids + N_TRAIN])
    return Split(concatenate([train.x, test.x]), torch.cat([train.y, test.y]), ids)


def write(root: str, n_train: int, n_test: int, camera_seed: int) -> tuple[Path, int]:
    """Write ROOT/NMNIST/(Train|Test)/DIGIT/NUMBER.bin of the first images. Returns the folder and the number of files.

    The recordings are those of `dataset=nmnist_emulated`, in the official set's file format for use elsewhere, with a
    note that says what they are. Raises DataError if the folder is not empty or cannot be written.
    """
    folder = Path(root).expanduser() / "NMNIST"
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty. Emulated recordings are never mixed with others; give a new folder.")
    camera = read(None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        note = f"Not recorded: emulated from MNIST by neurobench, camera seed {camera_seed}, with this camera:\n"
        (folder / EMULATED_NOTE).write_text(note + as_json(camera))
        with checked_root(None) as mnist:
            for split, n, offset in (("Train", n_train, 0), ("Test", n_test, N_TRAIN)):
                images, labels = (part.numpy() for part in read_mnist(mnist, split == "Train"))
                for first in tracked(f"emulating {n:,} recordings", range(0, n, BLOCK)):
                    block = np.arange(first, min(first + BLOCK, n))
                    ids = (block + offset).tolist()
                    codes, counts = emulate(camera, camera_seed, images[block], ids, device=fastest())
                    _write_block(folder / split, codes, counts, block, labels[block])
    except OSError as error:
        fault = f"{folder}: cannot be written ({error.strerror}). Make room, or give another folder."
        raise DataError(fault) from error
    return folder, n_train + n_test


def _write_block(folder: Path, codes: np.ndarray, counts: np.ndarray, ids: np.ndarray, labels: np.ndarray) -> None:
    events = StoredEvents.contiguous(codes, counts, SENSOR)[:]
    fields = [getattr(events, key).numpy() for key in ("t", "x", "y", "p")]
    for number, digit, end, count in zip(ids + 1, labels, counts.cumsum(), counts, strict=True):
        path = folder / str(digit) / f"{number:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(Recording(*(field[end - count : end] for field in fields))))
