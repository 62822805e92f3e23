"""Leaky integrate-and-fire neurons, simulated from spike to spike, and the exact gradient of their spike times.

With a membrane twice as slow as the synapses the voltage between inputs k and k + 1 is a quadratic polynomial of
x = exp(-(t - t_k) / tau_m), so that the time of a spike is the root of a quadratic equation; nothing is discretised:

    V(t) = A1 x - A2 x^2,   A1 = sum_i w_i exp(-(t_k - t_i) / tau_m),   A2 = sum_i w_i exp(-(t_k - t_i) / tau_s)

A spike subtracts the threshold from V, which resets it to 0; the synaptic current stays. In the backward pass, the
adjoint variables of A1 and A2 jump at a neuron's spikes and decay between them. Times are in units of tau_m.
Sources: Wunderlich & Pehle, Sci. Rep. 11:12829 (2021), for the adjoints and their jumps; Göltz et al., Nat. Mach.
Intell. 3:823 (2021), for the spike times; Göltz et al., Nat. Commun. 16 (2025), for the gradient of delays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurobench.kernels.jit import njit

SILENT = -1e200  # A1 of a neuron that may not spike again: it is still below 0 hundreds of tau_m later
FLATTEST = 1e-9  # slope assumed at a spike whose time has no finite derivative: V only touches the threshold


class Events(NamedTuple):
    """Input spikes of B samples, one sample after the other; those of sample b are start[b] to start[b + 1]."""

    t: np.ndarray  # (E,) float64, ascending within a sample
    source: np.ndarray  # (E,) int64
    start: np.ndarray  # (B + 1,) int64


class Neuron(NamedTuple):
    threshold: float
    end: float  # end of a sample
    most: int  # largest number of spikes of a hidden neuron; an output neuron spikes once


class Loss(NamedTuple):
    """-log softmax(-t / tau)[y] + early (exp(t[y] / early_tau) - 1), t the outputs' first spikes, or `end`.

    wake: subtracted from the gradient of every output weight of the label's neuron if that neuron is silent.
    """

    tau: float
    early: float
    early_tau: float
    wake: float


class Spikes(NamedTuple):
    """Spikes of all layers in one sample, (L, capacity): a layer's inputs by time, and its own as computed."""

    n: np.ndarray  # (L, 2) int64: number of inputs and of spikes
    t_in: np.ndarray
    source: np.ndarray  # int64, source of the input
    dt_in: np.ndarray  # dL/dt of the input
    t: np.ndarray  # arrival time of the spike, delay included
    neuron: np.ndarray  # int64
    interval: np.ndarray  # int64, k: the spike lies between inputs k and k + 1
    x: np.ndarray  # exp(-(t - t_k)), without delay
    slope: np.ndarray  # dV/dt at the spike
    dt: np.ndarray  # dL/dt
    order: np.ndarray  # int64: indices of the spikes, sorted by time


@njit(cache=True, error_model="numpy")
def _room(layers, capacity):
    n, shape = np.zeros((layers, 2), np.int64), (layers, capacity)
    t_in, dt_in, t, x = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    source, neuron, interval = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    slope, dt, order = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    return Spikes(n, t_in, source, dt_in, t, neuron, interval, x, slope, dt, order)


@njit(cache=True)
def _most_spikes(sizes, neuron):
    """Largest possible number of spikes of a layer. A loop, because a kernel that calls NumPy functions imports what
    those are compiled from, even if it is loaded from the cache."""
    widest = 0
    for layer in range(1, len(sizes)):
        widest = max(widest, sizes[layer])
    return widest * neuron.most


@njit(cache=True, error_model="numpy")
def _forward(layer, spikes, W, delay, threshold, end, most):
    """Compute the spikes of one layer until `end`, at most `most` per neuron. W: (I, N), delay: (N,)."""
    t_in, source, n = spikes.t_in[layer], spikes.source[layer], spikes.n[layer, 0]
    t, neuron, interval = spikes.t[layer], spikes.neuron[layer], spikes.interval[layer]
    width, n_spikes = W.shape[1], 0
    a1, a2 = np.zeros(width), np.zeros(width)
    count, rises = np.zeros(width, np.int64), np.zeros(width, np.uint8)
    for k in range(n):
        w = W[source[k]]
        d = np.exp(t_in[k] - (t_in[k + 1] if k + 1 < n else end))
        for j in range(width):
            a1[j] += w[j]
            a2[j] += w[j]
            # V rises, and its peak, whenever that comes, reaches the threshold
            rises[j] = (a1[j] > 0) & (2 * a2[j] > a1[j]) & (a1[j] * a1[j] >= 4 * threshold * a2[j])
        for j in range(width):
            while rises[j]:
                x = min(1.0, (a1[j] + np.sqrt(a1[j] * a1[j] - 4 * threshold * a2[j])) / (2 * a2[j]))
                if x <= d:
                    break
                t[n_spikes], neuron[n_spikes], interval[n_spikes] = t_in[k] - np.log(x) + delay[j], j, k
                spikes.x[layer, n_spikes], spikes.slope[layer, n_spikes] = x, x * (2 * a2[j] * x - a1[j])
                n_spikes += 1
                count[j] += 1
                a1[j] = a1[j] - threshold / x if count[j] < most else SILENT
                rises[j] = (a1[j] > 0) & (2 * a2[j] * x > a1[j]) & (a1[j] * a1[j] >= 4 * threshold * a2[j])
        for j in range(width):
            a1[j] *= d
            a2[j] *= d * d
    spikes.n[layer, 1] = n_spikes
    _sort(t, spikes.order[layer], n_spikes)


@njit(cache=True)
def _sort(t, order, n):
    """Insertion sort of the spikes by time: they are computed nearly in that order."""
    for i in range(n):
        k = i
        while k > 0 and t[order[k - 1]] > t[i]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = i


@njit(cache=True)
def _hand_on(layer, spikes, end):
    """Pass the layer's spikes that arrive before `end` to the next layer as inputs."""
    n = 0
    for at in spikes.order[layer, : spikes.n[layer, 1]]:
        if spikes.t[layer, at] < end:
            spikes.t_in[layer + 1, n], spikes.source[layer + 1, n] = spikes.t[layer, at], spikes.neuron[layer, at]
            n += 1
    spikes.n[layer + 1, 0] = n


@njit(cache=True, error_model="numpy")
def _backward(layer, spikes, W, threshold, end, dW, d_delay):
    """Go back from dL/dt of the layer's spikes: add to dW (I, N) and d_delay (N,), and write dL/dt of its inputs."""
    t_in, source, n = spikes.t_in[layer], spikes.source[layer], spikes.n[layer, 0]
    width, at = W.shape[1], spikes.n[layer, 1] - 1
    p1, p2 = np.zeros(width), np.zeros(width)  # adjoints of A1 and of A2
    for k in range(n - 1, -1, -1):
        d = np.exp(t_in[k] - (t_in[k + 1] if k + 1 < n else end))
        for j in range(width):
            p1[j] *= d
            p2[j] *= d * d
        while at >= 0 and spikes.interval[layer, at] == k:
            j, x, dt = spikes.neuron[layer, at], spikes.x[layer, at], spikes.dt[layer, at]
            d_delay[j] += dt
            jump = (dt - threshold * p1[j] / x) / max(spikes.slope[layer, at], FLATTEST)  # includes the reset's time
            p1[j] -= jump * x
            p2[j] += jump * x * x
            at -= 1
        w, dw, total = W[source[k]], dW[source[k]], 0.0
        for j in range(width):
            dw[j] += p1[j] + p2[j]
            total += w[j] * (p1[j] + 2 * p2[j])
        spikes.dt_in[layer, k] = total


@njit(cache=True)
def _hand_back(layer, spikes):
    """Copy dL/dt of the next layer's inputs to this layer's spikes; 0 for those that arrived too late."""
    arrived = spikes.n[layer + 1, 0]
    for k in range(spikes.n[layer, 1]):
        spikes.dt[layer, spikes.order[layer, k]] = spikes.dt_in[layer + 1, k] if k < arrived else 0.0


@njit(cache=True, error_model="numpy")
def _loss(t, y, end, loss, gradient):
    """Loss of the first spikes t (C,); writes its gradient (C,)."""
    first, total = t[0], 0.0
    for c in range(1, len(t)):
        first = min(first, t[c])
    for c in range(len(t)):
        gradient[c] = np.exp((first - t[c]) / loss.tau)
        total += gradient[c]
    for c in range(len(t)):
        gradient[c] *= -1 / (total * loss.tau)
    late = np.exp(t[y] / loss.early_tau)
    gradient[y] += 1 / loss.tau + loss.early / loss.early_tau * late
    return (t[y] - first) / loss.tau + np.log(total) + loss.early * (late - 1)


@njit(cache=True, error_model="numpy")
def _sample(spikes, weights, delays, sizes, neuron, first):
    """Run all layers forward; writes the outputs' first spikes."""
    w, d, layers = 0, 0, len(sizes) - 1
    for layer in range(layers):
        inputs, width = sizes[layer], sizes[layer + 1]
        W = weights[w : w + inputs * width].reshape(inputs, width)
        last = layer == layers - 1
        _forward(layer, spikes, W, delays[d : d + width], neuron.threshold, neuron.end, 1 if last else neuron.most)
        w, d = w + inputs * width, d + width
        if not last:
            _hand_on(layer, spikes, neuron.end)
    first[:] = neuron.end
    for at in range(spikes.n[layers - 1, 1]):
        first[spikes.neuron[layers - 1, at]] = spikes.t[layers - 1, at]


@njit(cache=True, error_model="numpy")
def _adjoint(spikes, weights, sizes, neuron, gradient, d_weights, d_delays):
    """Run all layers backward, from the gradient (C,) with respect to the outputs' first spikes."""
    w, d, layers = len(weights), len(d_delays), len(sizes) - 1
    for at in range(spikes.n[layers - 1, 1]):
        spikes.dt[layers - 1, at] = gradient[spikes.neuron[layers - 1, at]]
    for layer in range(layers - 1, -1, -1):
        inputs, width = sizes[layer], sizes[layer + 1]
        w, d = w - inputs * width, d - width
        if layer < layers - 1:
            _hand_back(layer, spikes)
        part = slice(w, w + inputs * width)
        W, dW = weights[part].reshape(inputs, width), d_weights[part].reshape(inputs, width)
        _backward(layer, spikes, W, neuron.threshold, neuron.end, dW, d_delays[d : d + width])


@njit(cache=True, error_model="numpy")
def run(events, weights, delays, sizes, neuron, loss, y, learns, first, fired, late, losses, gradient):
    """Run B samples. weights: flat, layer by layer (I, N); delays: of all neurons, 0 for the outputs.

    Writes the outputs' first spikes (B, C), `end` if there is none, how often each neuron fired (B, N), and the loss of
    each sample (B,); adds the spikes that arrive too late to `late` (N,) and, if it `learns`, each sample's gradient to
    `gradient` (weights + delays,).
    """
    samples, outputs, capacity = len(y), sizes[-1], _most_spikes(sizes, neuron)
    for b in range(samples):
        capacity = max(capacity, events.start[b + 1] - events.start[b])
    spikes, of_first = _room(len(sizes) - 1, capacity), np.zeros(outputs)
    d_weights, d_delays = gradient[: len(weights)], gradient[len(weights) :]
    for b in range(samples):
        begin, n = events.start[b], events.start[b + 1] - events.start[b]
        spikes.n[0, 0] = n
        spikes.t_in[0, :n], spikes.source[0, :n] = events.t[begin : begin + n], events.source[begin : begin + n]
        _sample(spikes, weights, delays, sizes, neuron, first[b])
        losses[b] = _loss(first[b], y[b], neuron.end, loss, of_first)
        _count(spikes, sizes, neuron.end, fired[b], late)
        if learns:
            _adjoint(spikes, weights, sizes, neuron, of_first, d_weights, d_delays)
            if first[b, y[b]] >= neuron.end:
                for at in range(len(weights) - outputs * sizes[-2] + y[b], len(weights), outputs):
                    d_weights[at] -= loss.wake


@njit(cache=True)
def spikes_of(events, weights, delays, sizes, neuron):
    """All spikes of the first sample."""
    n = events.start[1]
    spikes, first = _room(len(sizes) - 1, max(n, _most_spikes(sizes, neuron))), np.zeros(sizes[-1])
    spikes.n[0, 0] = n
    spikes.t_in[0, :n], spikes.source[0, :n] = events.t[:n], events.source[:n]
    _sample(spikes, weights, delays, sizes, neuron, first)
    return spikes


@njit(cache=True)
def _count(spikes, sizes, end, fired, late):
    """Count how often each neuron fired in a sample (N,), layer by layer; add to `late` (N,) the spikes whose delay
    lasts until `end` or longer."""
    fired[:] = 0
    offset = 0
    for layer in range(len(sizes) - 1):
        for at in range(spikes.n[layer, 1]):
            neuron = offset + spikes.neuron[layer, at]
            fired[neuron] += 1
            late[neuron] += spikes.t[layer, at] >= end
        offset += sizes[layer + 1]
