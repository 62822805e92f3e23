"""Custom data in a .npz file of NumPy."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from neurobench.data.custom.locate import VALIDATION, existing, require_read, version
from neurobench.data.custom.specs import NPZ, Header
from neurobench.data.custom.splits import Content, Samples, encode_labels, scaled, splits, unscaled
from neurobench.data.dataset import DataError, Splits

CHANNELS = (1, 2, 3, 4)  # numbers of channels by which an image's last axis is recognised
MISSING = ("", "nan", "NaN", "None", "<NA>", "NaT")  # how NumPy and pandas write a missing label as a string
FAINT = 64  # 8-bit numbers below it use less than a quarter of their range: hardly grey levels


def header(spec: NPZ) -> Header:
    """Header computed from the headers of the arrays and all labels. Raises DataError."""
    path, parts = _parts(spec)
    headers = {part: _header(path, f"x{part}") for part in parts}
    shapes = {name: headers[part][0] for part, name in parts.items()}
    if spec.scaling == "auto" and len({dtype == np.uint8 for _, dtype in headers.values()}) > 1:
        types = ", ".join(f"x{part} is of type {dtype}" for part, (_, dtype) in headers.items())
        raise DataError(f"{path}: {types}; 8-bit numbers and others are scaled differently. Store all in one type")
    sample = {shape[1:] for shape in shapes.values()}
    if len(sample) > 1:
        shapes_text = ", ".join(f"x{part} {shapes[name]}" for part, name in parts.items())
        raise DataError(f"{path}: samples of its sets have different shapes: {shapes_text}")
    classes, labels = _labels(spec)
    for part, name in parts.items():
        if len(labels[name]) != shapes[name][0]:
            raise DataError(f"{path}: x{part} has {shapes[name][0]} samples, its labels are {len(labels[name])}")
    shape = sample.pop()
    n = sum(each[0] for each in shapes.values())
    if len(shape) == 1:
        return Header("vector", shape, classes, n)
    if len(shape) == 2:
        shape = (1, *shape)
    elif has_channels_last(shape):
        shape = (shape[2], *shape[:2])
    return Header("image", shape, classes, n)


def load(spec: NPZ, seed: int) -> Splits:
    """Read the arrays into splits. Raises DataError."""
    path, parts = _parts(spec)
    _, labels = _labels(spec)
    samples = {name: Samples(_values(path, f"x{part}"), labels[name]) for part, name in parts.items()}
    scale = scaled if spec.scaling == "auto" else unscaled
    most = samples["train"].x.max()
    if scale is scaled and samples["train"].x.dtype == np.uint8 and most < FAINT:
        text = (
            f"{path}: its 8-bit numbers are at most {most} and are divided by 255. Numbers of another type are scaled"
        )
        warnings.warn(f"{text} by their extremes: x.astype(float)", stacklevel=2)
    classes, validation = spec.header.classes, samples.get("validation")
    content = Content(samples["train"], samples.get("test"), classes, (path,), scale, validation)
    return splits(spec, content, seed)


def _parts(spec: NPZ) -> tuple[Path, dict[str, str]]:
    """Path of the file, and suffix of its arrays' names -> split: "_train" -> "train", "_test" -> "test", "_val" ->
    "validation" if there is one; or "" -> "train"."""
    path = existing(spec.root, spec.expected)
    names = _names(path)

    def arrays(ends: Iterable[str]) -> list[str]:
        return [f"{name}{end}" for end in ends for name in ("x", spec.label)]

    wanted = [arrays(("_train", "_test")), arrays([""])]
    for each, parts in zip(wanted, ({"_train": "train", "_test": "test"}, {"": "train"}), strict=True):
        if set(each) <= names:
            ends = [f"_{name}" for name in VALIDATION] if "_test" in parts else []
            held_out = [end for end in ends if set(arrays([end])) & names][:1]
            parts |= dict.fromkeys(held_out, "validation")
            if absent := set(arrays(held_out)) - names:
                raise DataError(f"{path}: contains a validation set without {absent.pop()}; add it, or remove the set")
            require_read(path, sorted(names), arrays(parts), arrays(ends))
            return path, parts
    listed = ", ".join(sorted(names)[:12]) or "nothing"
    alternatives = " or ".join(", ".join(each) for each in wanted)
    raise DataError(f"{path}: contains {listed}; expected {alternatives} (dataset.label=NAME sets the name of y)")


def _names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except Exception as error:  # zipfile and NumPy raise many kinds on a damaged file
        raise DataError(f"{path}: is not a readable .npz file ({error})") from error


def _header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            first = np.lib.format.read_magic(stream) == (1, 0)
            read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
    except Exception as error:
        raise DataError(f"{path}: array {name} cannot be read ({error})") from error
    if dtype.kind not in "buif":
        raise DataError(f"{path}: array {name} is of type {dtype}; samples must be numbers")
    if len(shape) not in (2, 3, 4) or 0 in shape:
        wanted = "(N, D), (N, H, W), (N, C, H, W) or (N, H, W, C)"
        raise DataError(f"{path}: array {name} has shape {shape}; expected {wanted}, none of them 0")
    return shape, dtype


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether an image of this shape is (H, W, C) rather than (C, H, W)."""
    return len(shape) == 3 and shape[2] in CHANNELS and shape[0] not in CHANNELS


def _read(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])
    except ValueError as error:
        if "Object arrays" in str(error):
            remedy = "save it as numbers or strings, such as y.astype(str)"
            raise DataError(f"{path}: array {name} contains Python objects, which are not read; {remedy}") from None
        raise DataError(f"{path}: array {name} cannot be read ({error})") from error
    except Exception as error:
        raise DataError(f"{path}: array {name} cannot be read ({error})") from error


def _values(path: Path, name: str) -> np.ndarray:
    x = _read(path, name)
    if x.dtype != np.uint8:
        x = x.astype(np.float64)
        bad = np.argwhere(~np.isfinite(x))
        if len(bad):
            place = ", ".join(map(str, bad[0]))
            raise DataError(f"{path}: {name}[{place}] is {x[tuple(bad[0])]}; fill in or leave out missing values")
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and has_channels_last(x.shape[1:]):
        warnings.warn(f"{path}: {name} has its channels last; they are moved to the front", stacklevel=2)
        return np.moveaxis(x, 3, 1)
    return x


def _labels(spec: NPZ) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    path, parts = _parts(spec)
    return _numbered(str(path), version(path), tuple(f"{spec.label}{part}" for part in parts), tuple(parts.values()))


@lru_cache(maxsize=4)
def _numbered(path: str, _version: Any, names: tuple[str, ...], parts: tuple[str, ...]) -> Any:
    read = []
    for name in names:
        y = _read(Path(path), name)
        if y.ndim != 1:
            raise DataError(f"{path}: {name} has shape {y.shape}; expected one label per sample")
        if y.dtype.kind == "f":
            if not np.isfinite(y).all() or (y != np.round(y)).any():
                raise DataError(f"{path}: {name} contains numbers that are not whole; is it the label?")
            y = np.array([int(label) for label in y.tolist()], object)  # of any size
        elif y.dtype.kind not in "biuU":
            raise DataError(f"{path}: {name} is of type {y.dtype}; labels must be whole numbers or strings")
        elif y.dtype.kind == "U" and (missing := np.flatnonzero(np.isin(y, MISSING))).size:
            raise DataError(
                f"{path}: {name}[{missing[0]}] is {str(y[missing[0]])!r}, a missing label; give it one, rename a class "
                "of that name, or remove the sample"
            )
        read.append(y.astype(np.int64) if y.dtype.kind == "b" else y)
    classes, y = encode_labels(label for part in read for label in part.tolist())
    return classes, dict(zip(parts, np.split(y, np.cumsum([len(part) for part in read])[:-1]), strict=True))
