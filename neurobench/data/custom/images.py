"""Custom data: a folder of images for each class, read by Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from neurobench.data.custom.locate import Labelled, class_folders
from neurobench.data.custom.specs import Header, ImageFolder
from neurobench.data.custom.splits import Content, Samples, scaled, splits
from neurobench.data.dataset import DataError, Splits

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits, whose conversion to grey clips instead of scaling


def header(spec: ImageFolder) -> Header:
    """Header of the images; the first one decides the size if the configuration does not. Raises DataError."""
    folders = class_folders(spec.root, spec.expected, SUFFIXES)
    rows, columns = spec.size or _opened(folders.files[0])[0].size[::-1]
    return Header("image", (3 if spec.colour else 1, rows, columns), folders.classes, len(folders.files))


def load(spec: ImageFolder, seed: int) -> Splits:
    """Read the images into splits. Raises DataError with the name of an image that cannot be read."""
    folders = class_folders(spec.root, spec.expected, SUFFIXES)

    def samples(part: Labelled) -> Samples:
        return Samples(_read(spec, part.files), np.array(part.labels, np.int64))

    validation, test = (samples(part) if part else None for part in (folders.validation, folders.test))
    content = Content(samples(folders.train), test, folders.classes, folders.files, scaled, validation)
    return splits(spec, content._replace(folders=folders.folders), seed)


def _read(spec: ImageFolder, files: Sequence[Path]) -> np.ndarray:
    """Read images as (N, C, rows, columns) uint8."""
    channels, rows, columns = spec.shape
    images = np.empty((len(files), channels, rows, columns), np.uint8)
    resized = transparent = animated = 0
    for k, file in enumerate(files):
        picture, frames = _opened(file)
        transparent += _is_transparent(picture)
        animated += frames > 1
        picture = picture.convert("RGB" if spec.colour else "L")
        if picture.size != (columns, rows):
            resized += 1
            picture = picture.resize((columns, rows), Image.Resampling.BILINEAR)
        images[k] = np.asarray(picture).reshape(rows, columns, channels).transpose(2, 0, 1)
    for n, words in (
        (resized, f"are resized to {rows} x {columns}"),
        (transparent, "have transparent pixels, whose hidden colours are used; save them on a background"),
        (animated, "have several frames or pages, of which the first is used"),
    ):
        if n:
            warnings.warn(f"{spec.root}: {n} of {len(files)} images {words}", stacklevel=3)
    return images


def _is_transparent(picture: Image.Image) -> bool:
    """Whether a pixel is transparent; its colour has then never been seen."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return False
    return bool(np.asarray(picture.convert("RGBA"))[..., 3].min() < 255)


def _opened(file: Path) -> tuple[Image.Image, int]:
    """Image read to its end, so that a truncated file is refused here, upright; and its number of frames."""
    try:
        with Image.open(file) as picture:
            frames = getattr(picture, "n_frames", 1)
            picture.load()
            if picture.mode.startswith(DEEP):
                raise DataError(f"{file}: has more than 8 bits per pixel (mode {picture.mode}); save it with 8")
            upright = ImageOps.exif_transpose(picture)
            return upright.convert("RGB") if upright.mode == "LAB" else upright, frames  # LAB becomes no other mode
    except DataError:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise DataError(f"{file}: is not a readable image ({error}). Replace or remove it.") from error
