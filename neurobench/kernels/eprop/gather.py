"""What a spike does to all synapses of its source in `eprop.online`, LANES at a time.

Each synapse reads the sums of its own target. The compiler does not vectorise that, so the loops are written as LLVM's
vector instructions; Y and U of a neuron lie side by side and come in one load.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.eprop.records import LANES

_NUMBER, _INDEX = ir.DoubleType(), ir.IntType(64)
_VECTOR, _PAIR = ir.VectorType(_NUMBER, LANES), ir.VectorType(_NUMBER, 2)
_FUSED = ("contract",)


@intrinsic
def arrive(typingctx: Any, X: Any, YU: Any, target: Any, w: Any, q: Any, x: Any, begin: Any, end: Any,
           high: Any, low: Any, now: Any, Z: Any, D: Any, rate: Any, w_min: Any, w_max: Any) -> Any:  # fmt: skip
    """Of the places begin to end - 1, with sums of their target at the rows high, low and now:

    w <- clip(w - rate (q [Y(high) - Y(low)] + Z [U(high) - U(low)])),  x[target] += w,  q <- q - D X(now)
    """
    arrays, rows, factors = (X, YU, target, w, q, x), (types.int64,) * 5, (types.float64,) * 5
    return types.void(*arrays, *rows, *factors), _arrive


def _arrive(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    X, YU, target, w, q, x = _data(context, builder, signature, args[:6])
    width = _width(context, builder, signature, args)
    begin, end, high, low, now = args[6:11]
    Z, D, rate, w_min, w_max = (_splat(builder, one) for one in args[11:])
    with _places(builder, begin, end) as (p, _):
        at = _lanes(builder, target, p)
        old, weight = (builder.load(_vector(builder, part, p), align=8) for part in (q, w))
        slope = _slope(builder, YU, at, width, high, low, old, Z)
        weight = builder.fsub(weight, builder.fmul(rate, slope, _FUSED), _FUSED)
        weight = builder.select(builder.fcmp_ordered(">", weight, w_min), weight, w_min)
        weight = builder.select(builder.fcmp_ordered("<", weight, w_max), weight, w_max)
        builder.store(weight, _vector(builder, w, p), align=8)
        for lane, one in enumerate(at):
            place = builder.gep(x, [one])
            got = builder.extract_element(weight, ir.Constant(_INDEX, lane))
            builder.store(builder.fadd(builder.load(place), got), place)
        drop = builder.fmul(D, _gathered(builder, X, at, width, now), _FUSED)
        builder.store(builder.fsub(old, drop, _FUSED), _vector(builder, q, p), align=8)
    return context.get_dummy_value()


@intrinsic
def settle(typingctx: Any, X: Any, YU: Any, target: Any, g: Any, q: Any, begin: Any, end: Any,
           high: Any, low: Any, Z: Any, kappa: Any) -> Any:  # fmt: skip
    """Of the places begin to end - 1:  g += q [Y(high) - Y(low)] + Z [U(high) - U(low)],  q <- kappa (q + Z X(high))"""
    arrays, rows, factors = (X, YU, target, g, q), (types.int64,) * 4, (types.float64,) * 2
    return types.void(*arrays, *rows, *factors), _settle


def _settle(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    X, YU, target, g, q = _data(context, builder, signature, args[:5])
    width = _width(context, builder, signature, args)
    begin, end, high, low = args[5:9]
    Z, kappa = (_splat(builder, one) for one in args[9:])
    with _places(builder, begin, end) as (p, _):
        at = _lanes(builder, target, p)
        old, sum_so_far = (builder.load(_vector(builder, part, p), align=8) for part in (q, g))
        slope = _slope(builder, YU, at, width, high, low, old, Z)
        builder.store(builder.fadd(sum_so_far, slope), _vector(builder, g, p), align=8)
        trace = builder.fadd(old, builder.fmul(Z, _gathered(builder, X, at, width, high), _FUSED), _FUSED)
        builder.store(builder.fmul(kappa, trace), _vector(builder, q, p), align=8)
    return context.get_dummy_value()


def _slope(builder: Any, YU: Any, at: list[Any], width: Any, high: Any, low: Any, q: Any, Z: Any) -> Any:
    """q [Y(high) - Y(low)] + Z [U(high) - U(low)]"""
    pairs = builder.bitcast(YU, _PAIR.as_pointer())
    above, below = (builder.mul(row, width) for row in (high, low))
    difference = []
    for one in at:
        ends = [builder.load(builder.gep(pairs, [builder.add(row, one)]), align=8) for row in (above, below)]
        difference.append(builder.fsub(*ends))
    even = builder.shuffle_vector(difference[0], difference[2], _mask(0, 1, 2, 3))
    odd = builder.shuffle_vector(difference[1], difference[3], _mask(0, 1, 2, 3))
    Y, U = (builder.shuffle_vector(even, odd, _mask(k, k + 4, k + 2, k + 6)) for k in (0, 1))
    return builder.fadd(builder.fmul(q, Y, _FUSED), builder.fmul(Z, U, _FUSED), _FUSED)


def _gathered(builder: Any, X: Any, at: list[Any], width: Any, row: Any) -> Any:
    first = builder.mul(row, width)
    found = ir.Constant(_VECTOR, ir.Undefined)
    for lane, one in enumerate(at):
        value = builder.load(builder.gep(X, [builder.add(first, one)]))
        found = builder.insert_element(found, value, ir.Constant(_INDEX, lane))
    return found


def _data(context: Any, builder: Any, signature: Any, arrays: Any) -> list[Any]:
    kinds = signature.args[: len(arrays)]
    return [context.make_array(kind)(context, builder, one).data for kind, one in zip(kinds, arrays, strict=True)]


def _width(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """N + 1, the length of a row of X."""
    return cgutils.unpack_tuple(builder, context.make_array(signature.args[0])(context, builder, args[0]).shape)[1]


def _places(builder: Any, begin: Any, end: Any) -> Any:
    return cgutils.for_range_slice(builder, begin, end, ir.Constant(_INDEX, LANES), _INDEX)


def _lanes(builder: Any, target: Any, p: Any) -> list[Any]:
    """The targets of LANES places."""
    places = [builder.add(p, ir.Constant(_INDEX, lane)) for lane in range(LANES)]
    return [builder.zext(builder.load(builder.gep(target, [place])), _INDEX) for place in places]


def _vector(builder: Any, array: Any, p: Any) -> Any:
    return builder.bitcast(builder.gep(array, [p]), _VECTOR.as_pointer())


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(one, one, _mask(*[0] * LANES))


def _mask(*lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
