"""The product of `product` on the matrix unit of Intel's processors (AMX), for a right matrix exact in bfloat16.

Weights on the core's grid have 8 bits, like a bfloat16. The left matrix is split into three bfloat16, which hold its 24
bits, so that every partial product is exact; only sums are rounded, to float32, in an order that the unit chooses.

Source: Intel, "Architecture Instruction Set Extensions Programming Reference" (319433), chapter 3.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.aligned import rows_on_lines
from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import INDEX

SIDE = 32  # rows and columns of a result's block: two by two tiles of 16 x 16 sums
_TILE_BYTES = 1024  # 16 rows of 64 bytes
_PARTS = 3
_PAD = 32  # bfloat16 between rows of the parts: rows 1024 bytes apart would share a few sets of the innermost cache
_HIGH = np.int32(-65536)  # the bits of a float32 that a bfloat16 keeps
_SHIFT = np.uint32(16)
_BYTE, _POINTER = ir.IntType(8), ir.IntType(8).as_pointer()


# Configuration for LDTILECFG: palette 1, eight tiles of 16 rows of 64 bytes.
_SHAPES = np.zeros(64, np.uint8)
_SHAPES[0], _SHAPES[48:56] = 1, 16
_SHAPES.view(np.uint16)[8:16] = 64


def fits(rows: int, w: np.ndarray) -> bool:
    """Whether w (J, K) can be the right matrix of a product with this many rows."""
    return rows >= SIDE and all(size > 0 and size % SIDE == 0 for size in w.shape)


def tile_grid(w: np.ndarray) -> tuple[int, ...]:
    """The shape of w's tiles, see `pack_pairs`."""
    return (w.shape[0] // SIDE, w.shape[1] // SIDE, 2, 16, 16, 2)


@njit(cache=True, error_model="numpy")
def pack_pairs(w, tiles):
    """Write w (J, K) float32, exact in bfloat16, as tiles (J / 32, K / 32, 2, 16, 16, 2) uint16 of w'.

    Axes: 32 columns, 32 inner numbers, left or right half of the columns, pair of inner numbers, column, one of a pair.
    """
    for p in range(tiles.shape[0]):
        for block in range(tiles.shape[1]):
            for half in range(2):
                for pair in range(16):
                    for column in range(16):
                        for which in range(2):
                            value = w[32 * p + 16 * half + column, 32 * block + 2 * pair + which]
                            tiles[p, block, half, pair, column, which] = _upper(np.float32(value).view(np.int32))


@njit(cache=True, error_model="numpy")
def multiply_amx(a, tiles, out):
    """out (T, J) = a (T, K) w', with tiles of w from `pack_pairs`; T at least 32. Denormals count as 0."""
    steps, width = out.shape[0], a.shape[1] + _PAD
    parts = rows_on_lines(_PARTS * SIDE, width, tiles).reshape(_PARTS, SIDE, width)
    _configure(_SHAPES)
    for first in range(0, steps, SIDE):
        row = min(first, steps - SIDE)
        split(a[row : row + SIDE], parts)
        for p in range(tiles.shape[0]):
            _block(parts, tiles, p, out, row, SIDE * p)
    _release()


@njit(cache=True, error_model="numpy")
def split(a, parts):
    """Split a (32, K) float32 into `parts` (3, 32, K or more) uint16: three bfloat16 whose sum is a, smallest first."""
    for r in range(a.shape[0]):
        x, low, middle, high = a[r], parts[0, r], parts[1, r], parts[2, r]
        for k in range(x.shape[0]):
            first = np.int32(np.float32(x[k]).view(np.int32) & _HIGH)
            rest = np.float32(x[k] - first.view(np.float32))
            second = np.int32(rest.view(np.int32) & _HIGH)
            third = np.float32(rest - second.view(np.float32)).view(np.int32)
            high[k], middle[k], low[k] = _upper(first), _upper(second), _upper(third)


@njit(cache=True, inline="always", fastmath=False)
def _upper(bits):
    return np.uint16(np.uint32(bits) >> _SHIFT)


@intrinsic
def _configure(typingctx: Any, shapes: Any) -> Any:
    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        shapes = context.make_array(signature.args[0])(context, builder, args[0])
        _call(builder, "ldtilecfg", builder.bitcast(shapes.data, _POINTER))
        return context.get_dummy_value()

    return types.void(shapes), code


@intrinsic
def _release(typingctx: Any) -> Any:
    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def _block(typingctx: Any, parts: Any, tiles: Any, p: Any, out: Any, row: Any, column: Any) -> Any:
    """out[row : row + 32, column : column + 32] = (parts[0] + parts[1] + parts[2]) tiles[p]."""
    return types.void(parts, tiles, types.int64, out, types.int64, types.int64), _block_code


def _block_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    """Tiles 0 to 3 are the sums, 4 and 5 the upper and lower rows, 6 and 7 the left and right columns."""
    parts, tiles, out = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 1, 3))
    p, row, column = args[2], args[4], args[5]
    blocks, width = (cgutils.unpack_tuple(builder, each.shape)[1] for each in (tiles, out))
    stride = cgutils.unpack_tuple(builder, parts.shape)[2]

    def number(k: int) -> Any:
        return ir.Constant(INDEX, k)

    def place(pointer: Any, *offsets: Any) -> Any:
        for offset in offsets:
            pointer = builder.gep(pointer, [offset])
        return pointer

    row_bytes, line, out_bytes = builder.mul(stride, number(2)), number(64), builder.mul(width, number(4))
    part_bytes = builder.mul(row_bytes, number(SIDE))
    left = builder.bitcast(parts.data, _POINTER)
    right = place(builder.bitcast(tiles.data, _POINTER), builder.mul(p, builder.mul(blocks, number(2 * _TILE_BYTES))))
    for tile in range(4):
        _call(builder, "tilezero", _tile(tile))
    with cgutils.for_range(builder, blocks, intp=INDEX) as loop:
        columns = place(right, builder.mul(loop.index, number(2 * _TILE_BYTES)))
        _call(builder, "tileloadd64", _tile(6), columns, line)
        _call(builder, "tileloadd64", _tile(7), place(columns, number(_TILE_BYTES)), line)
        for part in range(_PARTS):
            rows = place(left, builder.mul(part_bytes, number(part)), builder.mul(loop.index, line))
            _call(builder, "tileloadd64", _tile(4), rows, row_bytes)
            _call(builder, "tileloadd64", _tile(5), place(rows, builder.mul(row_bytes, number(16))), row_bytes)
            for tile in range(4):
                _call(builder, "tdpbf16ps", _tile(tile), _tile(4 + tile // 2), _tile(6 + tile % 2))
    corner = place(builder.bitcast(out.data, _POINTER), builder.mul(row, out_bytes), builder.mul(column, number(4)))
    for tile in range(4):
        lower, right_half = divmod(tile, 2)
        at = place(corner, builder.mul(out_bytes, number(16 * lower)), number(64 * right_half))
        _call(builder, "tilestored64", _tile(tile), at, out_bytes)
    return context.get_dummy_value()


def _tile(number: int) -> Any:
    return ir.Constant(_BYTE, number)


def _call(builder: ir.IRBuilder, name: str, *args: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), args)
