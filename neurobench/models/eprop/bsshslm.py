"""The neuron `iaf_bsshslm_2020`: e-prop as Bellec et al. 2020 wrote it, in NEST's semantics, on minibatches.

One gradient a sample, its mean over a batch, one update; every sample begins at rest, as with NEST's
`eprop_reset_neurons_on_update`. A spike that arrives in a sample's first step reaches nobody, as in NEST. One thing
differs: in NEST a source whose next spike comes in step 1 of the sample after has its update before the last
learning signal has come back, and lacks it; here no learning signal is lost. Of N-MNIST's inputs that concerns 0.8 of
731 a sample: after 4 batches of 10 the weights are within 1 % of their largest change, without those events equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from neurobench.kernels.eprop import bsshslm
from neurobench.kernels.eprop.forward import Numbers
from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.records import Constants, Samples
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.minibatch import MinibatchEngine
from neurobench.models.eprop.network import Matrices, Recording, Response, Weights, recording


class BsshslmEngine(MinibatchEngine):
    ascending = True  # a step's inputs are summed in their order

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Response:
        """As of MinibatchEngine; no firing rate outlives its sample."""
        results = self._results(len(labels), numba.get_num_threads())
        samples, distinct = (Samples(*part, labels) for part in (spikes, spikes.ascending(distinct=True)))
        bsshslm.learn(self.c, self.numbers, self.network(), samples, distinct, results)
        return Response(results.window, results.counts)


class Trajectory(NamedTuple):
    """Every step of one sample."""

    v: np.ndarray  # (T, N) mV
    free: np.ndarray  # (T, N) bool not refractory
    z: np.ndarray  # (T, N) uint8 spikes
    y: np.ndarray  # (T, K) readouts with the spikes of the same step, which reach them a step later


def simulate(c: Constants, a: Numbers, weights: Matrices, spikes: Spikes, g: int) -> Trajectory:
    """Sample g, step by step."""
    w_in, w_rec, w_out = weights
    shape = c.T, c.N
    steps = Trajectory(np.zeros(shape), np.zeros(shape, bool), np.zeros(shape, np.uint8), np.zeros((c.T, c.K)))
    v, z, y, left = np.zeros(c.N), np.zeros(c.N), np.zeros(c.K), np.zeros(c.N, np.int64)
    for t in range(c.T):
        at = g * (c.T + 1) + t
        x = w_rec @ z
        if t > 0:
            x += w_in[:, spikes.source[spikes.start[at] : spikes.start[at + 1]]].sum(1)
        v = np.maximum(a.alpha * v + a.gain * x - a.v_th * z, a.v_min)
        left = np.maximum(left - 1, 0)
        steps.free[t] = left == 0
        z = ((v >= a.v_th) & steps.free[t]).astype(float)
        left = np.where(z > 0, c.refractory, left)
        y = a.alpha_out * y + a.gain_out * (w_out @ z)
        steps.v[t], steps.z[t], steps.y[t] = v, z, y
    return steps


def recorded(c: Constants, a: Numbers, weights: Weights, spikes: Spikes, label: int) -> Recording:
    """Of the first sample. Its step t is row t + 2, as in the stream of `exact`; y of step t and its error reach the
    readouts a step later, and L of step t stands two rows after it."""
    steps = simulate(c, a, weights[:3], spikes, 0)
    psi = steps.free * np.vectorize(surrogate)(c.surrogate, steps.v - c.v_th, c.height, c.width)
    error = steps.y - np.eye(c.K)[label]
    error[: c.T - c.W] = 0.0
    rows = recording(c, 0, c.T)
    shifts = {"v": (steps.v, 2), "psi": (psi, 2), "z": (steps.z, 2), "out": (steps.y, 3), "error": (error, 3)}
    for name, (values, shift) in {**shifts, "L": (error @ weights.feedback.T, 4)}.items():
        getattr(rows, name)[shift:] = values[:-shift]
    return rows
