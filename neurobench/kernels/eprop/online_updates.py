"""Vector code for all synapses of a source in `eprop.online`, in the notation of that module.

Each synapse reads the current sums of its target, LANES at a time; Y and U of a neuron are adjacent and read in one
load. The synapses of the next source, `ahead` places further on, are prefetched meanwhile.
"""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.eprop import simd
from neurobench.kernels.eprop.records import LANES
from neurobench.kernels.vectors import fetch


@intrinsic
def update_and_deliver(typingctx, c, sums, syn, offset, x, begin, end, ahead, row, Z, D, less, rate):
    """Update synapses begin to end - 1 with the sums of their targets, X at row `row`, and deliver a spike:

    w <- clip(w - rate (g + q Y + Z U)),  x[target] += w,  q <- q - D X,  g <- less U - q Y,   less: -(Z + D)
    """

    def emit(context, builder, signature, args):
        c, sums, syn = (simd.fields(context, builder, signature.args[at], args[at]) for at in range(3))
        offset, x = (simd.array(context, builder, signature.args[at], args[at]) for at in (3, 4))
        Z, D, less, rate, w_min, w_max = (simd.splat(builder, one) for one in (*args[9:], c["w_min"], c["w_max"]))
        X = _row(builder, sums["X"], args[8])

        def body(at, w, q, g):
            Y, U = _gather_YU(builder, sums, at)
            old, weight = (builder.load(pointer, align=8) for pointer in (q, w))
            due = _add_due(builder, builder.load(g, align=8), old, Y, Z, U)
            weight = _less(builder, weight, rate, due)
            weight = builder.select(builder.fcmp_ordered(">", weight, w_min), weight, w_min)
            weight = builder.select(builder.fcmp_ordered("<", weight, w_max), weight, w_max)
            builder.store(weight, w, align=8)
            for lane, one in enumerate(at):
                place = _element(builder, x.data, one)
                part = builder.extract_element(weight, ir.Constant(simd.INDEX, lane))
                builder.store(builder.fadd(builder.load(place), part), place)
            new = _less(builder, old, D, _gather(builder, X, at))
            builder.store(new, q, align=8)
            builder.store(_less(builder, builder.fmul(less, U), new, Y), g, align=8)

        _for_synapses(builder, syn, offset, args[5], args[6], body, args[7])
        return context.get_dummy_value()

    return types.void(c, sums, syn, offset, x, *[types.int64] * 4, *[types.float64] * 4), emit


@intrinsic
def add_gradient(typingctx, sums, syn, offset, begin, end, ahead, row, Z, kappa):
    """Update synapses begin to end - 1:  g += q Y + Z U,  q <- kappa (q + Z X)"""

    def emit(context, builder, signature, args):
        sums, syn = (simd.fields(context, builder, signature.args[at], args[at]) for at in range(2))
        Z, kappa = (simd.splat(builder, one) for one in args[7:])
        offset, X = simd.array(context, builder, signature.args[2], args[2]), _row(builder, sums["X"], args[6])

        def body(at, _, q, g):
            old, due = (builder.load(pointer, align=8) for pointer in (q, g))
            Y, U = _gather_YU(builder, sums, at)
            builder.store(_add_due(builder, due, old, Y, Z, U), g, align=8)
            trace = simd.fused(builder, Z, _gather(builder, X, at), old)
            builder.store(builder.fmul(kappa, trace), q, align=8)

        _for_synapses(builder, syn, offset, args[3], args[4], body, args[5])
        return context.get_dummy_value()

    return types.void(sums, syn, offset, *[types.int64] * 4, types.float64, types.float64), emit


@intrinsic
def resume(typingctx, sums, syn, offset, begin, end, row, Z, decay):
    """Update synapses begin to end - 1 of a source beyond its cutoff:  q <- decay q - Z X,  g -= q Y + Z U"""

    def emit(context, builder, signature, args):
        sums, syn = (simd.fields(context, builder, signature.args[at], args[at]) for at in range(2))
        Z, decay = (simd.splat(builder, one) for one in args[6:])
        offset, X = simd.array(context, builder, signature.args[2], args[2]), _row(builder, sums["X"], args[5])

        def body(at, _, q, g):
            old, due = (builder.load(pointer, align=8) for pointer in (q, g))
            trace = _less(builder, builder.fmul(decay, old), Z, _gather(builder, X, at))
            builder.store(trace, q, align=8)
            Y, U = _gather_YU(builder, sums, at)
            due = _less(builder, due, Z, U)
            builder.store(_less(builder, due, trace, Y), g, align=8)

        _for_synapses(builder, syn, offset, args[3], args[4], body)
        return context.get_dummy_value()

    return types.void(sums, syn, offset, *[types.int64] * 3, types.float64, types.float64), emit


def _for_synapses(builder, syn, offset, begin, end, body, ahead=None):
    """Emit body(targets' offsets, pointers to w, q and g) for synapses begin to end - 1, LANES at a time."""
    step = ir.Constant(simd.INDEX, LANES)
    with cgutils.for_range_slice(builder, begin, end, step, simd.INDEX) as (p, _):
        if ahead is not None:
            place = builder.add(p, ahead)
            for data in (*(syn[name].data for name in ("w", "q", "g")), offset.data):
                fetch(builder, data, place, cache=1)
        pointers = (simd.vector_at(builder, syn[name].data, p) for name in ("w", "q", "g"))
        body(simd.targets(builder, offset, p), *pointers)


def _add_due(builder, g, q, Y, Z, U):
    """g + q Y + Z U"""
    return simd.fused(builder, q, Y, simd.fused(builder, Z, U, g))


def _less(builder, a, b, c):
    """a - b c"""
    return simd.fused(builder, builder.fneg(b), c, a)


def _element(builder, data, offset):
    """Pointer to the number that lies `offset` bytes from the first."""
    at = builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [offset])
    return builder.bitcast(at, data.type)


def _row(builder, matrix, row):
    return builder.gep(matrix.data, [builder.mul(row, simd.columns(builder, matrix))])


def _gather_YU(builder, sums, at):
    twice = (builder.shl(offset, ir.Constant(simd.INDEX, 1)) for offset in at)
    return simd.gather_pairs(builder, [_element(builder, sums["YU"].data, offset) for offset in twice])


def _gather(builder, row, at):
    return simd.gather(builder, [_element(builder, row, offset) for offset in at])
