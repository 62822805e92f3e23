"""The tutorial's animation: one row per recording, its input next to the output of the network."""

import io

import torch
from PIL import Image, ImageDraw
from PIL.ImageColor import getrgb
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.style import NEGATIVE, POSITIVE, class_name, series, short

FRAME = 5  # steps per frame
DURATION = 60  # ms that a frame is shown: 12 times slower than real time at 1 ms per step
PAPER, INK, GROUND = (255, 255, 255), (70, 70, 70), (245, 245, 245)
TINT = (255, 236, 214)  # background of the label's row
_PIXEL, _GAP, _HEAD, _LETTER, _WIDTH = 5, 10, 16, 7, 180  # pixels; the last two: width of a letter and of a raster


def input_and_output(x: Tensor, y: Tensor, test: Split, sampling_time: float) -> bytes:
    """Animated GIF of inputs x (N, T, P, H, W) and outputs y (N, T, C) in {0, 1}; `test` contains the N recordings.

    Left: the events of the last FRAME steps, polarity 1 (or the only one) in red, 0 in blue. Right: the spikes of each
    class up to then; the row of the label is tinted.
    """
    n, steps, _, height, width = x.shape
    classes = [short(class_name(test.classes, c), 12) for c in range(y.shape[2])]
    left = _GAP + width * _PIXEL + _GAP + _LETTER * max(map(len, classes))
    row = _HEAD + max(height * _PIXEL, 10 * len(classes)) + _GAP
    image = Image.new("RGB", (left + _WIDTH + _GAP, n * row), PAPER)
    draw = ImageDraw.Draw(image)
    for k in range(n):
        _classes(draw, (left, k * row + _HEAD), int(test.y[k]), classes)
    frames = []
    for first in range(0, steps, FRAME):
        for k in range(n):
            top = k * row
            draw.rectangle((0, top, left - 1, top + _HEAD - 1), fill=PAPER)
            time = f"{first * sampling_time:g} ms"
            draw.text((_GAP, top + 2), f"class {classes[int(test.y[k])]}, {time}", fill=INK)
            picture = _events(x[k, first : first + FRAME].amax(0) > 0)
            size = (width * _PIXEL, height * _PIXEL)
            image.paste(Image.fromarray(picture.numpy()).resize(size, Image.Resampling.NEAREST), (_GAP, top + _HEAD))
            _spikes(draw, (left, top + _HEAD), y[k, first : first + FRAME], first, steps)
        frames.append(image.copy())
    colours = frames[-1].quantize(32)  # by then all have occurred; a palette for each frame takes a second
    frames = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    memory = io.BytesIO()
    frames[0].save(memory, "GIF", save_all=True, append_images=frames[1:], duration=DURATION, loop=0)
    return memory.getvalue()


def _events(seen: Tensor) -> Tensor:
    """Colour image of events: (P, H, W) bool -> (H, W, 3) uint8."""
    picture = torch.tensor(GROUND, dtype=torch.uint8).repeat(*seen.shape[1:], 1)
    for polarity, colour in ((0, NEGATIVE), (-1, POSITIVE)):
        picture[seen[polarity]] = torch.tensor(getrgb(colour)[:3], dtype=torch.uint8)
    return picture


def _pitch(classes: int) -> int:
    """Distance of the rows of two classes in pixels."""
    return max(10, 34 * _PIXEL // classes)


def _classes(draw: ImageDraw.ImageDraw, corner: tuple[int, int], label: int, classes: list[str]) -> None:
    """Draw the parts common to all frames: names, and the tinted row of the label."""
    (left, top), pitch = corner, _pitch(len(classes))
    draw.text((left, top - _HEAD + 2), "output spikes of each class", fill=INK)
    draw.rectangle((left, top + label * pitch, left + _WIDTH, top + (label + 1) * pitch - 2), fill=TINT)
    for c, name in enumerate(classes):
        draw.text((left - 3, top + c * pitch + pitch // 2), name, fill=INK, anchor="rm")


def _spikes(draw: ImageDraw.ImageDraw, corner: tuple[int, int], y: Tensor, first: int, steps: int) -> None:
    """Add the spikes y (FRAME, C) of the steps from `first` on to those already drawn."""
    (left, top), pitch = corner, _pitch(y.shape[1])
    for t, c in y.nonzero().tolist():
        x = left + (first + t) * _WIDTH // steps
        draw.line((x, top + c * pitch + 1, x, top + (c + 1) * pitch - 4), fill=series(c))
