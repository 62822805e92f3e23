"""When the saccades of each real recording begin, against an emulated one of the same image: no two are on time alike.

The first begins the recording. The second and third are late or early by some 3 and 2.5 ms (sd over the training
recordings), by about as much as in the recordings before and after.
"""

from __future__ import annotations

import numpy as np

from neurobench.data.camera_pixels import binned
from neurobench.data.events import Events

WIDTH, BINS = 2000, 160  # us; of a recording
REACH = 8  # bins, either way
# us: the view rests, and saccades are told apart by what lies between
RESTS = ((95_000.0, 125_000.0), (185_000.0, 220_000.0))
WINDOWS = ((54, 106), (108, 160))  # bins of the second and the third saccade


def lateness(real: Events, made: Events) -> np.ndarray:
    """(N, 2) us by which the second and third saccade of a real recording come after the emulated one's."""
    late = np.empty((len(real), len(WINDOWS)))
    for k in range(len(real)):
        one, other = (binned(events[k : k + 1], WIDTH, BINS)[0].reshape(BINS, -1) for events in (real, made))
        late[k] = [_lag(one, other, first, last) for first, last in WINDOWS]
    return late * WIDTH


def _lag(real: np.ndarray, made: np.ndarray, first: int, last: int) -> float:
    """Bins by which `made` (BINS, cells) is moved to look most like `real` from first to last: the cosine's peak."""
    seen = np.flatnonzero(real[first:last].any(0) & made[first:last].any(0))
    one, other = (_smooth(maps[:, seen]) for maps in (real, made))
    other = np.pad(other, ((REACH, REACH), (0, 0)))
    cosines = np.empty(2 * REACH + 1)
    for k in range(2 * REACH + 1):
        moved = other[first + 2 * REACH - k : last + 2 * REACH - k]
        cosines[k] = (one[first:last] * moved).sum() / np.sqrt((moved * moved).sum() + 1e-9)
    k = min(max(int(cosines.argmax()), 1), 2 * REACH - 1)
    left, top, right = cosines[k - 1 : k + 2]
    bend = left + right - 2 * top
    return k - REACH + (min(max((left - right) / (2 * bend), -0.5), 0.5) if bend < 0 else 0.0)


def _smooth(maps: np.ndarray) -> np.ndarray:
    """Each bin with its two neighbours."""
    wide = np.pad(maps, ((1, 1), (0, 0)))
    return wide[:-2] + wide[1:-1] + wide[2:]
