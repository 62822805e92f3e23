"""Sums of a table's rows and lists of set units, as vector instructions that the compiler does not find by itself.

Both are what the fast path of `eprop.batch` spends its time on. A sum of rows keeps a block of columns in registers
over all rows, where the compiler would load and store it for each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 10  # vectors of columns in registers; the other 6 hold what is loaded
COLUMNS = 80  # a table's columns are a multiple of this: a block of float32, two of float64
_BYTES = 32  # of a vector register
_INDEX = ir.IntType(64)


@intrinsic
def add_rows(typingctx: Any, table: Any, index: Any, begin: Any, end: Any, row: Any) -> Any:
    """row += the sum of table[index[e]] for e = begin to end - 1, in this order.

    table (R, M) and row (M,) of one type, contiguous, M a multiple of COLUMNS; index of int32 or int64.
    """
    return types.void(table, index, types.int64, types.int64, row), _add_rows


def _add_rows(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    table, index, row = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 1, 4))
    number = context.get_value_type(signature.args[0].dtype)
    lanes = _BYTES // context.get_abi_sizeof(number)
    columns = cgutils.unpack_tuple(builder, table.shape)[1]
    step = ir.Constant(_INDEX, BLOCK * lanes)
    with cgutils.for_range_slice(builder, ir.Constant(_INDEX, 0), columns, step, _INDEX) as (column, _):
        places = [builder.add(column, ir.Constant(_INDEX, lanes * number)) for number in range(BLOCK)]
        vector = ir.VectorType(number, lanes).as_pointer()
        sums = [builder.bitcast(builder.gep(row.data, [place]), vector) for place in places]
        entry, body, done = builder.block, builder.append_basic_block("add"), builder.append_basic_block("added")
        before = [builder.load(pointer, align=4) for pointer in sums]
        builder.cbranch(builder.icmp_signed("<", args[2], args[3]), body, done)
        builder.position_at_end(body)
        e, now = builder.phi(_INDEX), [builder.phi(vector.pointee) for _ in sums]
        which = builder.load(builder.gep(index.data, [e]))
        which = which if which.type == _INDEX else builder.sext(which, _INDEX)
        first = builder.mul(which, columns)
        after = []
        for place, value in zip(places, now, strict=True):
            pointer = builder.bitcast(builder.gep(table.data, [builder.add(first, place)]), vector)
            after.append(builder.fadd(value, builder.load(pointer, align=4)))
        following = builder.add(e, ir.Constant(_INDEX, 1))
        for phi, start, value in zip([e, *now], [args[2], *before], [following, *after], strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed("<", following, args[3]), body, done)
        builder.position_at_end(done)
        totals = [builder.phi(vector.pointee) for _ in sums]
        for total, start, value in zip(totals, before, after, strict=True):
            total.add_incoming(start, entry)
            total.add_incoming(value, body)
        for pointer, total in zip(sums, totals, strict=True):
            builder.store(total, pointer, align=4)
    return context.get_dummy_value()


_SETS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
MEMBERS = np.argsort(1 - _SETS, axis=1, kind="stable").astype(np.int32)  # (256, 8) set bits of each byte come first
SIZE = _SETS.sum(1, dtype=np.int64)


@intrinsic
def list_eight(typingctx: Any, members: Any, byte: Any, first: Any, to: Any, n: Any) -> Any:
    """to[n : n + 8] = first + members[byte]; members (256, 8) and `to` int32."""
    return types.void(members, types.uint64, types.int64, to, types.int64), _list_eight


def _list_eight(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    members, to = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 3))
    number = ir.IntType(32)
    vector = ir.VectorType(number, 8)
    row = builder.gep(members.data, [builder.mul(args[1], ir.Constant(_INDEX, 8))])
    found = builder.load(builder.bitcast(row, vector.as_pointer()), align=4)
    first = builder.insert_element(
        ir.Constant(vector, ir.Undefined), builder.trunc(args[2], number), ir.Constant(number, 0)
    )
    zeros = ir.Constant(ir.VectorType(number, 8), [0] * 8)
    spread = builder.shuffle_vector(first, first, zeros)
    place = builder.bitcast(builder.gep(to.data, [args[4]]), vector.as_pointer())
    builder.store(builder.add(found, spread), place, align=4)
    return context.get_dummy_value()
