"""Product of two small float32 matrices inside a compiled kernel, for one thread: a library's would make all threads
wait for each other. Rows are multiplied by panels of columns, a tile of sums staying in registers over the inner index.
Each number is one sum in the order of k, fused at each step: its bits do not depend on tiles.

Source: Van Zee & van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality" (2015).
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.host import WIDE
from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import fused

# Registers of a tile: 12 vectors of sums, 2 of b and one of a in 16 registers; with AVX-512 24, 2 and one in 32.
ROWS, LANES, COLUMNS = (12, 16, 32) if WIDE else (6, 8, 16)
_FUSED_FROM = (6, 16)  # size from which results are fused, on every processor; smaller ones round each product too
_STRIP = 48 if WIDE else 96  # rows of a that are multiplied by every panel while they are in the second-level cache
_INDEX, _FLOAT = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)


@njit(cache=True, _nrt=False, error_model="numpy")
def pack_transposed(w, panels):
    """Write w (J, K) as panels (P, K, COLUMNS) of w': panels[p, k, i] = w[first(p) + i, k].

    The last panel ends with the last row. With fewer than COLUMNS rows, zeros follow them.
    """
    rows, inner = w.shape
    for p in range(panels.shape[0]):
        first = max(0, min(COLUMNS * p, rows - COLUMNS))
        for i in range(COLUMNS):
            for k in range(inner):
                panels[p, k, i] = w[first + i, k] if first + i < rows else np.float32(0.0)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def multiply(a, panels, out):
    """out (T, J) = a (T, K) b, panels of b (K, J) as `pack_transposed` makes them from b'. All contiguous."""
    steps, width = out.shape
    if steps < ROWS or width < COLUMNS:
        _multiply_few(a, panels, out)
        return
    for first in range(0, steps, _STRIP):
        last = min(first + _STRIP, steps)
        for p in range(panels.shape[0]):
            column = min(COLUMNS * p, width - COLUMNS)
            for row in range(first, last, ROWS):
                _tile(a, min(row, steps - ROWS), panels, p, out, column)


@njit(cache=True, _nrt=False, error_model="numpy")
def _multiply_few(a, panels, out):
    fuses = out.shape[0] >= _FUSED_FROM[0] and out.shape[1] >= _FUSED_FROM[1]
    for p in range(panels.shape[0]):
        column = max(0, min(COLUMNS * p, out.shape[1] - COLUMNS))
        for t in range(a.shape[0]):
            for i in range(min(COLUMNS, out.shape[1])):
                total = np.float32(0.0)
                for k in range(a.shape[1]):
                    x, y = a[t, k], panels[p, k, i]
                    total = fused(x, y, total) if fuses else total + x * y
                out[t, column + i] = total


@intrinsic
def _tile(typingctx: Any, a: Any, row: Any, panels: Any, p: Any, out: Any, column: Any) -> Any:
    """out[row : row + ROWS, column : column + COLUMNS] = a[row : row + ROWS] panels[p]."""
    return types.void(a, types.int64, panels, types.int64, out, types.int64), _tile_code


def _tile_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    a, panels, out = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 2, 4))
    row, p, column = args[1], args[3], args[5]
    inner, width = (cgutils.unpack_tuple(builder, each.shape)[1] for each in (a, out))
    numbers = [ir.Constant(_INDEX, number) for number in range(max(ROWS, COLUMNS) + 1)]
    rows = [builder.gep(a.data, [builder.mul(builder.add(row, numbers[r]), inner)]) for r in range(ROWS)]
    panel = builder.gep(panels.data, [builder.mul(builder.mul(p, inner), numbers[COLUMNS])])
    halves = range(0, COLUMNS, LANES)

    entry, body, done = builder.block, builder.append_basic_block("sum"), builder.append_basic_block("summed")
    builder.branch(body)
    builder.position_at_end(body)
    k = builder.phi(_INDEX)
    sums = [[builder.phi(_VECTOR) for _ in halves] for _ in range(ROWS)]
    at = builder.gep(panel, [builder.mul(k, numbers[COLUMNS])])
    pointers = [builder.bitcast(builder.gep(at, [numbers[half]]), _VECTOR.as_pointer()) for half in halves]
    b = [builder.load(pointer, align=4) for pointer in pointers]
    following = builder.add(k, numbers[1])
    k.add_incoming(numbers[0], entry)
    k.add_incoming(following, body)
    after = []
    for r in range(ROWS):
        factor = _spread(builder, builder.load(builder.gep(rows[r], [k])))
        for total, other in zip(sums[r], b, strict=True):
            after.append(builder.fadd(total, builder.fmul(factor, other)))
            total.add_incoming(ir.Constant(_VECTOR, [0.0] * LANES), entry)
            total.add_incoming(after[-1], body)
    builder.cbranch(builder.icmp_signed("<", following, inner), body, done)

    builder.position_at_end(done)
    for n, total in enumerate(after):
        r, half = divmod(n, len(halves))
        place = builder.mul(builder.add(row, numbers[r]), width)
        place = builder.add(place, builder.add(column, numbers[half * LANES]))
        builder.store(total, builder.bitcast(builder.gep(out.data, [place]), _VECTOR.as_pointer()), align=4)
    return context.get_dummy_value()


def _spread(builder: ir.IRBuilder, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
