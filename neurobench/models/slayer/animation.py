"""The tutorial's animation: one row per recording, its input next to the output of the network.

Pixels are indices of one palette from the start: drawing frames in colour and reducing them afterwards takes twice as
long.
"""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageColor import getrgb

from neurobench.figures.style import NEGATIVE, POSITIVE, SERIES, class_name, short

FRAME = 5  # steps per frame
DURATION = 60  # ms that a frame is shown: 12 times slower than real time at 1 ms per step
_PAPER, _INK = 255, 70  # grey levels of the background and of letters
_SHADES = 16  # from background to letter, whose edges are smooth
# The palette: shades first, then what is named here (the background of recordings and of the label's row, events by
# their polarity), then the classes.
_GROUND, _TINT, _NEGATIVE, _POSITIVE, _CLASSES = range(_SHADES, _SHADES + 5)
_COLOURS = [
    *((int(level),) * 3 for level in np.linspace(_PAPER, _INK, _SHADES).round()),
    (245, 245, 245),
    (255, 236, 214),
    *(getrgb(colour)[:3] for colour in (NEGATIVE, POSITIVE, *SERIES)),
]
_PIXEL, _GAP, _HEAD, _LETTER, _WIDTH = 5, 10, 16, 7, 180  # pixels; the last two: width of a letter and of a raster


def input_and_output(
    x: np.ndarray, y: np.ndarray, labels: Sequence[int], names: Sequence[str], sampling_time: float
) -> bytes:
    """Animated GIF of inputs x (N, T, P, H, W) and outputs y (N, T, C), bool, of N recordings with their labels.

    Left: the events of the last FRAME steps, polarity 1 (or the only one) in red, 0 in blue. Right: the spikes of each
    class up to then; the row of the label is tinted. names: of the classes, if the data have any. sampling_time: ms per
    step.
    """
    n, steps, _, height, width = x.shape
    classes = [short(class_name(names, c), 12) for c in range(y.shape[2])]
    left = _GAP + width * _PIXEL + _GAP + _LETTER * max(map(len, classes))
    tall = max(height * _PIXEL, 10 * len(classes))
    row, pitch = _HEAD + tall + _GAP, tall // len(classes)  # pixels from one recording, and from one class, to the next
    canvas = _background(n, row, pitch, left, labels, classes)
    heads = [_letters(f"class {classes[label]}, ") for label in labels]
    frames = []
    for first in range(0, steps, FRAME):
        time = _letters(f"{first * sampling_time:g} ms")
        for k, head in enumerate(heads):
            shown, raster = np.split(canvas[k * row : (k + 1) * row], [left], axis=1)  # views
            shown[:_HEAD] = 0
            _paste(shown[:, _GAP:], head)
            _paste(shown[:, _GAP + head.shape[1] :], time)
            picture = _events(x[k, first : first + FRAME].max(0))
            _paste(shown[_HEAD:, _GAP:], picture.repeat(_PIXEL, 0).repeat(_PIXEL, 1))
            _add_spikes(raster[_HEAD:], y[k, first : first + FRAME], pitch, first, steps)
        frames.append(Image.fromarray(canvas.copy()))
        frames[-1].putpalette(np.ravel(_COLOURS).tolist())
    memory = io.BytesIO()
    frames[0].save(memory, "GIF", save_all=True, append_images=frames[1:], duration=DURATION, loop=0)
    return memory.getvalue()


def _background(n: int, row: int, pitch: int, left: int, labels: Sequence[int], classes: list[str]) -> np.ndarray:
    """What all frames share, (rows of pixels, columns) uint8: names of classes, and the tinted row of each label."""
    coverage = Image.new("L", (left + _WIDTH + _GAP, n * row))
    draw = ImageDraw.Draw(coverage)
    for k in range(n):
        draw.text((left, k * row + 2), "output spikes of each class", 255, _font())
        for c, name in enumerate(classes):
            draw.text((left - 3, k * row + _HEAD + c * pitch + pitch // 2), name, 255, _font(), anchor="rm")
    canvas = _shades(coverage)
    for k, label in enumerate(labels):
        top = k * row + _HEAD + label * pitch
        canvas[top : top + pitch - 1, left : left + _WIDTH + 1] = _TINT
    return canvas


def _paste(canvas: np.ndarray, picture: np.ndarray) -> None:
    """Paste a picture into the upper left corner of a canvas, as far as there is room."""
    room = canvas[: len(picture), : picture.shape[1]]
    room[:] = picture[: len(room), : room.shape[1]]


def _letters(text: str) -> np.ndarray:
    """Text in shades, (rows of pixels, columns) uint8."""
    coverage = Image.new("L", (round(_font().getlength(text)), _HEAD))
    ImageDraw.Draw(coverage).text((0, 2), text, 255, _font())
    return _shades(coverage)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The font of the other figures; Pillow's has English letters only."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 10)


def _shades(coverage: Image.Image) -> np.ndarray:
    return np.array(coverage) // (256 // _SHADES)


def _events(seen: np.ndarray) -> np.ndarray:
    """Picture of events: (P, H, W) bool -> (H, W) uint8."""
    picture = np.where(seen[0], np.uint8(_NEGATIVE), np.uint8(_GROUND))
    picture[seen[-1]] = _POSITIVE
    return picture


def _add_spikes(raster: np.ndarray, y: np.ndarray, pitch: int, first: int, steps: int) -> None:
    """Add the spikes y (FRAME, C) of the steps from `first` on to those already drawn."""
    for t, c in np.argwhere(y).tolist():
        raster[c * pitch + 1 : (c + 1) * pitch - 3, (first + t) * _WIDTH // steps] = _CLASSES + c % len(SERIES)
