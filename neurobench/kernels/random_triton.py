"""The draws of `neurobench.kernels.random`, for Triton kernels."""

import triton
import triton.language as tl

from neurobench.kernels.random import LAST_SHIFT, ROUNDS

_S0, _M0 = (tl.constexpr(number) for number in ROUNDS[0])
_S1, _M1 = (tl.constexpr(number) for number in ROUNDS[1])
_S2, _M2 = (tl.constexpr(number) for number in ROUNDS[2])
_S3 = tl.constexpr(LAST_SHIFT)
_STEP = tl.constexpr(2.0**-24)


@triton.jit
def uniform(counter, k0, k1):
    """Triton version of `neurobench.kernels.logistic.uniform`; takes uint32."""
    x = counter ^ k0
    x = (x ^ (x >> _S0)) * _M0 + k1
    x = (x ^ (x >> _S1)) * _M1
    x = (x ^ (x >> _S2)) * _M2
    x = x ^ (x >> _S3)
    return (x >> 8).to(tl.int32).to(tl.float32) * _STEP
