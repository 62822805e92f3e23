"""Sums have one order on every processor, reproduced here lane by lane in numpy's float32 arithmetic."""

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from neurobench.kernels.cuba.decay_sums import decay_sums
from neurobench.kernels.vectors import dot, squared_distance, total, transpose_tile

f32 = np.float32


@njit
def _total(x):  # type: ignore[no-untyped-def]
    return total(x)


@njit
def _dot(x, y, start):  # type: ignore[no-untyped-def]
    return dot(x, y, start)


@njit
def _squared_distance(x, y):  # type: ignore[no-untyped-def]
    return squared_distance(x, y)


@njit
def _decay_sums(v, before, e1, f1, threshold, kv):  # type: ignore[no-untyped-def]
    return decay_sums(v, before, e1, f1, threshold, kv)


def in_order(start: float, n: int, lanes: int, add: Callable[[np.ndarray, slice], np.ndarray]) -> np.float32:
    """Sum by lanes, by four, then singly; lanes fold in parts of eight, then by halves. add(sums, places) -> sums."""
    number, place = f32(start), 0
    for width in (lanes, 4, 1):
        sums = np.full(width, -0.0, f32)
        sums[0] = number
        while place + width <= n:
            sums = add(sums, slice(place, place + width))
            place += width
        parts = sums.reshape(-1, min(width, 8))
        folded = parts[0]
        for part in parts[1:]:
            folded = folded + part
        while len(folded) > 1:
            folded = folded[: len(folded) // 2] + folded[len(folded) // 2 :]
        number = folded[0]
    return number


def fused(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """x y + z, rounded once: the product of two float32 is exact in float64, where the sum is first rounded to odd."""
    product, z = x.astype(np.float64) * y, z.astype(np.float64)
    sums = product + z
    virtual = sums - product
    error = (product - (sums - virtual)) + (z - virtual)
    even = (sums.view(np.int64) & 1) == 0
    away = np.where((error > 0) == (sums > 0), 1, -1)
    odd = np.where((error != 0) & even, (sums.view(np.int64) + away).view(np.float64), sums)
    return odd.astype(f32)


@pytest.mark.parametrize("n", [0, 1, 5, 32, 47, 103])
def test_sums_products_and_squared_distances_are_added_up_in_one_order(n: int) -> None:
    random = np.random.default_rng(n)
    x, y = random.standard_normal((2, n)).astype(f32)
    assert _total(x) == in_order(0.0, n, 32, lambda sums, at: sums + x[at])
    assert _dot(x, y, f32(0.3)) == in_order(0.3, n, 32, lambda sums, at: fused(x[at], y[at], sums))
    assert _squared_distance(x, y) == in_order(0.0, n, 32, lambda sums, at: fused(x[at] - y[at], x[at] - y[at], sums))


@pytest.mark.parametrize("kind", [np.int32, f32])
@pytest.mark.parametrize("n", [0, 3, 16, 55])
def test_sums_of_the_decays_gradient_are_added_up_in_one_order(kind: type, n: int) -> None:
    random = np.random.default_rng(n)
    v, before = (1000 * random.standard_normal((2, n))).astype(kind)
    e1, f1 = random.standard_normal((2, n)).astype(f32)
    threshold, kv = kind(300), f32(0.97)
    decayed = kv * before.astype(f32)
    left = np.where(before <= threshold, np.trunc(decayed) if kind is np.int32 else decayed, f32(0))
    now = v.astype(f32)
    after = np.where(v <= threshold, now, f32(0))
    assert _decay_sums(v, before, e1, f1, threshold, kv) == tuple(
        in_order(0.0, n, 16, lambda sums, at, a=a, b=b: fused(a[at], b[at], sums))
        for a, b in ((f1, now - left), (e1, after), (e1, now))
    )


@njit
def _transposed(x, out):  # type: ignore[no-untyped-def]
    transpose_tile(x, 0, 0, out, 0, 0)


def test_transposing_a_tile_refuses_other_dtypes_and_arrays_that_are_not_contiguous() -> None:
    x, out = np.arange(64, dtype=f32).reshape(8, 8), np.zeros((8, 8), f32)
    _transposed(x, out)
    np.testing.assert_array_equal(out, x.T)
    for pair in ((x.astype(np.float64), out), (x, out.T), (np.zeros((8, 16), f32)[:, ::2], out), (x[0], out)):
        with pytest.raises(TypingError, match="C-contiguous matrices of float32"):
            _transposed(*pair)
