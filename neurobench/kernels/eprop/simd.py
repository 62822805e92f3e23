"""LLVM vector instructions of LANES doubles, for loops over gathered operands that the compiler leaves scalar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from neurobench.kernels.eprop.records import LANES

INDEX = ir.IntType(64)
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_PAIR = ir.VectorType(ir.DoubleType(), 2)


def fields(context: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> dict[str, Any]:
    """The fields of a NamedTuple argument; an array as its struct of data, shape and the rest."""
    parts = zip(kind.fields, kind.types, cgutils.unpack_tuple(builder, value), strict=True)
    return {name: array(context, builder, t, part) if isinstance(t, types.Array) else part for name, t, part in parts}


def array(context: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value)


def columns(builder: ir.IRBuilder, matrix: Any) -> Any:
    return cgutils.unpack_tuple(builder, matrix.shape)[1]


def splat(builder: ir.IRBuilder, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(one, one, _mask(*[0] * LANES))


def vector_at(builder: ir.IRBuilder, data: Any, place: Any) -> Any:
    """The pointer to LANES doubles from `place` on."""
    return builder.bitcast(builder.gep(data, [place]), VECTOR.as_pointer())


def targets(builder: ir.IRBuilder, target: Any, place: Any) -> list[Any]:
    """The targets of LANES places."""
    places = [builder.add(place, ir.Constant(INDEX, lane)) for lane in range(LANES)]
    loaded = [builder.load(builder.gep(target.data, [one])) for one in places]
    return [one if one.type == INDEX else builder.zext(one, INDEX) for one in loaded]


def row_places(builder: ir.IRBuilder, row: Any, width: Any, at: Sequence[Any]) -> list[Any]:
    first = builder.mul(row, width)
    return [builder.add(first, one) for one in at]


def gather(builder: ir.IRBuilder, data: Any, places: Sequence[Any]) -> Any:
    gathered = ir.Constant(VECTOR, ir.Undefined)
    for lane, place in enumerate(places):
        gathered = builder.insert_element(gathered, builder.load(builder.gep(data, [place])), ir.Constant(INDEX, lane))
    return gathered


def load_pairs(builder: ir.IRBuilder, data: Any, places: Sequence[Any]) -> list[Any]:
    """Two numbers that lie side by side, for each of LANES places: one load each."""
    pairs = builder.bitcast(data, _PAIR.as_pointer())
    return [builder.load(builder.gep(pairs, [place]), align=8) for place in places]


def transpose(builder: ir.IRBuilder, pairs: Sequence[Any]) -> tuple[Any, Any]:
    """The first numbers of LANES pairs, and the second."""
    even = builder.shuffle_vector(pairs[0], pairs[2], _mask(0, 1, 2, 3))
    odd = builder.shuffle_vector(pairs[1], pairs[3], _mask(0, 1, 2, 3))
    return builder.shuffle_vector(even, odd, _mask(0, 4, 2, 6)), builder.shuffle_vector(even, odd, _mask(1, 5, 3, 7))


def _mask(*lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))


Body = Callable[[Any, list[Any]], list[Any]]


def register_loop(builder: ir.IRBuilder, begin: Any, end: Any, values: list[Any], body: Body) -> list[Any]:
    """`values` after values = body(index, values) for index = begin to end - 1, in registers throughout."""
    entry, first = builder.block, [begin, *values]
    inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", begin, end), inside, after)
    builder.position_at_end(inside)
    now = [builder.phi(value.type) for value in first]
    following = [builder.add(now[0], ir.Constant(begin.type, 1)), *body(now[0], now[1:])]
    builder.cbranch(builder.icmp_signed("<", following[0], end), inside, after)
    builder.position_at_end(after)
    results = [builder.phi(value.type) for value in first]
    for old, step, phi, result in zip(first, following, now, results, strict=True):
        for node in (phi, result):
            node.add_incoming(old, entry)
            node.add_incoming(step, inside)
    return results[1:]
