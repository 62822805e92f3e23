"""One step of the recurrent neurons of NEST's e-prop models."""

import math

from numba import njit


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
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


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def neuron_step(c, j, x, s):
    """Neuron j under input x. Returns its psi; `s` (Neurons) is changed in place, s.z[j] says whether it fired.

        v = alpha v + x,  psi at v - theta,  spike where v >= theta and not refractory,  then v -= v_th

    With hard_reset (psc_delta) v becomes v_reset, stays there while refractory, and input is dropped, or kept and
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


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _delta_step(c, j, x, s):
    v = s.v[j]
    free = s.left[j] == 0
    if free:
        v = c.alpha * v + x
        if c.refractory_input and s.kept[j] != 0.0:
            v += s.kept[j]
            s.kept[j] = 0.0
        v = max(v, c.v_min)
    else:
        if c.refractory_input:
            s.kept[j] += x * math.exp(-s.left[j] / c.tau_m)
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
