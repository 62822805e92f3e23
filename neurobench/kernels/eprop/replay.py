"""Replay of NEST's default synapse, in which the exact engine spends nearly all of its time.

The targets of a source are processed LANES at a time, with their traces in vector registers over all replayed steps.
Every lane does the operations of the scalar loop, in its order, without contraction.
"""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from neurobench.kernels.eprop import simd
from neurobench.kernels.eprop.records import LANES
from neurobench.kernels.jit import njit


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def replay(net, i, begin, end, base):
    """Replay steps begin to end - 1 for all synapses of source i, without an update.

        z_bar = alpha z_bar + z,  e = psi z_bar,  e_bar = kappa e_bar + e,  e_reg = kappa_r e_reg + (1 - kappa_r) e
        g += L e_bar + R e_reg;        readout: z_bar = alpha_o z_bar + z,  g += E z_bar

    z is 1 in the step of the last arrival, and `carry` in the step before it. If L is 0, its product is omitted, which
    changes no bit.
    """
    past = net.past
    replay_source(net.c, net.syn, net.src, past, i, begin, end, base)
    row, stop = begin - base, end - base
    while row < stop:
        taught = past.taught[row]
        after = row + 1
        while after < stop and past.taught[after] == taught:
            after += 1
        _replay_synapses(net.c, net.syn, past, i, row, after, taught)
        row = after


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def replay_source(c, syn, src, past, i, begin, end, base):
    """Write the source's filtered spikes by step to past.series, and add to the gradients of its readout synapses."""
    last, z_bar, z_out = src.last[i], src.z_bar[i, 0], src.z_bar[i, 1]
    j = i - c.inputs
    for t in range(begin, end):
        z = 1.0 if t == last else (src.carry[i] if t == last - 1 else 0.0)
        z_bar = c.alpha * z_bar + z
        past.series[t - base] = z_bar
        if j >= 0:
            z_out = c.alpha_out * z_out + z
            if past.erring[t - base]:
                for k in range(c.K):
                    syn.g_out[j, k] += past.E[t - base, k] * z_out
    src.z_bar[i, 0], src.z_bar[i, 1] = z_bar, z_out


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _replay_synapses(c, syn, past, i, row, stop, taught):
    """Replay rows row to stop - 1 of the past, all of them with a learning signal (taught) or all without."""
    p, full = syn.start[i], syn.start[i + 1]
    while p < full:
        double = p + 2 * LANES <= full
        if taught and double:
            _taught_2(c, syn, past, p, row, stop)
        elif taught:
            _taught_1(c, syn, past, p, row, stop)
        elif double:
            _untaught_2(c, syn, past, p, row, stop)
        else:
            _untaught_1(c, syn, past, p, row, stop)
        p += 2 * LANES if double else LANES


def _block(vectors, taught):
    """Intrinsic (c, syn, past, p, row, stop): replays rows row to stop - 1 for places p to p + vectors LANES - 1."""

    def block(typingctx, c, syn, past, p, row, stop):
        return types.void(c, syn, past, types.int64, types.int64, types.int64), codegen

    def codegen(context, builder, signature, args):
        records = zip(signature.args[:3], args[:3], strict=True)
        c, syn, past = (simd.fields(context, builder, kind, value) for kind, value in records)
        p, row, stop = args[3:]
        places = [builder.add(p, ir.Constant(p.type, LANES * number)) for number in range(vectors)]
        targets = [simd.targets(builder, syn["target"], place) for place in places]
        step = _step(builder, c, past, targets, taught)
        names = ("e_bar", "e_reg", "g")
        pointers = [simd.vector_at(builder, syn[name].data, place) for place in places for name in names]
        traces = [builder.load(pointer, align=8) for pointer in pointers]
        traces = simd.register_loop(builder, row, stop, traces, step)
        for pointer, value in zip(pointers, traces, strict=True):
            builder.store(value, pointer, align=8)
        return context.get_dummy_value()

    return intrinsic(block)


def _step(builder, c, past, targets, taught):
    """Function that replays one row: from e_bar, e_reg and g of each vector of targets to those after it."""
    rest = builder.fsub(ir.Constant(ir.DoubleType(), 1.0), c["kappa_reg"])
    kappa, kappa_reg, rest = (simd.splat(builder, one) for one in (c["kappa"], c["kappa_reg"], rest))
    width = simd.columns(builder, past["L"])  # N + 1
    add, times = builder.fadd, builder.fmul

    def step(row, traces):
        z_bar = simd.splat(builder, builder.load(builder.gep(past["series"].data, [row])))
        after = []
        for number, at in enumerate(targets):
            e_bar, e_reg, g = traces[3 * number : 3 * number + 3]
            places = simd.row_places(builder, row, width, at)
            twice = (builder.shl(place, ir.Constant(simd.INDEX, 1)) for place in places)
            psi, R = simd.gather_pairs(builder, [builder.gep(past["psi_reg"].data, [place]) for place in twice])
            e = times(psi, z_bar)
            e_bar = add(times(kappa, e_bar), e)
            e_reg = add(times(kappa_reg, e_reg), times(rest, e))
            gradient = times(R, e_reg)
            if taught:
                L = simd.gather(builder, [builder.gep(past["L"].data, [place]) for place in places])
                gradient = add(times(L, e_bar), gradient)
            after += [e_bar, e_reg, add(g, gradient)]
        return after

    return step


_taught_1, _taught_2 = _block(1, True), _block(2, True)
_untaught_1, _untaught_2 = _block(1, False), _block(2, False)
