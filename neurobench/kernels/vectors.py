"""Vector instructions that the compiler does not generate itself, and sums in the same order on every processor."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

FUSED = ("contract",)  # a product and a sum may be one instruction
INDEX, FLOAT = ir.IntType(64), ir.FloatType()
SIDE = 8  # side of a tile
_PART = 8  # lanes of the parts of a vector that are added first

# (place, lanes) -> the terms of each sum at that place: vectors of that many lanes, scalars if it is one
Terms = Callable[[Any, int], Sequence[Any]]


@intrinsic
def fused(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once. All of one floating type."""
    number = types.float64 if types.float64 in (x, y, z) else types.float32
    return number(number, number, number), lambda context, builder, signature, args: builder.fma(*args)


@intrinsic
def nonzero_bits(typingctx: Any, x: Any, place: Any) -> Any:
    """Mask of x (N,) uint8 from `place` on: bit k, k < 64, is set if x[place + k] is not 0."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        numbers = load(builder, context.make_array(signature.args[0])(context, builder, args[0]), args[1], 64)
        nonzero = builder.icmp_unsigned("!=", numbers, ir.Constant(numbers.type, [0] * 64))
        return builder.bitcast(nonzero, INDEX)

    return types.uint64(x, types.int64), code


@intrinsic
def lowest_bit(typingctx: Any, bits: Any) -> Any:
    """Index of the lowest set bit of a uint64 that is not 0."""
    code = lambda context, builder, signature, args: builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))  # noqa: E731
    return types.int64(types.uint64), code


@intrinsic
def prefetch(typingctx: Any, x: Any, place: Any) -> Any:
    """Prefetch the cache line of x[place] into the second-level cache; x is contiguous, of any shape."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        fetch(builder, context.make_array(signature.args[0])(context, builder, args[0]).data, args[1], cache=2)
        return context.get_dummy_value()

    return types.void(x, types.int64), code


def fetch(builder: ir.IRBuilder, data: Any, place: Any, cache: int) -> None:
    """Emit a prefetch of the cache line of data[place] into the first- or second-level cache, 1 or 2."""
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    how = (ir.Constant(number, each) for each in (0, 4 - cache, 1))  # to read; how near; data
    builder.call(ask, [builder.bitcast(builder.gep(data, [place]), pointer), *how])


@intrinsic
def total(typingctx: Any, x: Any) -> Any:
    """Sum of x (N,) float32."""
    return types.float32(x), _sum_of(lambda builder, x: x)


@intrinsic
def dot(typingctx: Any, x: Any, y: Any, start: Any) -> Any:
    """start + x' y, of x and y (N,) float32."""
    return types.float32(x, y, types.float32), _sum_of(lambda builder, x, y: builder.fmul(x, y, flags=FUSED))


@intrinsic
def squared_distance(typingctx: Any, x: Any, y: Any) -> Any:
    """|x - y|^2, of x and y (N,) float32."""

    def square(builder: ir.IRBuilder, x: Any, y: Any) -> Any:
        difference = builder.fsub(x, y, flags=FUSED)
        return builder.fmul(difference, difference, flags=FUSED)

    return types.float32(x, y), _sum_of(square)


@intrinsic
def transpose_tile(typingctx: Any, x: Any, row: Any, column: Any, out: Any, out_row: Any, out_column: Any) -> Any:
    """Transpose SIDE x SIDE numbers, row by row: out[out_row + k, out_column + i] = x[row + i, column + k].

    Both are C-contiguous matrices of float32; numba raises TypingError otherwise.
    """
    for matrix in (x, out):
        if not isinstance(matrix, types.Array) or (matrix.dtype, matrix.ndim, matrix.layout) != (types.float32, 2, "C"):
            raise TypingError(f"transpose_tile takes C-contiguous matrices of float32, not {matrix}")

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        (kind, _, _, out_kind, _, _), (x, row, column, out, out_row, out_column) = signature.args, args
        source, target = (context.make_array(k)(context, builder, a) for k, a in ((kind, x), (out_kind, out)))
        rows = [load(builder, source, _place(builder, source, row, i, column), SIDE) for i in range(SIDE)]
        for distance in (4, 2, 1):  # blocks of this side are exchanged
            low = [lane if not lane & distance else SIDE + lane - distance for lane in range(SIDE)]
            high = [lane + distance if not lane & distance else SIDE + lane for lane in range(SIDE)]
            for i in (i for i in range(SIDE) if not i & distance):
                pair = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = (builder.shuffle_vector(*pair, _mask(lanes)) for lanes in (low, high))
        for i, each in enumerate(rows):
            at = builder.gep(target.data, [_place(builder, target, out_row, i, out_column)])
            builder.store(each, builder.bitcast(at, each.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(x, types.int64, types.int64, out, types.int64, types.int64), code


def _place(builder: ir.IRBuilder, matrix: Any, row: Any, i: int, column: Any) -> Any:
    """Flat index of element [row + i, column] of a contiguous matrix."""
    width = cgutils.unpack_tuple(builder, matrix.shape)[1]
    return builder.add(builder.mul(builder.add(row, ir.Constant(INDEX, i)), width), column)


def _sum_of(term: Callable[..., Any]) -> Callable[..., Any]:
    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        pairs = [pair for pair in zip(signature.args, args, strict=True) if isinstance(pair[0], types.Array)]
        arrays = [context.make_array(kind)(context, builder, value) for kind, value in pairs]
        (count,) = cgutils.unpack_tuple(builder, arrays[0].shape)
        start = args[-1] if len(args) > len(pairs) else ir.Constant(FLOAT, 0.0)

        def terms(place: Any, lanes: int) -> list[Any]:
            return [term(builder, *(load(builder, each, place, lanes) for each in arrays))]

        return ordered_sums(builder, count, 32, [start], terms)[0]

    return code


def vector(number: Any, lanes: int) -> Any:
    return number if lanes == 1 else ir.VectorType(number, lanes)


def load(builder: ir.IRBuilder, array: Any, place: Any, lanes: int) -> Any:
    """Load `lanes` numbers of an array, from `place` on."""
    at = builder.gep(array.data, [place])
    number = at.type.pointee
    size = number.width // 8 if isinstance(number, ir.IntType) else 4
    return builder.load(builder.bitcast(at, vector(number, lanes).as_pointer()), align=size)


def spread(builder: ir.IRBuilder, number: Any, lanes: int) -> Any:
    """Vector with the number in each lane."""
    if lanes == 1:
        return number
    kind = ir.VectorType(number.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, _mask([0] * lanes))


def ordered_sums(builder: ir.IRBuilder, count: Any, lanes: int, starts: Sequence[Any], terms: Terms) -> list[Any]:
    """Sums of terms over `count` places, added to starts: `lanes` places at a time, then four, then one.

    The order is the same whatever registers the processor has.
    """
    place, sums = ir.Constant(INDEX, 0), list(starts)
    for width in (lanes, 4, 1):
        first = [_beside_nothing(builder, number, width) for number in sums]
        place, totals = _while_they_fit(builder, place, count, width, first, terms)
        sums = [_folded(builder, each, width) for each in totals]
    return sums


def _while_they_fit(
    builder: ir.IRBuilder, begin: Any, count: Any, width: int, starts: list[Any], terms: Terms
) -> tuple[Any, list[Any]]:
    entry = builder.block
    head, body, done = (builder.append_basic_block(f"{name}_{width}") for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    place, totals = builder.phi(INDEX), [builder.phi(each.type) for each in starts]
    following = builder.add(place, ir.Constant(INDEX, width))
    builder.cbranch(builder.icmp_signed("<=", following, count), body, done)
    builder.position_at_end(body)
    after = [builder.fadd(*pair, flags=FUSED) for pair in zip(totals, terms(place, width), strict=True)]
    builder.branch(head)
    for phi, first, later in zip([place, *totals], [begin, *starts], [following, *after], strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(later, body)
    builder.position_at_end(done)
    return place, totals


def _beside_nothing(builder: ir.IRBuilder, number: Any, width: int) -> Any:
    if width == 1:
        return number
    nothing = ir.Constant(ir.VectorType(FLOAT, width), [-0.0] * width)
    return builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))


def _folded(builder: ir.IRBuilder, total: Any, width: int) -> Any:
    """Sum of a vector's lanes: parts of eight are added in order, then the halves of their sum, and so on."""
    parts = [total]
    if width > _PART:
        lanes = (range(first, first + _PART) for first in range(0, width, _PART))
        parts = [builder.shuffle_vector(total, total, _mask(each)) for each in lanes]
    folded, left = parts[0], min(width, _PART)
    for part in parts[1:]:
        folded = builder.fadd(folded, part)
    while left > 1:
        left //= 2
        halves = (builder.shuffle_vector(folded, folded, _mask(range(n * left, n * left + left))) for n in range(2))
        folded = builder.fadd(*halves)
    return folded if width == 1 else builder.extract_element(folded, ir.Constant(ir.IntType(32), 0))


def register_loop(
    builder: ir.IRBuilder, begin: Any, end: Any, values: Sequence[Any], body: Callable[[Any, list[Any]], Sequence[Any]]
) -> list[Any]:
    """`values` after a loop values = body(index, values) for index = begin to end - 1, in registers throughout."""
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


def _mask(lanes: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
