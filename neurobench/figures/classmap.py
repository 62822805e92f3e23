"""Map of overlaid classes, each as opaque as it is probable: that of the hxtorch tutorial, in its colours."""

from __future__ import annotations

import numpy as np

COLOURS = ("black", "white", "orange")  # of the classes, as in the tutorial
RGB = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.647, 0.0))
GRAY = 0.5  # background below the classes


def blend(probabilities: np.ndarray) -> np.ndarray:
    """Blend colours: (Y, X, classes) probabilities -> (Y, X, 3) colours in [0, 1]."""
    colours = np.full((*probabilities.shape[:2], 3), GRAY, probabilities.dtype)
    for number in range(probabilities.shape[-1]):
        p = probabilities[..., number, None]
        colours = p * np.array(RGB[number], probabilities.dtype) + (1 - p) * colours
    return colours.clip(0, 1)
