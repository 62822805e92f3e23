"""Tests of the animation of inputs and outputs."""

from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageColor import getrgb

from neurobench.figures.style import SERIES
from neurobench.models.slayer.animation import _COLOURS, _TINT, FRAME, input_and_output


def test_the_animation_of_a_small_sensor_shows_every_class_beside_its_own_recording() -> None:
    """For encoded vectors, such as Yin-Yang, all classes but the first once lay on the next recording."""
    inputs, outputs = np.zeros((2, FRAME, 1, 2, 4), bool), np.ones((2, FRAME, 3), bool)
    drawn = input_and_output(inputs, outputs, [2, 0], ("yin", "yang", "dot"), 1.0)
    with Image.open(BytesIO(drawn)) as gif:
        pixels = np.array(gif.convert("RGB"))
    for recording in np.split(pixels, 2):
        colours = {tuple(colour) for colour in recording.reshape(-1, 3).tolist()}
        assert {getrgb(colour) for colour in SERIES[:3]} <= colours
        assert _COLOURS[_TINT] in colours, "the row of its label"
