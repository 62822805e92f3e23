"""Gradient of `eprop.batch` and `eprop.bsshslm` from the results of passes over samples: each thread adds all samples,
in order, to a part of the weights, so that a sum has the same bits whatever the number of threads.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.eprop.simd import BLOCK_BYTES, add_rows, add_scaled_rows, add_scaled_rows_fused
from neurobench.kernels.jit import njit

TOGETHER = 2  # samples that use a row of weights, and of their gradient, while it is in cache
AT_ONCE = 8  # samples whose passes are stored, for threads to share out: as many as the caches hold


class Results(NamedTuple):
    """Results of G samples, and the gradient, to which theirs is added."""

    w_in: np.ndarray  # (I, M)
    w_rec: np.ndarray  # (1, P)
    w_out: np.ndarray  # (N, Q)
    window: np.ndarray  # (G, W, K) readouts
    counts: np.ndarray  # (G, N) int64 spikes
    f: np.ndarray  # (G, M) filtered firing at the end


class BySource(NamedTuple):
    """Input spikes of groups of up to TOGETHER samples, by source, so that its row of the gradient is loaded once for
    all. First index: the group's first sample among the S that are stored."""

    n: np.ndarray  # (S,) int64 number of sources with spikes; 0 for samples that begin no group
    sources: np.ndarray  # (S, I + 1) int32 these sources, ascending
    begin: np.ndarray  # (S, I + 1) int32 where their spikes begin in `rows`
    rows: np.ndarray  # (E,) int32 rows of mu (S T, M), in the order in which a source's are added


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def at_once(G, chunks):
    """Number of the G samples to process at once: as few as possible for a single thread, to fit in its cache."""
    return min(G, TOGETHER if chunks == 1 else AT_ONCE)


@njit(inner=True, cache=True, error_model="numpy")
def new_groups(spikes, S, inputs):
    listed = np.empty((S, inputs + 1), np.int32), np.empty((S, inputs + 1), np.int32)
    return BySource(np.zeros(S, np.int64), *listed, np.empty(len(spikes), np.int32))


@njit(inner=True, cache=True, error_model="numpy")
def group_by_source(T, samples, first, s, n, late, by):
    """Group the spikes of the stored samples s to s + n - 1, of which the first is sample `first`, that have a label.
    `late`: the last steps first, and without step 0."""
    start, labels, rows = samples.start, samples.labels, by.rows
    begin, sources = by.begin[s], by.sources[s]
    end = np.zeros(len(begin) - 1, np.int32)
    for g in range(first, first + n):
        if labels[g] >= 0:
            for i in samples.source[start[g * (T + 1) + late] : start[g * (T + 1) + T]]:
                end[np.uint64(i)] += 1
    k, total = np.uint64(0), np.int32(start[first * (T + 1)] - start[(first - s) * (T + 1)])
    for i in range(len(end)):
        count = end[i]
        end[i], begin[k], sources[k] = total, total, i
        k += np.uint64(count > 0)
        total += count
    by.n[s], begin[k] = k, total
    for g in range(first, first + n):
        for step in range(late, T if labels[g] >= 0 else late):
            t = T - step if late else step
            row = (s + g - first) * T + t
            for i in samples.source[start[g * (T + 1) + t] : start[g * (T + 1) + t + 1]]:
                place = end[np.uint64(i)]
                rows[np.uint64(place)] = row
                end[np.uint64(i)] = place + np.int32(1)


@njit(inner=True, cache=True, error_model="numpy")
def add_gradient(c, net, samples, passes, by, results, first, n, fused, chunks):
    """Add the gradient of the n samples from `first` on, to which `passes` and `by` belong. fused: whether the
    readouts' products and sums may be rounded only once."""
    if chunks == 1:  # starting a parallel loop takes as long as some steps
        _add_share(c, net, samples, passes, by, results, first, n, fused, 0, 1)
    else:
        _add_shares(c, net, samples, passes, by, results, first, n, fused, chunks)


@njit(parallel=True, cache=True, error_model="numpy")
def _add_shares(c, net, samples, passes, by, results, first, n, fused, chunks):
    """Add all threads' parts of the gradient. A separate kernel: in one with the passes, numba would fuse the two
    loops, and no thread would wait for all passes."""
    for chunk in prange(chunks):
        _add_share(c, net, samples, passes, by, results, first, n, fused, chunk, chunks)


@njit(cache=True, error_model="numpy")
def _add_share(c, net, samples, passes, by, results, first, n, fused, chunk, chunks):
    """Add all n samples to a thread's part of the gradient."""
    begin, end = c.N * chunk // chunks, c.N * (chunk + 1) // chunks
    for s in range(n):
        if samples.labels[first + s] >= 0:
            mu, counts = passes.psi[s * c.T : (s + 1) * c.T], results.counts[first + s]
            _add_recurrent_gradient(net, passes.spikes[s], counts, mu, results.w_rec[0], begin, end)
            _add_readout_gradient(passes.trace[s], passes.E[s], results.w_out, fused, begin, end)
    _add_input_gradient(by, n, passes.psi, results.w_in, chunk, chunks)


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_readout_gradient(trace, E, g, fused, first, end):
    """Add to g (N, Q) the sum over the window of E_k times the trace of neuron i, from `first` to `end` - 1."""
    for i in range(first, end):
        if fused:
            add_scaled_rows_fused(trace, i, trace.shape[1], E, g[i])
        else:
            add_scaled_rows(trace, i, trace.shape[1], E, g[i])


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_input_gradient(by, n, mu, g, chunk, chunks):
    """Add to a part of g (I, M) mu(t) of each spike of its source in n stored samples, a block of columns at a time:
    the thread's share of all sources' blocks, those of the first columns first."""
    inputs, width = g.shape[0], BLOCK_BYTES // g.itemsize
    units = inputs * (g.shape[1] // width)
    first, end = units * chunk // chunks, units * (chunk + 1) // chunks
    for group in range(n):
        for unit in range(first // inputs * inputs, end if by.n[group] else 0, inputs):
            column = unit // inputs * width
            for k in range(by.n[group]):
                i = by.sources[group, k]
                if first <= unit + i < end:
                    add_rows(mu, by.rows, by.begin[group, k], by.begin[group, k + 1], g[i], column)


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_recurrent_gradient(net, spikes, counts, mu, g, first, end):
    """Add to g (P,) mu of its target at each arrival of a spike of its source, the last one first; for sources `first`
    to `end` - 1."""
    for i in range(first, end):
        late = counts[i] > 0 and spikes[i, counts[i] - 1] == len(mu) - 1  # arrives after the sample
        for p in range(net.start[i], net.start[i + 1]):
            total = g[p]
            for s in range(counts[i] - 1 - late, -1, -1):
                total += mu[spikes[i, s] + 1, net.target[p]]
            g[p] = total
