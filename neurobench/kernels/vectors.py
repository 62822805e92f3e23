"""Instructions that the compiler does not find by itself."""

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def fused(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once. All of one floating type."""
    number = types.float64 if types.float64 in (x, y, z) else types.float32
    return number(number, number, number), lambda context, builder, signature, args: builder.fma(*args)
