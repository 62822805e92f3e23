"""The camera's fitted parameters, and the kernel's inputs computed from them.

N-MNIST was made by moving a sensor in front of a screen that showed the digits, with the same three saccades for each,
so it can be emulated from MNIST. A pixel sends an event each time the logarithm of its luminance has changed by a
threshold: Lichtsteiner, Posch, Delbruck, IEEE J. Solid-State Circuits 43:566 (2008); the recordings: Orchard, Jayawant,
Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015). Fitted by `neurobench.data.camera.fit` to the bundled
training recordings, each with the MNIST image that it shows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import erf, sqrt
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from neurobench.config.bounds import Bound, Fault
from neurobench.config.spec import Record
from neurobench.data.dataset import DataError
from neurobench.data.files import BUNDLED
from neurobench.kernels.camera import Prepared
from neurobench.kernels.coded_events import SIDE

FITTED = BUNDLED / "camera.json"
SENSOR = (2, SIDE, SIDE)  # polarities, rows, columns
FINE = 3  # points of the scene per screen pixel, along each axis
MARGIN = 3  # dark screen pixels around the image
TAPS = 5  # screen pixels that one point sees along each axis
SHARED = Prepared._fields[Prepared._fields.index("dt") + 1 :]  # constants of all pixels, in the kernel's order
STEP = 2000.0  # us; the image moves by at most 0.25 pixels in a step

Positive = Annotated[float, Bound(0, above=True)]
NotNegative = Annotated[float, Bound(0)]
Fraction = Annotated[float, Bound(0, 1)]


@dataclass(frozen=True, kw_only=True)
class Camera(Record):
    """Screen, optics, sensor and the path of the view. Luminance is in units of a white screen pixel."""

    gamma: Positive  # of the screen: luminance = (grey / 255) ** gamma
    black: Positive  # luminance of the dark screen and the room
    blur: Positive  # sd of the optics' Gaussian, in screen pixels
    brighter: Positive  # threshold in log luminance of an event of bit 0
    darker: Positive  # threshold of an event of bit 1
    mismatch: NotNegative  # sd of the log of a pixel's thresholds
    refractory: Positive  # us, least time for which a pixel is blind after an event of bit 0
    refractory_darker: Positive  # us, the same after an event of bit 1
    refractory_tail: NotNegative  # us, mean of the exponential time added to these
    delay: NotNegative  # us, mean of the exponential delay of an event
    rate: Positive  # 1 / us, of the photoreceptor's low-pass in the dark
    rate_gain: NotNegative  # 1 / us, increase of the rate per unit of log luminance
    threshold_noise: NotNegative  # relative sd of the threshold from event to event
    lost: Fraction  # share of its signal change that a blind pixel loses; it catches up on the rest
    background: NotNegative  # events / us of the whole sensor
    turn: tuple[tuple[float, ...], ...]  # 2 x 2: sensor pixels (row, column) about the middle -> screen pixels
    knots: tuple[float, ...]  # us, times of the path
    row: tuple[float, ...]  # of the image's top left corner in the sensor's frame at the knots, in pixels
    column: tuple[float, ...]
    rests: tuple[tuple[float, ...], ...] = ()  # us, start and end of the rest before each saccade but the first
    late: tuple[float, ...] = ()  # us, sd over recordings of the start of the saccade after each rest
    pattern: tuple[tuple[float, ...], ...] = ()  # 2 x SIDE^2: log ratio of each pixel's thresholds to the common ones
    hot: tuple[tuple[float, ...], ...] = ()  # 2 x SIDE^2: each pixel's share of the background; (): all equal

    def conflicts(self) -> list[Fault]:
        faults = [
            (name, f" has {[len(row) for row in value]} numbers, expected none or 2 rows of {SIDE * SIDE}")
            for name, value in (("pattern", self.pattern), ("hot", self.hot))
            if value and [len(row) for row in value] != [SIDE * SIDE] * 2
        ]
        if len(self.rests) != len(self.late):
            faults.append(("late", f" has {len(self.late)} numbers, expected one for each of {len(self.rests)} rests"))
        return faults


def read(path: str | None) -> Camera:
    """The fitted camera, or another one from a JSON file with the same keys. Raises DataError."""

    def as_tuple(value: Any) -> Any:
        return tuple(map(as_tuple, value)) if isinstance(value, list) else value

    file = FITTED if path is None else Path(path).expanduser()
    try:
        return Camera(**{key: as_tuple(value) for key, value in json.loads(file.read_text()).items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: is not a camera ({error}). Write one with `python -m neurobench.data.camera.fit FILE`, or leave "
            "out dataset.camera to use the bundled one."
        ) from error


def as_json(camera: Camera) -> str:
    """Lossless JSON, one line per field: `read` gives the same camera."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in asdict(camera).items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def prepare(camera: Camera, seed: int) -> Prepared:
    """Kernel inputs of a camera. `seed` draws the pixels' mismatch besides the pattern: each seed is another sensor."""
    z = camera.mismatch * np.random.default_rng(seed).standard_normal((2, SIDE * SIDE))
    if camera.pattern:
        z += np.array(camera.pattern)
    hot = np.array(camera.hot).ravel() if camera.hot else np.ones(2 * SIDE * SIDE)
    # Weights of the screen's square pixels in each fine point along one axis: their overlap with a Gaussian.
    u = (np.arange((28 + 2 * MARGIN) * FINE) + 0.5) / FINE - 0.5 - MARGIN  # in screen pixels, whole at their centres
    first = np.floor(u + 0.5).astype(np.int64) - TAPS // 2
    edges = first[:, None] + np.arange(TAPS + 1) - 0.5 - u[:, None]
    below = np.vectorize(lambda z: 0.5 * (1 + erf(z / sqrt(2))))(edges / camera.blur)
    turn = np.array(camera.turn)
    pixels = np.stack(np.divmod(np.arange(SIDE * SIDE), SIDE), axis=1) - 13.5
    t = np.arange(camera.knots[-1] // STEP + 1) * STEP
    corner = np.stack([np.interp(t, camera.knots, axis) for axis in (camera.row, camera.column)], axis=1)
    return Prepared(
        screen=((np.arange(256) / 255) ** camera.gamma).astype(np.float32),
        taps=np.diff(below, axis=1).astype(np.float32),
        first=first,
        black=np.float32(camera.black),
        path=(-corner @ turn.T * FINE).astype(np.float32),
        rests=(np.array(camera.rests).reshape(-1, 2) / STEP).astype(np.float32),
        base=((pixels @ turn.T + 13.5 + MARGIN + 0.5) * FINE - 0.5).astype(np.float32),
        threshold=(np.array([[camera.brighter], [camera.darker]]) * np.exp(z)).astype(np.float32),
        hot=hot.cumsum() / hot.sum(),
        dt=STEP,
        **{name: float(getattr(camera, name)) for name in SHARED},
    )


def identity(camera: Camera, seed: int) -> dict[str, Any]:
    """Everything that determines the events of an image, for a hash."""
    return {"camera": asdict(camera), "seed": seed, "step": STEP, "fine": FINE, "margin": MARGIN, "taps": TAPS}
