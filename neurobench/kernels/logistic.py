"""The logistic function and a uniform draw, in arithmetic that compilers turn into vector instructions."""

import numpy as np
from numba import uint32

from neurobench.kernels.jit import njit
from neurobench.kernels.random import LAST_SHIFT, ROUNDS

_LOG2_E = np.float32(1.4426950408889634)
_ROUNDER = np.float32(1.5 * 2**23)  # adding it pushes a float's fraction out of the mantissa
_ROUNDER_BITS = np.int32(np.float32(_ROUNDER).view(np.int32))
_LIMIT = np.float32(30.0)  # the logistic of 30 differs from 1 by 1e-13: less than a float32 can resolve
_ONE = np.float32(1.0)
# 2^f on [-1/2, 1/2]: the Taylor series (f ln 2)^n / n!, cut after n = 6 (relative error 1.3e-7)
_C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(np.log(2.0) ** n / f) for n, f in ((1, 1), (2, 2), (3, 6), (4, 24), (5, 120), (6, 720))
)

(_S0, _M0), (_S1, _M1), (_S2, _M2) = ((np.uint32(s), np.uint32(m)) for s, m in ROUNDS)
_S3 = np.uint32(LAST_SHIFT)
_EIGHT = np.uint32(8)
_STEP = np.float32(2.0**-24)
_KEY_STEP = (np.uint32(0x9E3779B9), np.uint32(0x85EBCA6B))  # odd numbers: no two parts share either word of a key


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def exponential(x):
    """e^x for -87 <= x <= 88, float32; relative error below 2e-7 + |x| 2^-24.

    e^x = 2^n 2^f with n the integer nearest to x log2(e); 2^n is written straight into the exponent bits.
    """
    t = x * _LOG2_E
    z = t + _ROUNDER
    f = t - (z - _ROUNDER)
    n = np.int32(np.float32(z).view(np.int32) - _ROUNDER_BITS)
    p = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
    return np.int32(np.float32(p).view(np.int32) + np.int32(n << np.int32(23))).view(np.float32)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def logistic(x):
    """s(x) = 1 / (1 + e^-x), float32; absolute error below 2e-7."""
    return _ONE / (_ONE + exponential(-min(max(x, -_LIMIT), _LIMIT)))


@njit(cache=True, fastmath=False)
def uniform(counter, k0, k1):
    """Uniform draw number `counter` under a key, float32 in [0, 1): see `neurobench.kernels.random`. Takes uint32."""
    x = uint32(counter ^ k0)
    x = uint32(x ^ uint32(x >> _S0))
    x = uint32(x * _M0)
    x = uint32(x + k1)
    x = uint32(x ^ uint32(x >> _S1))
    x = uint32(x * _M1)
    x = uint32(x ^ uint32(x >> _S2))
    x = uint32(x * _M2)
    x = uint32(x ^ uint32(x >> _S3))
    return np.float32(np.int32(x >> _EIGHT)) * _STEP


@njit(cache=True, fastmath=False)
def key_of_part(part, key):
    """Key of a part of the draws (a read, a matrix) under a given key; part s under the result has the key of part +
    s. Both words differ: keys that share the second one give the same draws in another order."""
    return uint32(key[0] + uint32(part) * _KEY_STEP[0]), uint32(key[1] + uint32(part) * _KEY_STEP[1])
