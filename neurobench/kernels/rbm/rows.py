"""Lists of active units, and sums of their rows of a matrix.

A row that begins at a cache line is read twice as fast as a misaligned one, in which most vectors of 512 bits span two
lines: see `neurobench.kernels.rbm.layers.laid_out`.
"""

from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.aligned import FLOATS
from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import FLOAT, FUSED, INDEX, load, register_loop, spread

ROOM = 8  # entries that a list of units needs beyond its end
COLUMNS = 80  # columns whose sums stay in registers over all rows: 5 registers of 512 bits, or 10 of the 16 of 256
_TOGETHER = 4  # rows added at a time
_GROUP = 16  # states listed at a time
_ON = np.array([[k for k in range(8) if byte >> k & 1] + [0] * (8 - byte.bit_count()) for byte in range(256)], np.uint8)
_NUMBERS, _SMALL = ir.VectorType(ir.IntType(32), 8), ir.VectorType(ir.IntType(8), 8)


@njit(cache=True, _nrt=False, error_model="numpy")
def active(x, index):
    """Write the units of x (I,) float32 that are not 0 to `index` (I + ROOM,) uint32, in order, and return their
    number."""
    n, on = 0, _ON
    whole = x.shape[0] // _GROUP * _GROUP
    for first in range(0, whole, _GROUP):
        n = _list_group(x, first, index, n, on)
    for i in range(whole, x.shape[0]):
        index[n] = i  # overwritten if the unit is not on
        n += x[i] != np.float32(0.0)
    return n


@intrinsic
def _list_group(typingctx: Any, x: Any, first: Any, index: Any, n: Any, on: Any) -> Any:
    """`active` for _GROUP units, the list having n so far: a table gives those of eight that are on. Eight places are
    always written, and those beyond the list's end are overwritten next: no branch to mispredict."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, index, on = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 2, 4))
        n, byte = args[3], ir.IntType(8)
        for part in range(0, _GROUP, 8):
            first = builder.add(args[1], ir.Constant(INDEX, part))
            numbers = load(builder, x, first, 8)
            nonzero = builder.fcmp_unordered("!=", numbers, ir.Constant(numbers.type, [0.0] * 8))
            bits = builder.bitcast(nonzero, byte)
            row = builder.gep(on.data, [builder.shl(builder.zext(bits, INDEX), ir.Constant(INDEX, 3))])
            places = builder.zext(builder.load(builder.bitcast(row, _SMALL.as_pointer()), align=1), _NUMBERS)
            units = builder.add(places, spread(builder, builder.trunc(first, ir.IntType(32)), 8))
            builder.store(units, builder.bitcast(builder.gep(index.data, [n]), _NUMBERS.as_pointer()), align=4)
            n = builder.add(n, builder.zext(builder.ctpop(bits), INDEX))
        return n

    return types.int64(x, types.int64, index, types.int64, on), code


@njit(cache=True, _nrt=False, error_model="numpy", inline="always")
def add_rows(x, index, n, W, out):
    """out += sum_k x[index[k]] W[index[k]], four rows at a time. W (I, M), out (M,), contiguous float32."""
    whole = out.shape[0] // COLUMNS * COLUMNS
    for column in range(0, whole, COLUMNS):
        _add_five(x, index, n, W, out, column)
    lines = (out.shape[0] - whole) // FLOATS
    if lines == 4:
        _add_four(x, index, n, W, out, whole)
    elif lines == 3:
        _add_three(x, index, n, W, out, whole)
    elif lines == 2:
        _add_two(x, index, n, W, out, whole)
    elif lines == 1:
        _add_one(x, index, n, W, out, whole)
    whole += FLOATS * lines
    if whole < out.shape[0]:
        _add_columns(x, index, n, W, out, whole)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _add_columns(x, index, n, W, out, first):
    """`add_rows` for the columns from `first` on, less than a line."""
    k, end = 0, out[first:]
    while k + 4 <= n:
        i0, i1, i2, i3 = index[k], index[k + 1], index[k + 2], index[k + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        w0, w1, w2, w3 = W[i0, first:], W[i1, first:], W[i2, first:], W[i3, first:]
        for j in range(end.shape[0]):
            end[j] += (x0 * w0[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j])
        k += 4
    while k < n:
        x0, w0 = x[index[k]], W[index[k], first:]
        for j in range(end.shape[0]):
            end[j] += x0 * w0[j]
        k += 1


def _adding(lines: int) -> Any:
    """`add_rows` for some lines from `column` on, which the compiler would load and store for every four rows."""

    @intrinsic
    def add(typingctx: Any, x: Any, index: Any, n: Any, W: Any, out: Any, column: Any) -> Any:
        code = partial(_code, lines)
        return types.void(x, index, types.int64, W, out, types.int64), code

    return add


def _code(lines: int, context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    x, index, W, out = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 1, 3, 4))
    n, column, width = args[2], args[5], cgutils.unpack_tuple(builder, W.shape)[1]
    zero, two = ir.Constant(INDEX, 0), ir.Constant(INDEX, 2)

    def block(array: Any, place: Any) -> list[Any]:
        vectors = builder.bitcast(builder.gep(array.data, [place]), ir.VectorType(FLOAT, FLOATS).as_pointer())
        return [builder.gep(vectors, [ir.Constant(INDEX, each)]) for each in range(lines)]

    def terms(first: Any, count: int) -> list[list[Any]]:
        """Scaled terms of `count` rows, for each line of the block."""
        scaled = []
        for k in range(count):
            unit = builder.zext(load(builder, index, builder.add(first, ir.Constant(INDEX, k)), 1), INDEX)
            scale, row = load(builder, x, unit, 1), block(W, builder.add(builder.mul(unit, width), column))
            scaled.append((spread(builder, scale, FLOATS), row))
        return [
            [builder.fmul(a, builder.load(row[k], align=4), flags=FUSED) for a, row in scaled] for k in range(lines)
        ]

    def add(*pair: Any) -> Any:
        return builder.fadd(*pair, flags=FUSED)

    def add_some(group: Any, sums: list[Any]) -> list[Any]:
        some = terms(builder.shl(group, two), _TOGETHER)
        return [add(total, add(add(*each[:2]), add(*each[2:]))) for total, each in zip(sums, some, strict=True)]

    def add_one(k: Any, sums: list[Any]) -> list[Any]:
        return [add(total, each[0]) for total, each in zip(sums, terms(k, 1), strict=True)]

    places, groups = block(out, column), builder.lshr(n, two)
    sums = register_loop(builder, zero, groups, [builder.load(place, align=4) for place in places], add_some)
    sums = register_loop(builder, builder.shl(groups, two), n, sums, add_one)
    for place, total in zip(places, sums, strict=True):
        builder.store(total, place, align=4)
    return context.get_dummy_value()


_add_one, _add_two, _add_three, _add_four, _add_five = map(_adding, (1, 2, 3, 4, COLUMNS // FLOATS))
