"""Animations: events as they come from the sensor, and spikes as they leave the network."""

from __future__ import annotations

import io

import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw
from torch import Tensor

FRAME = 5  # steps a frame
LASTING = 60  # ms a frame is shown: 12 times slower than life at 1 ms a step
ON, OFF, PAPER, INK = (214, 84, 42), (46, 98, 168), (255, 255, 255), (70, 70, 70)
_PIXEL, _GAP, _HEAD = 5, 8, 16


def inputs(x: Tensor, label: Tensor) -> bytes:
    """x (N, T, P, H, W) in {0, 1}: one panel a recording, polarity 1 (or the only one) in red, 0 in blue."""
    n, steps, _, height, width = x.shape
    panel_w, panel_h = width * _PIXEL, height * _PIXEL
    frames = []
    for first in range(0, steps, FRAME):
        seen = x[:, first : first + FRAME].amax(1) > 0
        image = Image.new("RGB", (n * (panel_w + _GAP) + _GAP, panel_h + _HEAD + _GAP), PAPER)
        draw = ImageDraw.Draw(image)
        for k in range(n):
            left = _GAP + k * (panel_w + _GAP)
            picture = torch.full((height, width, 3), 245, dtype=torch.uint8)
            picture[seen[k, 0]] = torch.tensor(OFF, dtype=torch.uint8)
            picture[seen[k, -1]] = torch.tensor(ON, dtype=torch.uint8)
            own = Image.fromarray(picture.numpy()).resize((panel_w, panel_h), Image.Resampling.NEAREST)
            image.paste(own, (left, _HEAD))
            draw.text((left, 2), f"digit {int(label[k])}, step {first}", fill=INK)
        frames.append(image)
    return _gif(frames)


def outputs(y: Tensor, label: Tensor) -> bytes:
    """y (N, T, C) in {0, 1}: one raster a recording, drawn as time goes on; the label's row is tinted."""
    n, steps, classes = y.shape
    row, panel_w = 12, steps
    panel_h = classes * row
    margin = 16
    frames = []
    for last in range(FRAME, steps + FRAME, FRAME):
        image = Image.new("RGB", (n * (panel_w // 2 + margin + _GAP) + _GAP, panel_h + _HEAD + _GAP), PAPER)
        draw = ImageDraw.Draw(image)
        for k in range(n):
            left = _GAP + margin + k * (panel_w // 2 + margin + _GAP)
            draw.text((left, 2), f"digit {int(label[k])}", fill=INK)
            at = _HEAD + int(label[k]) * row
            draw.rectangle((left, at, left + panel_w // 2, at + row - 2), fill=(255, 236, 214))
            for c in range(classes):
                top = _HEAD + c * row
                draw.text((left - 12, top), str(c), fill=INK)
                colour = tuple(int(255 * part) for part in colormaps["tab10"](c % 10)[:3])
                for t in y[k, :last, c].nonzero()[:, 0].tolist():
                    draw.line((left + t // 2, top, left + t // 2, top + row - 3), fill=colour)
        frames.append(image)
    return _gif(frames)


def _gif(frames: list[Image.Image]) -> bytes:
    memory = io.BytesIO()
    palette = [frame.quantize(32) for frame in frames]
    palette[0].save(memory, "GIF", save_all=True, append_images=palette[1:], duration=LASTING, loop=0)
    return memory.getvalue()
