"""MNIST: 70,000 images of handwritten digits, 28 x 28 pixels, read from files that are checked before each use.

LeCun, Cortes, Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neurobench.data import files
from neurobench.data.dataset import DataError, Split, Splits, hold_out
from neurobench.data.files import MNIST_GZ, MNIST_RAW, Declared, checked, checked_bytes
from neurobench.data.specs import MNIST
from neurobench.figures.drawing import Drawing
from neurobench.phases import phase
from neurobench.storage.atomic import write_bytes

SIDE = 28  # pixels
SHOWN = 6  # training images shown, as in the QuTrunk tutorial


def load(spec: MNIST, seed: int) -> Splits:
    """Check the files, read them, hold out `validation` training images drawn with `seed`. Raises DataError."""
    with checked_root(spec.root) as root:
        images, labels = read(root, train=True)
        test_images, test_labels = read(root, train=False)
    digits = torch.tensor(spec.digits)
    chosen, tested = (torch.isin(each, digits).nonzero().squeeze(1) for each in (labels, test_labels))  # ascending
    if spec.train_per_class is None:
        trained, held = (chosen[part] for part in hold_out(len(chosen), spec.validation, seed))
    else:
        trained, others = _first(chosen, labels, spec.train_per_class)
        held = others[hold_out(len(others), spec.validation, seed)[1]] if spec.validation else others[:0]
    validation = _split(images, labels, held, spec.digits)
    if spec.test_as_validation:
        per_class = spec.train_per_class if spec.test_slice_bug else spec.test_per_class
        first, _ = _first(tested, test_labels, per_class or spec.test_per_class)
        validation = _split(test_images, test_labels, first, spec.digits)
    train, classes = _split(images, labels, trained, spec.digits), tuple(map(str, spec.digits))
    shown = f"the {len(tested)} official test images of digits {', '.join(map(str, spec.digits))}"
    return Splits(
        train=train,
        validation=validation,
        test=_split(test_images, test_labels, tested, spec.digits),
        source="bundled" if spec.root is None else spec.root,
        sha256=files.combined(raw.sha256 for raw in MNIST_RAW),
        validation_is_tested=spec.test_as_validation,
        evaluated_on="the official test set" if sorted(spec.digits) == list(range(10)) else shown,
        classes=classes,
        drawings=partial(_drawings, train, classes, seed),
    )


def _drawings(train: Split, classes: Sequence[str], seed: int) -> dict[str, Drawing]:
    """Figure of some training images, drawn with `seed`, captioned with their labels."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    chosen = torch.randperm(len(train), generator=generator)[:SHOWN]
    x, y = train.batch(chosen)
    assert isinstance(x, Tensor)
    captions = [f"labelled {classes[label]}" for label in y.tolist()]
    pictures = (list(x[:, 0].numpy()), captions, [False] * len(chosen), SHOWN)
    return {"training_samples": Drawing("neurobench.figures.gallery.gallery", pictures)}


def read(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Images (N, 28, 28) uint8 and digits (N,) int64 of one official set under a checked root.

    The files have the idx format: a header of 16 bytes for images (magic number, N, rows, columns) and of 8 for
    labels (magic number, N), then one byte per pixel or label. Torchvision, which can read them too, takes two seconds
    to import.
    """
    images, labels = MNIST_RAW[:2] if train else MNIST_RAW[2:]
    pixels = np.fromfile(root / images.name, np.uint8, offset=16).reshape(-1, SIDE, SIDE)
    return torch.from_numpy(pixels), torch.from_numpy(np.fromfile(root / labels.name, np.uint8, offset=8)).long()


def _first(ids: Tensor, labels: Tensor, per_class: int) -> tuple[Tensor, Tensor]:
    """Ids of the first `per_class` images of each digit among ascending ids, and the others; both ascending."""
    rank = torch.zeros(len(ids), dtype=torch.int64)
    for digit in labels[ids].unique():
        same = labels[ids] == digit
        rank[same] = torch.arange(int(same.sum()))
    return ids[rank < per_class], ids[rank >= per_class]


def _split(images: Tensor, labels: Tensor, ids: Tensor, digits: Sequence[int]) -> Split:
    """Split of the samples at ids: images (N, 28, 28) uint8 scaled to [0, 1], digits (N,) as class numbers."""
    number = torch.full((10,), -1)
    number[list(digits)] = torch.arange(len(digits))
    x = torch.empty(len(ids), 1, SIDE, SIDE)
    np.divide(images[ids].numpy()[:, None], np.float32(255), out=x.numpy())
    return Split(x, number[labels[ids]], ids)


@contextmanager
def checked_root(root: str | None) -> Iterator[Path]:
    """Context manager: a root whose four files, unpacked under ROOT/MNIST/raw, have just been checked bit for bit.

    The user's root if its files are unpacked; otherwise the cache folder, into which the root's .gz files (with None:
    the package's) are unpacked. Raises DataError.
    """
    if root is None:
        content = [partial(_bundled, gz, raw) for gz, raw in zip(MNIST_GZ, MNIST_RAW, strict=True)]
    else:
        folder = Path(root).expanduser()
        remedy = (
            f"Run `neurobench data fetch mnist {root}`, or leave out dataset.root to read the bundled files. "
            "Other images in files of this kind, such as Fashion-MNIST's: dataset=torchvision dataset.set=MNIST"
        )
        if all((folder / raw.name).is_file() for raw in MNIST_RAW):
            for raw in MNIST_RAW:
                checked_bytes(folder / raw.name, raw, remedy)
            yield folder
            return
        content = [partial(_of_root, folder / raw.name, raw, remedy) for raw in MNIST_RAW]
    # All are read before one is written, even if the cache contains a copy: it must not hide a fault of these files.
    unpack = [read_checked() for read_checked in content]
    with _writable_cache() as cache:
        for unpacked, raw in zip(unpack, MNIST_RAW, strict=True):
            _write(unpacked, cache / raw.name, raw)
        yield cache


def _bundled(gz: Declared, raw: Declared) -> Callable[[], bytes]:
    path = files.BUNDLED / gz.name
    packed = checked_bytes(path, gz, files.REINSTALL)
    return lambda: checked(_decompressed(packed, path, raw, files.REINSTALL), str(path), raw, files.REINSTALL)


def _of_root(path: Path, raw: Declared, remedy: str) -> Callable[[], bytes]:
    """Read a file of a user's root, unpacked or as .gz of any packer: its unpacked content is checked."""
    if path.is_file():
        content = checked_bytes(path, raw, remedy)
        return lambda: content
    packed = path.with_name(path.name + ".gz")
    if not packed.is_file():
        raise DataError(f"{path}: is missing, and so is {packed.name}. {remedy}")
    try:
        compressed = packed.read_bytes()
    except OSError as error:
        raise DataError(f"{packed}: cannot be read ({error.strerror}). {remedy}") from error
    unpacked = checked(_decompressed(compressed, packed, raw, remedy), str(packed), raw, remedy)
    return lambda: unpacked


def _decompressed(packed: bytes, path: Path, raw: Declared, remedy: str) -> bytes:
    """Decompress at most one byte more than declared: an archive may unpack to any size."""
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            return file.read(raw.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}). {remedy}") from error


def _write(unpacked: Callable[[], bytes], target: Path, raw: Declared) -> None:
    """Make sure that `target` contains the declared bytes; an altered or truncated copy is replaced in any case."""
    remedy = "Make room, or set NEUROBENCH_DATA to another folder."
    with contextlib.suppress(DataError):
        checked_bytes(target, raw, remedy)
        return
    with phase("unpacking MNIST, once"):
        content = unpacked()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror}). {remedy}") from error
    checked_bytes(target, raw, remedy)


@contextmanager
def _writable_cache() -> Iterator[Path]:
    """Context manager: the cache folder, or a temporary one if the default is not writable (a read-only container). A
    folder named by NEUROBENCH_DATA may be read-only once it contains the files, which are checked."""
    folder, configured = files.cache_folder(), os.environ.get("NEUROBENCH_DATA")
    raw = (folder / MNIST_RAW[0].name).parent
    try:
        raw.mkdir(parents=True, exist_ok=True)
        writable = os.access(raw, os.W_OK)
    except OSError:
        writable = False
    if writable or (configured and all((folder / each.name).is_file() for each in MNIST_RAW)):
        yield folder
    elif configured:
        raise DataError(f"{folder}: cannot be written. Set NEUROBENCH_DATA to a writable folder, or unset it.")
    else:
        with tempfile.TemporaryDirectory(prefix="neurobench-") as temporary:
            yield Path(temporary)
