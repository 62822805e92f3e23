"""Vector code of the e-prop kernels against the same sums, bits and orders in numpy, element by element."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit, types
from numba.extending import intrinsic

from neurobench.kernels.eprop.elementwise import elementwise
from neurobench.kernels.eprop.simd import COLUMNS, add_rows, add_scaled_rows, add_scaled_rows_fused, sum_rows
from neurobench.kernels.eprop.spikes import sort_steps
from neurobench.kernels.host import WIDTH


class Limits(NamedTuple):
    least: np.float32


@njit
def _scaled(scales, first, stride, table, row, fused):
    if fused:
        add_scaled_rows_fused(scales, first, stride, table, row)
    else:
        add_scaled_rows(scales, first, stride, table, row)


@njit
def _summed(table, index, row, afresh):
    for column in range(0, len(row), COLUMNS):
        if afresh:
            sum_rows(table, index, 1, len(index), row, column)
        else:
            add_rows(table, index, 1, len(index), row, column)


@intrinsic
def _at_least(typingctx, x, words, limits):
    def step(x, limits):
        return x.get() >= limits.least

    return types.void(x, words, limits), elementwise(step, WIDTH // 32, bits=1)


@njit
def _bits(x, words, limits):
    _at_least(x, words, limits)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_scaled_rows_are_added_in_their_order(rows, fused):
    """Exact to the bit if each product is rounded; if fused, a processor may round it or not."""
    draw = np.random.default_rng(rows)
    scales = draw.normal(size=(rows + 1, 5)).astype(np.float32)
    table, start = draw.normal(size=(rows, 24)).astype(np.float32), draw.normal(size=24).astype(np.float32)
    row, expected = start.copy(), start.copy()
    _scaled(scales, 3, 5, table, row, fused)
    for e in range(rows):
        expected = expected + scales[e, 3] * table[e]
    np.testing.assert_allclose(row, expected, rtol=0, atol=1e-6 if fused else 0)


@pytest.mark.parametrize("afresh", [False, True])
@pytest.mark.parametrize("spikes", [1, 2, 6])
def test_rows_of_a_table_are_added_in_the_order_of_their_index(spikes, afresh):
    """The first of the listed rows is left out: the range begins at 1."""
    draw = np.random.default_rng(spikes)
    table = draw.normal(size=(9, 2 * COLUMNS)).astype(np.float32)
    index, start = draw.integers(0, 9, spikes), draw.normal(size=2 * COLUMNS).astype(np.float32)
    row, expected = start.copy(), np.zeros_like(start) if afresh else start.copy()
    _summed(table, index, row, afresh)
    for i in index[1:]:
        expected = expected + table[i]
    np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("count", [1, 15, 16, 63, 64, 65, 80, 160, 201])
def test_one_bit_per_neuron_fills_words_across_vectors_and_remainders(count):
    x = np.random.default_rng(count).normal(size=count).astype(np.float32)
    x[::5] = np.nan
    words = np.full((count + 63) // 64, 2**64 - 1, np.uint64)
    _bits(x, words, Limits(np.float32(0.25)))
    bits = [int(words[j // 64]) >> (j % 64) & 1 for j in range(64 * len(words))]
    assert bits == [int(each >= 0.25) for each in x] + [0] * (64 * len(words) - count)


@pytest.mark.parametrize("groups", [1, 511, 512, 513, 1500])
def test_each_group_of_spikes_is_sorted_in_place(groups):
    """Cases are more groups than are sorted at once, empty groups, and repeats within a group."""
    draw = np.random.default_rng(groups)
    start = np.append(0, np.cumsum(draw.integers(0, 4, groups)))
    source = draw.integers(0, 7, start[-1] + 3)  # spikes after the last group stay unchanged
    expected = source.copy()
    for first, last in itertools.pairwise(start):
        expected[first:last].sort()
    sort_steps(start, source, 7)
    np.testing.assert_array_equal(source, expected)
