"""Sums of a table's rows and lists of set units, as vector instructions that the compiler does not find by itself.

Both are what `eprop.batch` spends its time on. A sum of rows keeps a block of columns in registers over all rows, where
the compiler would load and store it for each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.eprop import simd

BLOCK = 10  # vectors of columns in registers; the other 6 hold what is loaded
COLUMNS = 80  # a table's columns are a multiple of this: a block of float32, two of float64
_BYTES = 32  # of a vector register
_SETS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
_MEMBERS = np.argsort(1 - _SETS, axis=1, kind="stable").astype(np.int32)  # (256, 8) set bits of each byte come first
_SIZE = _SETS.sum(1, dtype=np.int64)


@intrinsic
def add_rows(typingctx: Any, table: Any, index: Any, begin: Any, end: Any, row: Any) -> Any:
    """row += the sum of table[index[e]] for e = begin to end - 1, in this order.

    table (R, M) and row (M,) of one type, contiguous, M a multiple of COLUMNS; index of int32 or int64.
    """
    return types.void(table, index, types.int64, types.int64, row), _add_rows


def _add_rows(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    table, index, row = (simd.array(context, builder, signature.args[at], args[at]) for at in (0, 1, 4))
    number = context.get_value_type(signature.args[0].dtype)
    lanes, columns = _BYTES // context.get_abi_sizeof(number), simd.columns(builder, table)
    vector = ir.VectorType(number, lanes).as_pointer()
    step = ir.Constant(simd.INDEX, BLOCK * lanes)
    with cgutils.for_range_slice(builder, ir.Constant(simd.INDEX, 0), columns, step, simd.INDEX) as (column, _):
        places = [builder.add(column, ir.Constant(simd.INDEX, lanes * block)) for block in range(BLOCK)]

        def at(data: Any, first: Any) -> list[Any]:
            return [builder.bitcast(builder.gep(data, [builder.add(first, place)]), vector) for place in places]

        def add_row(e: Any, sums: list[Any]) -> list[Any]:
            r = builder.load(builder.gep(index.data, [e]))
            r = r if r.type == simd.INDEX else builder.sext(r, simd.INDEX)
            pointers = at(table.data, builder.mul(r, columns))
            return [builder.fadd(sum, builder.load(one, align=4)) for sum, one in zip(sums, pointers, strict=True)]

        pointers = at(row.data, ir.Constant(simd.INDEX, 0))
        sums = [builder.load(one, align=4) for one in pointers]
        sums = simd.register_loop(builder, args[2], args[3], sums, add_row)
        for one, total in zip(pointers, sums, strict=True):
            builder.store(total, one, align=4)
    return context.get_dummy_value()


@njit(cache=True, _nrt=False, error_model="numpy")
def list_set(z, members):
    """Write the units with z = 1 (uint8, a multiple of 8), ascending; returns how many. Eight at a time, by a table of
    the 256 sets of eight: no branch to mispredict."""
    n = 0
    words = z.view(np.uint64)
    for b in range(len(words)):
        byte = (words[b] * np.uint64(0x0102040810204080)) >> np.uint64(56)
        _list_eight(_MEMBERS, byte, 8 * b, members, n)
        n += _SIZE[byte]
    return n


@intrinsic
def _list_eight(typingctx: Any, table: Any, byte: Any, first: Any, to: Any, n: Any) -> Any:
    """to[n : n + 8] = first + table[byte]; table (256, 8) and `to` int32."""
    return types.void(table, types.uint64, types.int64, to, types.int64), _emit_list_eight


def _emit_list_eight(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    table, to = (simd.array(context, builder, signature.args[at], args[at]) for at in (0, 3))
    number = ir.IntType(32)
    vector = ir.VectorType(number, 8)
    row = builder.gep(table.data, [builder.mul(args[1], ir.Constant(simd.INDEX, 8))])
    members = builder.load(builder.bitcast(row, vector.as_pointer()), align=4)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), builder.trunc(args[2], number), number(0))
    first = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(number, 8), [0] * 8))
    place = builder.bitcast(builder.gep(to.data, [args[4]]), vector.as_pointer())
    builder.store(builder.add(members, first), place, align=4)
    return context.get_dummy_value()
