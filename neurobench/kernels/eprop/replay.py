"""The replay of NEST's default synapse, where the exact engine spends nearly all of its time.

The targets of a source are taken LANES at a time, with their traces in vector registers over all replayed steps. The
compiler does not find this by itself, because each target's history is gathered; so the loop is written as LLVM's
vector instructions. Every lane does the operations of the scalar loop, in its order, without contraction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.eprop.records import LANES


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def replay(c, syn, src, past, i, begin, end, base, series):
    """Steps begin to end - 1 for all synapses of source i, without an update.

        z_bar = alpha z_bar + z,  e = psi z_bar,  e_bar = kappa e_bar + e,  e_reg = kappa_r e_reg + (1 - kappa_r) e
        g += L e_bar + R e_reg;        readout: z_bar = alpha_o z_bar + z,  g += E z_bar

    z is 1 in the step of the last arrival, and `carry` in the step before it. Where L is 0, its product is left out,
    which changes no bit. series (T + 4,) is scratch.
    """
    last, z_bar, z_out = src.last[i], src.z_bar[i, 0], src.z_bar[i, 1]
    j = i - c.inputs
    for t in range(begin, end):
        z = 1.0 if t == last else (src.carry[i] if t == last - 1 else 0.0)
        z_bar = c.alpha * z_bar + z
        series[t - base] = z_bar
        if j >= 0:
            z_out = c.alpha_out * z_out + z
            if past.erring[t - base]:
                for k in range(c.K):
                    syn.g_out[j, k] += past.E[t - base, k] * z_out
    src.z_bar[i, 0], src.z_bar[i, 1] = z_bar, z_out
    row, stop = begin - base, end - base
    while row < stop:
        taught = past.taught[row]
        after = row + 1
        while after < stop and past.taught[after] == taught:
            after += 1
        p, full = syn.start[i], syn.start[i + 1]
        while p < full:
            double = p + 2 * LANES <= full
            if taught and double:
                _taught_2(past.psi_reg, past.L, syn.target, syn.e_bar, syn.e_reg, syn.g, series, p, row, after, c)
            elif taught:
                _taught_1(past.psi_reg, past.L, syn.target, syn.e_bar, syn.e_reg, syn.g, series, p, row, after, c)
            elif double:
                _untaught_2(past.psi_reg, past.L, syn.target, syn.e_bar, syn.e_reg, syn.g, series, p, row, after, c)
            else:
                _untaught_1(past.psi_reg, past.L, syn.target, syn.e_bar, syn.e_reg, syn.g, series, p, row, after, c)
            p += 2 * LANES if double else LANES
        row = after


def _block(vectors: int, taught: bool) -> Callable[..., Any]:
    """A function of (psi_reg, L, target, e_bar, e_reg, g, series, p, row, stop, c): rows row to stop - 1 for the
    places p to p + vectors LANES - 1."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:7], args[:7], strict=True)
        ]
        psi_reg, L, target, e_bar, e_reg, g, series = (array.data for array in arrays)
        p, row, stop, c = args[7:]
        width = cgutils.unpack_tuple(builder, arrays[1].shape)[1]  # N + 1
        constants = dict(zip(signature.args[10].fields, cgutils.unpack_tuple(builder, c), strict=True))
        kappa, kappa_reg = constants["kappa"], constants["kappa_reg"]
        rest = builder.fsub(ir.Constant(ir.DoubleType(), 1.0), kappa_reg)
        loop = _Loop(builder, psi_reg, L, series, width, [_splat(builder, one) for one in (kappa, kappa_reg, rest)])
        begin = builder.block
        places = [builder.add(p, ir.Constant(p.type, LANES * number)) for number in range(vectors)]
        lanes = [_lanes(builder, target, place) for place in places]
        pointers = [[_at(builder, part, place) for part in (e_bar, e_reg, g)] for place in places]
        entry = [[builder.load(pointer, align=8) for pointer in three] for three in pointers]
        body, done = builder.append_basic_block("replay"), builder.append_basic_block("replayed")
        builder.branch(body)
        builder.position_at_end(body)
        t = builder.phi(row.type)
        t.add_incoming(row, begin)
        now = []
        for three in entry:
            now.append([builder.phi(_VECTOR) for _ in three])
            for phi, value in zip(now[-1], three, strict=True):
                phi.add_incoming(value, begin)
        z_bar = _splat(builder, builder.load(builder.gep(series, [t])))
        after = [loop.step(t, z_bar, at, three, taught) for at, three in zip(lanes, now, strict=True)]
        following = builder.add(t, ir.Constant(t.type, 1))
        t.add_incoming(following, body)
        for phis, values in zip(now, after, strict=True):
            for phi, value in zip(phis, values, strict=True):
                phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed("<", following, stop), body, done)
        builder.position_at_end(done)
        for three, values in zip(pointers, after, strict=True):
            for pointer, value in zip(three, values, strict=True):
                builder.store(value, pointer, align=8)
        return context.get_dummy_value()

    def block(typingctx: Any, psi_reg: Any, L: Any, target: Any, e_bar: Any, e_reg: Any, g: Any, series: Any,
              p: Any, row: Any, stop: Any, c: Any) -> Any:  # fmt: skip
        kinds = (psi_reg, L, target, e_bar, e_reg, g, series, types.int64, types.int64, types.int64, c)
        return types.void(*kinds), codegen

    return intrinsic(block)


_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(32)


class _Loop:
    """What a step of the loop needs."""

    def __init__(self, builder: ir.IRBuilder, psi_reg: Any, L: Any, series: Any, width: Any, factors: list[Any]):
        self.builder, self.psi_reg, self.L, self.series, self.width = builder, psi_reg, L, series, width
        self.kappa, self.kappa_reg, self.rest = factors

    def step(self, row: Any, z_bar: Any, at: list[Any], traces: list[Any], taught: bool) -> list[Any]:
        """e_bar, e_reg and g after one more step."""
        b = self.builder
        first = b.mul(row, self.width)
        where = [b.add(first, lane) for lane in at]
        psi, regularisation = self._history(where)
        e_bar, e_reg, g = traces
        e = b.fmul(psi, z_bar)
        e_bar = b.fadd(b.fmul(self.kappa, e_bar), e)
        e_reg = b.fadd(b.fmul(self.kappa_reg, e_reg), b.fmul(self.rest, e))
        slope = b.fmul(regularisation, e_reg)
        if taught:
            slope = b.fadd(b.fmul(self._signal(where), e_bar), slope)
        return [e_bar, e_reg, b.fadd(g, slope)]

    def _history(self, where: list[Any]) -> tuple[Any, Any]:
        """psi and R of LANES targets, which lie side by side in memory: one load a target, then a transposition."""
        b = self.builder
        pair = ir.VectorType(ir.DoubleType(), 2)
        pairs = b.bitcast(self.psi_reg, pair.as_pointer())
        loads = [b.load(b.gep(pairs, [one]), align=8) for one in where]
        even = b.shuffle_vector(loads[0], loads[2], _mask(0, 1, 2, 3))
        odd = b.shuffle_vector(loads[1], loads[3], _mask(0, 1, 2, 3))
        return b.shuffle_vector(even, odd, _mask(0, 4, 2, 6)), b.shuffle_vector(even, odd, _mask(1, 5, 3, 7))

    def _signal(self, where: list[Any]) -> Any:
        b = self.builder
        gathered = ir.Constant(_VECTOR, ir.Undefined)
        for number, one in enumerate(where):
            gathered = b.insert_element(gathered, b.load(b.gep(self.L, [one])), ir.Constant(_INDEX, number))
        return gathered


def _mask(*lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(_INDEX, len(lanes)), list(lanes))


def _splat(builder: ir.IRBuilder, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(one, one, _mask(*[0] * LANES))


def _lanes(builder: ir.IRBuilder, target: Any, place: Any) -> list[Any]:
    """The targets of LANES places."""
    numbers = [builder.add(place, ir.Constant(place.type, number)) for number in range(LANES)]
    return [builder.load(builder.gep(target, [number])) for number in numbers]


def _at(builder: ir.IRBuilder, array: Any, place: Any) -> Any:
    return builder.bitcast(builder.gep(array, [place]), _VECTOR.as_pointer())


_taught_1, _taught_2 = _block(1, True), _block(2, True)
_untaught_1, _untaught_2 = _block(1, False), _block(2, False)
