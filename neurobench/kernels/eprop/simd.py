"""Vector instructions that the compiler does not generate itself: gathered operands, sums of a table's rows."""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.eprop.records import LANES
from neurobench.kernels.host import WIDTH
from neurobench.kernels.vectors import INDEX, SIDE, load, register_loop, spread

VECTOR = ir.VectorType(ir.DoubleType(), LANES)
COLUMNS = 80  # a table's columns are a multiple of this: a block of float32, two of float64
BLOCK_BYTES = 320  # columns held in registers: 5 of 512 bits, or 10 of the 16 of 256 bits; the others hold loaded data
_BYTES = WIDTH // 8  # bytes of a vector register
BLOCK = BLOCK_BYTES // _BYTES  # vectors in a block
_PAIR = ir.VectorType(ir.DoubleType(), 2)


def fields(context, builder, kind, value):
    """Fields of a NamedTuple argument by name; an array as its struct of data, shape and the rest."""
    parts = zip(kind.fields, kind.types, cgutils.unpack_tuple(builder, value), strict=True)
    return {name: array(context, builder, t, part) if isinstance(t, types.Array) else part for name, t, part in parts}


def array(context, builder, kind, value):
    return context.make_array(kind)(context, builder, value)


def columns(builder, matrix):
    return cgutils.unpack_tuple(builder, matrix.shape)[1]


def splat(builder, value):
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(one, one, _mask(*[0] * LANES))


def fused(builder, a, b, c):
    """a b + c, rounded once."""
    name = f"llvm.fma.v{LANES}f64"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), name)
    return builder.call(function, [a, b, c])


def vector_at(builder, data, place):
    """The pointer to LANES doubles from `place` on."""
    return builder.bitcast(builder.gep(data, [place]), VECTOR.as_pointer())


def index_at(builder, data, place):
    """The index of 32 or 64 bits, not negative, at `place`."""
    loaded = builder.load(builder.gep(data, [place]))
    return loaded if loaded.type == INDEX else builder.zext(loaded, INDEX)


def targets(builder, target, place):
    """The targets of LANES places."""
    return [index_at(builder, target.data, builder.add(place, ir.Constant(INDEX, lane))) for lane in range(LANES)]


def row_places(builder, row, width, at):
    first = builder.mul(row, width)
    return [builder.add(first, one) for one in at]


def gather(builder, pointers):
    gathered = ir.Constant(VECTOR, ir.Undefined)
    for lane, pointer in enumerate(pointers):
        gathered = builder.insert_element(gathered, builder.load(pointer), ir.Constant(INDEX, lane))
    return gathered


def gather_pairs(builder, pointers):
    """First and second numbers of the adjacent pairs at LANES pointers, with one load per pair."""
    pairs = [builder.load(builder.bitcast(pointer, _PAIR.as_pointer()), align=8) for pointer in pointers]
    even = builder.shuffle_vector(pairs[0], pairs[2], _mask(0, 1, 2, 3))
    odd = builder.shuffle_vector(pairs[1], pairs[3], _mask(0, 1, 2, 3))
    return builder.shuffle_vector(even, odd, _mask(0, 4, 2, 6)), builder.shuffle_vector(even, odd, _mask(1, 5, 3, 7))


def _mask(*lanes):
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))


def _opaque(builder, pointer):
    """Pass the pointer through empty assembly: the compiler keeps it in one register, with constant offsets from it,
    and does not unroll the loop around it, whose remainder would be a second loop with an end to mispredict."""
    return builder.asm(ir.FunctionType(pointer.type, [pointer.type]), "", "=r,0", [pointer], False)


@intrinsic
def add_rows(typingctx, table, index, begin, end, row, column):
    """row += the sum of table[index[e]] for e = begin to end - 1, in this order, in a block of columns from `column` on
    that stays in registers over all rows, while the compiler would load and store it for each.

    table (R, M) and row (M,) of one type, contiguous, M a multiple of COLUMNS; index of int32 or int64. A block has
    `BLOCK_BYTES`: callers that go through all rows of a block before the next one find them in cache.
    """
    return types.void(table, index, types.int64, types.int64, row, types.int64), _summed_rows(afresh=False)


@intrinsic
def sum_rows(typingctx, table, index, begin, end, row, column):
    """`add_rows` for a row that is 0 at first."""
    return types.void(table, index, types.int64, types.int64, row, types.int64), _summed_rows(afresh=True)


def _summed_rows(afresh):
    def emit(context, builder, signature, args):
        table, index, row = (array(context, builder, signature.args[at], args[at]) for at in (0, 1, 4))
        number, width = context.get_value_type(signature.args[0].dtype), columns(builder, table)
        vector = ir.VectorType(number, _BYTES // context.get_abi_sizeof(number))

        def block(data, first):
            at = _opaque(builder, builder.gep(data, [builder.add(first, args[5])]))
            vectors = builder.bitcast(at, vector.as_pointer())
            return [builder.gep(vectors, [ir.Constant(INDEX, one)]) for one in range(BLOCK)]

        def add_row(e, sums):
            pointers = block(table.data, builder.mul(index_at(builder, index.data, e), width))
            return [builder.fadd(sum, builder.load(one, align=4)) for sum, one in zip(sums, pointers, strict=True)]

        pointers = block(row.data, ir.Constant(INDEX, 0))
        zero = ir.Constant(vector, [0.0] * vector.count)
        sums = [zero if afresh else builder.load(one, align=4) for one in pointers]
        for one, total in zip(pointers, register_loop(builder, args[2], args[3], sums, add_row), strict=True):
            builder.store(total, one, align=4)
        return context.get_dummy_value()

    return emit


@intrinsic
def add_scaled_rows(typingctx, scales, first, stride, table, row):
    """row += the sum of scales[first + e stride] table[e] over all rows e of the table, in this order, in registers.

    scales (matrix, with a flat index), table (R, Q) and row (Q,) of one type, contiguous, Q a multiple of 8. A product
    is rounded before it is added.
    """
    return types.void(scales, types.int64, types.int64, table, row), _scaled_rows(fused=False)


@intrinsic
def add_scaled_rows_fused(typingctx, scales, first, stride, table, row):
    """`add_scaled_rows`, but a product and a sum may be rounded only once."""
    return types.void(scales, types.int64, types.int64, table, row), _scaled_rows(fused=True)


def _scaled_rows(fused):
    flags = ("contract",) if fused else ()

    def emit(context, builder, signature, args):
        scales, table, row = (array(context, builder, signature.args[at], args[at]) for at in (0, 3, 4))
        (rows, width), zero = cgutils.unpack_tuple(builder, table.shape), ir.Constant(INDEX, 0)
        with cgutils.for_range_slice(builder, zero, width, ir.Constant(INDEX, SIDE), INDEX) as (column, _):

            def add_row(e, sums):
                place = builder.add(args[1], builder.mul(e, args[2]))
                scale = spread(builder, load(builder, scales, place, 1), SIDE)
                numbers = load(builder, table, builder.add(builder.mul(e, width), column), SIDE)
                return [builder.fadd(sums[0], builder.fmul(scale, numbers, flags=flags), flags=flags)]

            total = register_loop(builder, zero, rows, [load(builder, row, column, SIDE)], add_row)[0]
            builder.store(total, builder.bitcast(builder.gep(row.data, [column]), total.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return emit
