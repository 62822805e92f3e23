"""The four MNIST files as torchvision wants them: unpacked, under ROOT/MNIST/raw, and checked before each use."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurobench.data.dataset import DataError
from neurobench.data.files import BUNDLED, MNIST_GZ, MNIST_RAW, REINSTALL, Declared, cache_folder, checked_bytes


@contextmanager
def checked_root(root: str | None) -> Iterator[Path]:
    """A root for torchvision whose four files have just been checked, bit for bit.

    The user's root where its files are unpacked; otherwise the cache folder, unpacked into from the root's
    (or, with None, the package's own) .gz files. Raises DataError.
    """
    if root is None:
        packed = [BUNDLED / gz.name for gz in MNIST_GZ]
        way_out = REINSTALL
    else:
        folder = Path(root).expanduser()
        way_out = f"Run `neurobench data fetch mnist {root}`, or leave out dataset.root to read the bundled files."
        unpacked = [folder / raw.name for raw in MNIST_RAW]
        if all(path.is_file() for path in unpacked):
            for path, raw in zip(unpacked, MNIST_RAW, strict=True):
                checked_bytes(path, raw, way_out)
            yield folder
            return
        packed = [path.with_name(path.name + ".gz") for path in unpacked]
    for path, gz in zip(packed, MNIST_GZ, strict=True):
        checked_bytes(path, gz, way_out)  # even where an unpacked copy stands: it must not hide what is wrong here
    with _writable_cache() as cache:
        for path, gz, raw in zip(packed, MNIST_GZ, MNIST_RAW, strict=True):
            unpack(path, gz, cache / raw.name, raw, way_out)
        yield cache


def unpack(packed: Path, gz: Declared, target: Path, raw: Declared, way_out: str) -> None:
    """Make sure that `target` holds what `raw` declares; where it does not, make it anew from `packed`."""
    if target.exists():
        try:
            checked_bytes(target, raw, way_out)
            return
        except DataError:
            pass  # an altered or cut copy is replaced, whatever happened to it
    content = gzip.decompress(checked_bytes(packed, gz, way_out))
    try:
        write_atomically(target, content)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written ({error.strerror}). Make room, or set NEUROBENCH_DATA to another folder."
        ) from error
    checked_bytes(target, raw, way_out)


def write_atomically(target: Path, content: bytes) -> None:
    """Other processes see the old file or the whole new one: written beside it, flushed, then renamed over it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _writable_cache() -> Iterator[Path]:
    """The cache folder; a temporary one where the default cannot be written, as in a read-only container."""
    folder = cache_folder()
    try:
        (folder / MNIST_RAW[0].name).parent.mkdir(parents=True, exist_ok=True)
        writable = os.access((folder / MNIST_RAW[0].name).parent, os.W_OK)
    except OSError:
        writable = False
    if writable:
        yield folder
    elif "NEUROBENCH_DATA" in os.environ:
        raise DataError(f"{folder}: cannot be written. Set NEUROBENCH_DATA to a folder that can, or unset it.")
    else:
        with tempfile.TemporaryDirectory(prefix="neurobench-") as temporary:
            yield Path(temporary)
