"""Convolutional layers of current-based neurons, from lists of active inputs: each reaches only the few positions of
the kernels that cover its pixel. The neuron, its gradients and its lists are those of `forward` and `backward`.

Neurons and inputs are in the order rows, columns, channels ("channels last"), weights in the order kernel row, kernel
column, input channel: numbers used together are contiguous in memory.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.cuba.backward import (
    Sample,
    add_decay_terms,
    decay_terms,
    delay_gradient,
    new_scratch,
    routes_of,
    scan,
)
from neurobench.kernels.cuba.forward import reaches_limit, tally_states
from neurobench.kernels.cuba.product import multiply
from neurobench.kernels.cuba.scatter import share_of_columns
from neurobench.kernels.cuba.step import emit, step_fixed, step_float
from neurobench.kernels.jit import njit

_STEPS = 4  # steps whose products with all weights of a kernel stay in the second-level cache


class Places(NamedTuple):
    """Kernel positions that cover each pixel: entries first[q] to first[q + 1] are those of pixel q, with the weight of
    each. P positions, taps = the kernel's area."""

    first: np.ndarray  # (pixels + 1,) int32
    tap: np.ndarray  # (E,) int32, 0 to taps - 1
    position: np.ndarray  # (E,) int32, 0 to P - 1
    channels: int  # channels of the input
    pools: bool  # a channel is connected to itself alone, and its weights are not learned


@njit(parallel=True, cache=True, error_model="numpy")
def forward_convolved(inputs, layer, places, neuron, dropout, chunks, keep_v, counted, activity):
    """Run `forward.forward` with W (taps, input channels, C) int32 or float32 and neurons (P C)."""
    (index, begin, count, _), (W, delay), (keep, mask) = inputs, layer, dropout
    v, out, out_count, spikes, tally, clipped = activity
    samples, steps = begin.shape
    width = delay.shape[0]
    for c in prange(chunks):
        a, u, w = np.empty(width, v.dtype), np.empty(width, v.dtype), np.empty(width, v.dtype)
        fired = np.zeros((width + 63) // 64 * 64, np.uint8)
        tally[c, :] = 0
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            u[:] = 0
            w[:] = 0
            out_count[n, :] = 0
            spikes[n, :] = 0
            clipped[n] = 0
            for t in range(steps):
                now = v[n, t] if keep_v else v[c, 0]
                tally[c, 1] += _gather(index, begin[n, t], count[n, t], W, places, a)
                if isinstance(neuron.threshold, np.int32):  # decided at compile time
                    if counted:
                        tally_states(a, keep, neuron, u, w, tally[c])
                    step_fixed(a, keep, neuron, u, w, now, fired)
                    if keep_v:
                        clipped[n] |= reaches_limit(now, neuron.v_limit)
                else:
                    step_float(a, keep, neuron, u, w, now, fired)
                tally[c, 0] += emit(fired, t, delay, mask[n], out[n], out_count[n], spikes[n])


@njit(cache=True, _nrt=False, error_model="numpy")
def _gather(index, begin, count, W, places, a):
    """Write a (P C,) = sums of weights over active inputs. Returns the number of their synapses."""
    first, tap, position, channels, pools = places
    width, met = W.shape[2], 0
    a[:] = 0
    for k in range(begin, begin + count):
        q, channel = divmod(int(index[k]), channels)
        met += first[q + 1] - first[q]
        for e in range(first[q], first[q + 1]):
            w, at = W[tap[e], channel], position[e] * width
            if pools:
                a[at + channel] += w[channel]
            else:
                for j in range(width):
                    a[at + j] += w[j]
    return met if pools else met * width


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def backward_convolved(g, layer, places, surrogate, with_decays, weights, chunks, eu, below, gradients):
    """Run `backward.backward` with dW (taps, input channels, C), unchanged for pools; weights: panels of
    (taps channels, C)'."""
    inputs, v, threshold, delay, mask, keep, out, out_count, clipped = layer
    index, begin, count, _ = inputs
    dW, dD, dd = gradients
    (samples, steps, width), (taps, channels, outputs), together = g.shape, dW.shape, eu.shape[0]
    routes = routes_of(delay)
    rows = _STEPS * (width // outputs) if weights.shape[0] else 0
    terms, shares = decay_terms(samples, steps), _shares_of_taps(places, taps, chunks)
    for start in range(0, samples, together):
        here = min(together, samples - start)
        for c in prange(chunks):
            scratch, products = new_scratch(v), np.empty((rows, taps * channels), np.float32)
            for b in range(here * c // chunks, here * (c + 1) // chunks):
                n = start + b
                sample = Sample(v[n], threshold, mask[n], keep)
                scan(g[n], sample, routes, surrogate, with_decays, scratch, eu[b], terms[n])
                if weights.shape[0]:
                    _times(eu[b], weights, places, outputs, products, below[n])
        for c in prange(chunks):
            low, high = share_of_columns(width, c, chunks)
            for b in range(here):
                n = start + b
                delay_gradient(g[n], out[n], out_count[n], keep, low, high, dd)
                if not places.pools:
                    _scatter(index, begin[n], count[n], eu[b], places, shares[c : c + 2], dW)
    add_decay_terms(terms, clipped, dD)


@njit(cache=True, error_model="numpy")
def _shares_of_taps(places, taps, chunks):
    """First of each pixel's entries, which ascend by tap, in every chunk of taps, (chunks + 1, pixels) int32."""
    pixels = places.first.shape[0] - 1
    shares = np.empty((chunks + 1, pixels), np.int32)
    for q in range(pixels):
        e = places.first[q]
        for c in range(chunks + 1):
            while e < places.first[q + 1] and places.tap[e] < taps * c // chunks:
                e += 1
            shares[c, q] = e
    return shares


@njit(cache=True, _nrt=False, error_model="numpy")
def _scatter(index, begin, count, eu, places, entries, dW):
    """Add to dW (taps, input channels, C) eu (T, P C) of each position that an active input reaches. entries
    (2, pixels): each pixel's first entry to use, and the one after the last."""
    _, tap, position, channels, _ = places
    width = dW.shape[2]
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            q, channel = divmod(int(index[k]), channels)
            for e in range(entries[0, q], entries[1, q]):
                row, at = dW[tap[e], channel], position[e] * width
                for j in range(width):
                    row[j] += eu[t, at + j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _times(eu, weights, places, outputs, products, below):
    """Write below (T, inputs) = dL/dx: each position's error times all weights, added to pixels under the kernel."""
    first, tap, position, channels, _ = places
    steps, width = eu.shape
    positions, pixels = width // outputs, first.shape[0] - 1
    for begin in range(0, steps, _STEPS):
        end = min(begin + _STEPS, steps)
        rows = (end - begin) * positions
        multiply(eu[begin:end].reshape(rows, outputs), weights, products[:rows])
        for t in range(begin, end):
            row = below[t]
            row[:] = 0
            for q in range(pixels):
                at = q * channels
                for e in range(first[q], first[q + 1]):
                    product = products[(t - begin) * positions + position[e]]
                    column = tap[e] * channels
                    for j in range(channels):
                        row[at + j] += product[column + j]
