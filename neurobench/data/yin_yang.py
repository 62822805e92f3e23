"""Yin-Yang samples: points of a disc of radius R about (R, R), divided by two half discs of radius R/2 with a dot each.

Kriener, Göltz, Petrovici, "The Yin-Yang dataset", arXiv:2102.08211. The class numbers are those of its code, which
calls index 0 yin although its own yin test gives 1. The samples are drawn fast: the published sequence bit for bit
("compat"), or the same distribution faster still ("fast").

The published generator draws, for each sample, a goal class, then points of the square until one has that class:
goal = randint(3) and x, y = rand(2) * 2 R from numpy's legacy `RandomState`. In raw 32-bit words of that generator,
randint(3) is the low two bits of a word, drawn again on 3, and rand() is two words; so a sample is some goal words,
then points of four words each. Every word offset is classified at once; a sample is then located by searching for its
goal among the offsets that are a whole number of points away.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch

from neurobench.data.dataset import Split, Splits
from neurobench.data.specs import Stream, YinYang

CLASSES = ("yin", "yang", "dot")
DOT, OUTSIDE, BOUNDARY = 2, 3, 4  # besides classes 0 and 1
CELLS = 512  # cells of the class table along one side
POINT = 4  # words per point; a power of two, for the shifts below
AGAIN, END = 3, 4  # besides goals 0, 1 and 2: draw again; no words left
LEAST = 1 << 15  # fewest words fetched at a time, so that drawing sample by sample does not need one fetch each
MOST = 1 << 18  # most words held at a time, however many samples are drawn
BLOCK = 1 << 12  # samples that "fast" draws at a time


def load(spec: YinYang, seed: int) -> Splits:
    """Draw the three splits, each from its own seed: every run gets the published samples, whatever its `seed`."""
    sizes = (spec.train, spec.validation, spec.test)
    seeds = (spec.train_seed, spec.validation_seed, spec.test_seed)
    digest, splits = hashlib.sha256(), []
    for n, split_seed, first in zip(sizes, seeds, accumulate(sizes, initial=0), strict=False):
        x, y = YinYangStream(split_seed, spec.r_small, spec.r_big, spec.stream).draw(n)
        digest.update(x.tobytes() + y.tobytes())
        splits.append(Split(torch.from_numpy(x), torch.from_numpy(y), first + torch.arange(n)))
    described = f"{spec.test} samples drawn with seed {spec.test_seed}"
    train, validation, test = splits
    return Splits(
        train, validation, test, source="generated", sha256=digest.hexdigest(), evaluated_on=described, classes=CLASSES
    )


class Shape(NamedTuple):
    """The symbol's two radii: 2 r < R, and the square [0, 2R]^2 lies in [0, 1]^2."""

    r_small: float  # r, radius of a dot
    r_big: float  # R, radius of the disc

    def areas(self) -> tuple[float, float, float]:
        """Fraction of the square that each class covers."""
        dots = 2 * math.pi * self.r_small**2 / (2 * self.r_big) ** 2
        rest = (math.pi / 4 - dots) / 2
        return rest, rest, dots


def classify(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Class of each point x, y: (N,) float64 -> (N,) uint8: 0, 1, DOT or OUTSIDE."""
    r, R = shape
    row = (y - R) ** 2
    right = np.sqrt((x - 1.5 * R) ** 2 + row)  # distance to the centre of the right dot
    left = np.sqrt((x - 0.5 * R) ** 2 + row)
    one = (right <= r) | ((left > r) & (left <= 0.5 * R)) | ((y > R) & (right > 0.5 * R))
    classes = one.astype(np.uint8)
    classes[(right < r) | (left < r)] = DOT
    classes[np.sqrt((x - R) ** 2 + row) > R] = OUTSIDE
    return classes


@lru_cache(maxsize=4)
def class_table(shape: Shape) -> np.ndarray:
    """Class shared by all points of each cell, or BOUNDARY if they differ: (CELLS * CELLS,) uint8, x slowest."""
    r, R = shape
    side = 2 * R / CELLS
    low = np.arange(CELLS) * side
    x, y = (axis.ravel() for axis in np.meshgrid(low, low, indexing="ij"))
    table = classify(shape, x + side / 2, y + side / 2)
    slack = 1e-9  # far above rounding, far below a cell
    for centre, radius in ((R, R), (1.5 * R, 0.5 * R), (0.5 * R, 0.5 * R), (1.5 * R, r), (0.5 * R, r)):
        u, v = x - centre, y - R  # lower corner relative to the centre
        near = np.hypot(np.maximum(0, np.maximum(u, -u - side)), np.maximum(0, np.maximum(v, -v - side)))
        far = np.hypot(np.maximum(abs(u), abs(u + side)), np.maximum(abs(v), abs(v + side)))
        table[(near - slack <= radius) & (radius <= far + slack)] = BOUNDARY
    table[(y - slack <= R) & (y + side + slack >= R)] = BOUNDARY
    table.flags.writeable = False
    return table


class YinYangStream:
    """An endless sequence of samples. draw(a) followed by draw(b) gives the same samples as draw(a + b)."""

    def __init__(self, seed: int, r_small: float = 0.1, r_big: float = 0.5, stream: Stream = "compat"):
        shape = Shape(r_small, r_big)
        self.points: _Compat | _Fast = _Compat(seed, shape) if stream == "compat" else _Fast(seed, shape)

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The next n samples: (n, 4) float32 x, y, 1 - x, 1 - y, and (n,) int64 classes."""
        points, labels = self.points.draw(n)
        return np.concatenate([points, 1 - points], axis=1).astype(np.float32), labels


class _Compat:
    """The published sequence. Words that were fetched but not used remain for the next draw."""

    def __init__(self, seed: int, shape: Shape):
        self._random = np.random.RandomState(seed)
        self._shape = shape
        self._words_per_sample = 4 / 3 + POINT / 3 * sum(1 / area for area in shape.areas())
        self._words = np.empty(0, np.uint32)
        self._at = 0  # offset of the first unused word
        self._goal: int | None = None  # goal of a sample whose goal word was used and whose point is still to come
        self._fetched = 0
        self._classify()

    @property
    def words(self) -> int:
        """Number of words of the published sequence used by the samples drawn so far."""
        return self._fetched - len(self._words) + self._at

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The next n samples: (n, 2) float64 points and (n,) int64 classes."""
        points, labels = np.empty((n, 2)), np.empty(n, np.int64)
        done = 0
        while done < n:
            offsets = self._search(n - done)
            new = slice(done, done + len(offsets))
            points[new] = self._point(offsets)
            labels[new] = self._classes[offsets]
            done += len(offsets)
            if done < n:
                self._fetch(n - done)
        return points, labels

    def _search(self, n: int) -> np.ndarray:
        """Word offsets of the points of at most n samples: as many as the fetched words contain."""
        offsets: list[int] = []
        goals, by_phase, at, goal = self._goals, self._by_phase, self._at, self._goal
        for _ in range(n):
            if goal is None:
                while goals[at] == AGAIN:
                    at += 1
                if goals[at] == END:
                    break
                goal = goals[at]
                at += 1
            phase = at & 3
            hit = by_phase[phase].find(goal, at >> 2)
            if hit < 0:  # all these points have been searched; continue where the next words begin
                at = POINT * len(by_phase[phase]) + phase
                break
            at = (hit << 2) + phase
            offsets.append(at)
            at += POINT
            goal = None
        self._at, self._goal = at, goal
        return np.array(offsets, np.int64)

    def _fetch(self, n: int) -> None:
        """Drop the used words, and fetch about as many as n samples need."""
        count = int(min(MOST, max(LEAST, 1.1 * n * self._words_per_sample)))
        fresh = self._random.randint(0, 2**32, size=count, dtype=np.uint32)
        self._words = np.concatenate([self._words[self._at :], fresh])
        self._fetched += count
        self._at = 0
        self._classify()

    def _classify(self) -> None:
        """Compute the goal given by each word, and the class of the point that starts at it."""
        words = self._words
        self._goals = (words & 3).astype(np.uint8).tobytes() + bytes([END])
        cell = words >> 23  # 9 bits: 512 cells per side
        classes = class_table(self._shape)[cell[:-3] * 512 + cell[2:-1]]
        unsure = np.flatnonzero(classes == BOUNDARY)
        classes[unsure] = classify(self._shape, *self._point(unsure).T)
        self._classes = classes
        self._by_phase = [classes[phase::POINT].tobytes() for phase in range(POINT)]

    def _point(self, offsets: np.ndarray) -> np.ndarray:
        """(N,) word offsets -> (N, 2) float64 points of [0, 2R)^2, as RandomState.rand makes them."""
        word = self._words[offsets[:, None] + np.arange(POINT)]
        high, low = word[:, ::2] >> 5, word[:, 1::2] >> 6
        return (high * 67108864.0 + low) / 9007199254740992.0 * 2.0 * self._shape.r_big


class _Fast:
    """The published distribution from a newer generator, without rejection by class."""

    def __init__(self, seed: int, shape: Shape):
        self._random = np.random.default_rng(seed)
        self._shape = shape
        self._points, self._labels = np.empty((0, 2)), np.empty(0, np.int64)  # drawn ahead

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        ahead = [(self._points, self._labels)]
        ahead += [self._block() for _ in range(0, n - len(self._labels), BLOCK)]
        points, labels = (np.concatenate(parts) for parts in zip(*ahead, strict=True))
        self._points, self._labels = points[n:], labels[n:]
        return points[:n], labels[:n]

    def _block(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw (BLOCK, 2) points and (BLOCK,) classes."""
        labels = self._random.integers(3, size=BLOCK)
        dots = labels == DOT
        points = np.empty((BLOCK, 2))
        points[dots] = self._dots(int(dots.sum()))
        points[~dots] = self._rest(labels[~dots])
        return points, labels

    def _dots(self, n: int) -> np.ndarray:
        """Draw (n, 2) points, uniform over the two dots."""
        angle = self._random.random(n) * (2 * np.pi)
        distance = self._shape.r_small * np.sqrt(self._random.random(n))
        centre = self._shape.r_big * self._random.choice([0.5, 1.5], n)
        return np.stack([centre + distance * np.cos(angle), self._shape.r_big + distance * np.sin(angle)], axis=1)

    def _rest(self, labels: np.ndarray) -> np.ndarray:
        """Draw (N, 2) points, uniform over class 0 or 1, as each label says.

        Half a turn about the centre maps class 0 onto class 1, so a point of the other class is rotated.
        """
        side, parts = 2 * self._shape.r_big, [np.empty((0, 2))]
        missing = len(labels)
        while missing > 0:
            points = self._random.random((int(missing / (2 * self._shape.areas()[0]) * 1.05) + 16, 2)) * side
            classes = classify(self._shape, points[:, 0], points[:, 1])
            inside = classes < DOT
            points, classes = points[inside][:missing], classes[inside][:missing]
            wanted = labels[len(labels) - missing :][: len(points)]
            parts.append(np.where((classes != wanted)[:, None], side - points, points))
            missing -= len(points)
        return np.concatenate(parts)
