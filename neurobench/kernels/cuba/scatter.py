"""Gradient of a layer's weights, dL/dW = sum x[t] eu[t]', from lists of active inputs.

Inputs by step are first sorted into steps by input, so that a sample touches each row of dW once. Threads share out the
rows, not the samples: each number is the same sum in the same order, however many threads there are.
"""

import numpy as np

from neurobench.kernels.aligned import FLOATS
from neurobench.kernels.jit import njit


@njit(cache=True, error_model="numpy")
def first_places(count):
    """Begin of each sample's active inputs in one list, and the last one's end, (B + 1,) int64.   count (B, T)."""
    first = np.zeros(count.shape[0] + 1, np.int64)
    for b in range(count.shape[0]):
        first[b + 1] = first[b]
        for t in range(count.shape[1]):
            first[b + 1] += count[b, t]
    return first


@njit(cache=True, _nrt=False, error_model="numpy")
def steps_by_input(index, begin, count, first, end, when):
    """Write to `when` from `first` on the steps of a sample in which input 0 is active, those of input 1, and so on;
    end (I,) int64: where each input's steps end."""
    end[:] = 0
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            end[index[k]] += 1
    place = first
    for i in range(end.shape[0]):
        place, end[i] = place + end[i], place
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            i = index[k]
            when[end[i]] = t
            end[i] += 1


@njit(cache=True, fastmath=False)
def share_of_columns(width, c, chunks):
    """First column of chunk c, and the one after its last: whole cache lines, so that no two threads write to the same
    one."""
    lines = (width + FLOATS - 1) // FLOATS
    return min(width, lines * c // chunks * FLOATS), min(width, lines * (c + 1) // chunks * FLOATS)


@njit(cache=True, error_model="numpy")
def fair_shares(first, ends, chunks):
    """Boundaries (chunks + 1,) int64 of chunks of inputs that are together active about equally often.
    first (B + 1,), ends (B, I)."""
    samples, inputs = ends.shape
    shares, c, active = np.full(chunks + 1, inputs), 0, 0
    for i in range(inputs):
        while c < chunks and active * chunks >= first[samples] * c:
            shares[c] = i
            c += 1
        for b in range(samples):
            active += ends[b, i] - (ends[b, i - 1] if i else first[b])
    return shares


@njit(cache=True, _nrt=False, error_model="numpy")
def add_active(when, first, end, eu, low, high, dW):
    """Add to dW[i] eu[t] of each step t of the sample in which input i is active, for inputs `low` to `high` - 1.
    eu (T, C), dW (I, C)."""
    width = dW.shape[1]
    k = end[low - 1] if low else first
    for i in range(low, high):
        last, row = end[i], dW[i]
        while k + 4 <= last:
            e0, e1, e2, e3 = eu[when[k]], eu[when[k + 1]], eu[when[k + 2]], eu[when[k + 3]]
            for j in range(width):
                row[j] += (e0[j] + e1[j]) + (e2[j] + e3[j])
            k += 4
        while k < last:
            e0 = eu[when[k]]
            for j in range(width):
                row[j] += e0[j]
            k += 1
