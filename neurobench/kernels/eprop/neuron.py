"""One step of NEST's e-prop models: recurrent neurons, readouts, and the spikes that reach them.

Kernels also called by engines that may round differently have `fastmath=False`: without it, a kernel takes the rounding
of whichever caller is compiled first.
"""

import math

import numpy as np

from neurobench.kernels.jit import njit


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy", fastmath=False)
def surrogate(kind, x, height, width):
    """The pseudo-derivative at distance x from the threshold; kinds in `eprop.records.SURROGATES`.

    h max(0, 1 - |x| / w),    h exp(-|x| / w),    h (1 + |x| / w)^-2,    h / (1 + (x / w)^2)
    """
    u = abs(x / width)
    if kind == 0:
        return height * max(0.0, 1.0 - u)
    if kind == 1:
        return height * math.exp(-u)
    if kind == 2:
        return height / ((1.0 + u) * (1.0 + u))
    return height / (1.0 + u * u)


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy", fastmath=False)
def neuron_step(c, j, x, s):
    """Advance neuron j under input x. Returns its psi; `s` (Neurons) changes in place, s.z[j] is 1 if it fired.

        v = alpha v + x,  psi at v - theta,  spike where v >= theta and not refractory,  then v -= v_th

    With hard_reset (psc_delta) v becomes v_reset, stays at it while refractory, and input is dropped, or stored and
    decayed to the end of that time.
    """
    if c.hard_reset:
        return _delta_step(c, j, x, s)
    v = max(c.alpha * s.v[j] + x, c.v_min)
    theta = c.v_th
    if c.adapt_beta != 0.0:
        s.adapt[j] = c.rho * s.adapt[j] + s.z[j]
        theta = c.v_th + c.adapt_beta * s.adapt[j]
    psi = 0.0 if s.left[j] > 0 else surrogate(c.surrogate, v - theta, c.height, c.width)
    s.z[j] = 0
    if v >= theta and s.left[j] == 0:
        s.z[j] = 1
        v -= c.v_th
        s.left[j] = c.refractory
    if s.left[j] > 0:
        s.left[j] -= 1
    s.v[j] = v
    return psi


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy", fastmath=False)
def _delta_step(c, j, x, s):
    v = s.v[j]
    free = s.left[j] == 0
    if free:
        v = c.alpha * v + x
        if c.refractory_input and s.waiting[j] != 0.0:
            v += s.waiting[j]
            s.waiting[j] = 0.0
        v = max(v, c.v_min)
    else:
        if c.refractory_input:
            s.waiting[j] += x * math.exp(-s.left[j] / c.tau_m)
        s.left[j] -= 1
    theta = c.v_th
    if c.adapt_beta != 0.0:
        if free:
            s.adapt[j] = c.rho * s.adapt[j] + s.z[j]
        theta = c.v_th + c.adapt_beta * s.adapt[j]
    psi = 0.0 if s.left[j] > 0 else surrogate(c.surrogate, v - theta, c.height, c.width)
    s.z[j] = 0
    if v >= theta:
        s.z[j] = 1
        v = c.v_reset
        s.left[j] = c.refractory
    s.v[j] = v
    return psi


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def deliver(syn, i, x):
    """Deliver a spike of source i to its recurrent targets."""
    for p in range(syn.start[i], syn.start[i + 1]):
        x[np.uint64(syn.target[p])] += syn.w[p]


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def learning_signal(error, B, L):
    """L_j = sum_k B_jk E_k, k ascending: the error of step n - 1 is credited to n - 2. Returns whether any E_k != 0."""
    nonzero = False
    for k in range(len(error)):
        nonzero |= error[k] != 0.0
    L[:] = 0.0
    if nonzero:
        for j in range(len(B)):
            for k in range(len(error)):
                L[j] += B[j, k] * error[k]
    return nonzero


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def readout_step(c, s, y, n, steps, window):
    """Advance the readouts under input y (K,), and compute their error, which is 0 without a label and outside the
    learning window; inside, window (G, W, K) receives y. Returns whether step n is inside."""
    sample, t = (n - 2) // c.T, (n - 2) % c.T - (c.T - c.W)
    inside = n >= 2 and t >= 0
    label = steps.labels[sample - (steps.n0 - 2) // c.T]
    for k in range(c.K):
        s.y[k] = y[k] + c.alpha_out * s.y[k]
        s.error[k] = 0.0
        if inside and label >= 0:
            s.error[k] = s.y[k] - (1.0 if k == label else 0.0)
        if inside and sample >= steps.k0:
            window[sample - steps.k0, t, k] = s.y[k]
    return inside


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def record_step(s, psi, L, rec, row):
    """Record a step: psi (N,) is of this step, L (N,) of two steps before."""
    for j in range(len(s.v)):
        rec.v[row, j] = s.v[j]
        rec.z[row, j] = s.z[j]
        rec.psi[row, j] = psi[j]
        rec.L[row, j] = L[j]
    for k in range(len(s.y)):
        rec.out[row, k] = s.y[k]
        rec.error[row, k] = s.error[k]
