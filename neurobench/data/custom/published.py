"""Published data sets under their names in torchvision or tonic, read by that library from its own files. Nothing is
downloaded unless `dataset.download=true` requests it."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np

from neurobench.data.custom.formats import Raw
from neurobench.data.custom.locate import existing
from neurobench.data.custom.recordings import View, checked, joined, require_sensor
from neurobench.data.custom.specs import Header, Tonic, Torchvision
from neurobench.data.custom.splits import Content, Samples, scaled, splits
from neurobench.data.dataset import DataError, Splits
from neurobench.data.events import are_emulated

_DIGITS = tuple(string.digits)
_MERGED = (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt")  # EMNIST: letters whose two cases look alike are one
EMNIST = {
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": (*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase),
    "digits": _DIGITS,
    "mnist": _DIGITS,
    "letters": tuple(string.ascii_lowercase),
}
RECORDED = {"NMNIST": 10, "DVSGesture": 11, "SHD": 20, "SSC": 35, "POKERDVS": 4}  # number of classes
SENSORS = {"NMNIST": (34, 34), "DVSGesture": (128, 128), "SHD": (1, 700), "SSC": (1, 700), "POKERDVS": (35, 35)}


def images_header(spec: Torchvision) -> Header:
    """Header of a torchvision data set. Raises DataError if the root does not exist."""
    _require_root(spec)
    classes = EMNIST[spec.split] if spec.set == "EMNIST" else tuple(map(str, range(10)))
    return Header("image", (1, 28, 28), classes)


def load_images(spec: Torchvision, seed: int) -> Splits:
    """Read a torchvision data set into splits. Raises DataError."""
    from torchvision import datasets

    base: Any = getattr(datasets, spec.set)
    # Never read a pickle of an old version, which torchvision would prefer to the files.
    reader = type(spec.set, (base,), {"_check_legacy_exist": lambda self: False})
    extra = {"split": spec.split} if spec.set == "EMNIST" else {}
    samples = {}
    for train in (True, False):
        try:
            stored = reader(str(spec.root), train=train, download=spec.download, **extra)
        except Exception as error:  # a library's reader may raise anything on a damaged file
            raise _unreadable(spec, error) from error
        y = stored.targets.long().numpy()
        y = y[:, 0] if y.ndim == 2 else y  # QMNIST's first column is the digit
        if len(y) != len(stored.data):
            part = "training" if train else "test"
            raise DataError(f"{spec.root}: {spec.set} has {len(stored.data)} {part} images and {len(y)} labels")
        first = 1 if spec.set == "EMNIST" and spec.split == "letters" else 0
        samples[train] = Samples(stored.data.numpy()[:, None], y - first)
    files = _files(Path(str(spec.root)) / spec.set)
    return splits(spec, Content(samples[True], samples[False], spec.header.classes, files, scaled), seed)


def recordings_header(spec: Tonic) -> Header:
    """Header of a tonic data set. Raises DataError if the root does not exist, or the set is unknown or
    its sensor too large."""
    _require_root(spec)
    if spec.set not in RECORDED:
        raise DataError(f"tonic's {spec.set} is not known here; dataset.set is one of {', '.join(RECORDED)}")
    view = _view(spec)
    require_sensor(view, str(spec.root))
    return Header("events", view.shape, tuple(map(str, range(RECORDED[spec.set]))))


def load_recordings(spec: Tonic, seed: int) -> Splits:
    """Read a tonic data set into splits. Raises DataError."""
    from tonic import datasets

    base: Any = getattr(datasets, spec.set)
    # tonic would download if its archive were missing, whatever has been unpacked.
    reader = type(spec.set, (base,), {} if spec.download else {"_check_exists": lambda self: True})
    view = _view(spec)
    samples = {}
    for part in ("train", "test"):
        try:
            stored = reader(str(spec.root), **({"split": part} if spec.set == "SSC" else {"train": part == "train"}))
            read = [stored[k] for k in _order(stored)]
        except Exception as error:  # a library's reader may raise anything on a damaged file
            raise _unreadable(spec, error) from error
        if not read:
            raise DataError(f"{spec.root}: {spec.set} has no recordings there.{_remedy(spec)}")
        name = f"{spec.root}: {spec.set}"
        named = ((f"{name}, {part} recording {k}", _raw(each)) for k, (each, _) in enumerate(read))
        checks = ((each, checked(raw, each)) for each, raw in named)
        events = joined(checks, view, name if part == "train" else None)
        samples[part] = Samples(events, np.array([int(label) for _, label in read], np.int64))
    folder = Path(str(spec.root)) / spec.set
    content = Content(samples["train"], samples["test"], spec.header.classes, _files(folder))
    return splits(spec, content._replace(emulated=are_emulated(folder)), seed)


def _order(stored: Any) -> list[int]:
    """Order of the samples: by path, or by class for POKERDVS, which has read its files already. tonic leaves the order
    of files or folders, and so the numbering of samples, to the file system."""
    if not stored.data:  # SHD and SSC: one file contains all samples
        return list(range(len(stored)))
    keys = stored.data if isinstance(stored.data[0], str) else stored.targets
    return sorted(range(len(stored)), key=keys.__getitem__)


def _raw(events: np.ndarray) -> Raw:
    x = events["x"].astype(np.int64)
    y = events["y"].astype(np.int64) if "y" in (events.dtype.names or ()) else np.zeros_like(x)
    return Raw(events["t"], x, y, (events["p"] > 0).astype(np.uint8))


def _view(spec: Tonic) -> View:
    return View(SENSORS[spec.set], spec.pool, spec.polarity == "merged", 1 / spec.faster, True, spec.window)


def _require_root(spec: Torchvision | Tonic) -> None:
    if not spec.download:
        existing(spec.root, spec.expected, folder=True)


def _remedy(spec: Torchvision | Tonic) -> str:
    return "" if spec.download else " Nothing is downloaded without dataset.download=true."


def _unreadable(spec: Torchvision | Tonic, error: Exception) -> DataError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    place = f" Its unpacked files are expected in {spec.root}/{spec.set}/raw."
    where = place if isinstance(spec, Torchvision) else ""
    return DataError(f"{spec.root}: {spec.set} cannot be read ({reason}).{where}{_remedy(spec)}")


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.rglob("*") if file.is_file()))
