"""Sums that make up the gradient of a layer's decays, see `backward`."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.vectors import FLOAT, FUSED, load, ordered_sums, spread, vector

_LANES = 16


@intrinsic
def decay_sums(typingctx: Any, v: Any, before: Any, e1: Any, f1: Any, threshold: Any, kv: Any) -> Any:
    """Sums over k of f1 (v - left), e1 (v where v <= threshold, else 0), e1 v, float32;

        left = kv before where before <= threshold, else 0,   without its fraction if voltages are integers.

    v, before: (N,) int32 or float32, voltages of some steps and of the steps before them; e1, f1 (N,) float32: ev and
    eu of the steps after them.
    """
    return types.UniTuple(types.float32, 3)(v, v, e1, f1, v.dtype, types.float32), _code


def _code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    arrays = [context.make_array(signature.args[at])(context, builder, args[at]) for at in range(4)]
    (count,) = cgutils.unpack_tuple(builder, arrays[0].shape)
    whole = isinstance(signature.args[4], types.Integer)

    def terms(place: Any, lanes: int) -> list[Any]:
        v, before, e1, f1 = (load(builder, each, place, lanes) for each in arrays)
        threshold, kv = (spread(builder, number, lanes) for number in args[4:])
        kind, zero = vector(FLOAT, lanes), spread(builder, ir.Constant(FLOAT, 0.0), lanes)

        def float_of(x: Any) -> Any:
            return builder.sitofp(x, kind) if whole else x

        def at_rest(x: Any) -> Any:
            return builder.icmp_signed("<=", x, threshold) if whole else builder.fcmp_ordered("<=", x, threshold)

        decayed = builder.fmul(kv, float_of(before), flags=FUSED)
        if whole:
            name = "llvm.trunc.f32" if lanes == 1 else f"llvm.trunc.v{lanes}f32"
            trunc = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
            decayed = builder.call(trunc, [decayed])
        now, left = float_of(v), builder.select(at_rest(before), decayed, zero)
        current = builder.fmul(f1, builder.fsub(now, left, flags=FUSED), flags=FUSED)
        after = builder.fmul(builder.select(at_rest(v), now, zero), e1, flags=FUSED)
        return [current, after, builder.fmul(e1, now, flags=FUSED)]

    sums = ordered_sums(builder, count, _LANES, [ir.Constant(FLOAT, 0.0)] * 3, terms)
    return context.make_tuple(builder, signature.return_type, sums)
