"""Product on the matrix unit (AMX): the operands on every processor, the product itself if there is such a unit."""

import numpy as np
import pytest

from neurobench.kernels.cuba.product_amx import SIDE, fits, multiply_amx, pack_pairs, split, tile_grid
from neurobench.kernels.host import use_fast


def operands(rows: int, inner: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Random a (rows, inner), and w (width, inner) on the core's grid."""
    random = np.random.default_rng(rows)
    return random.standard_normal((rows, inner)).astype(np.float32), (
        random.integers(-128, 128, (width, inner)) / 32
    ).astype(np.float32)


def from_bfloat16(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.uint32) << 16).view(np.float32)


def test_three_bfloat16_parts_contain_every_bit_of_a_float32() -> None:
    a = np.ldexp(*np.broadcast_arrays(operands(SIDE, 64, 32)[0], np.arange(-50, 14))).astype(np.float32)
    parts = np.empty((3, SIDE, 64), np.uint16)
    split(a, parts)
    np.testing.assert_array_equal(from_bfloat16(parts).astype(np.float64).sum(0), a)


def test_tiles_contain_the_weights_in_the_order_that_the_instruction_reads() -> None:
    """TDPBF16PS: sum[m, n] += a[m, 2 k] b[k, 2 n] + a[m, 2 k + 1] b[k, 2 n + 1], k < 16."""
    a, w = operands(SIDE, 96, 64)
    tiles = np.empty(tile_grid(w), np.uint16)
    pack_pairs(w, tiles)
    left = a.astype(np.float64).reshape(SIDE, 3, 16, 2)
    product = np.einsum("mbkp,jbhknp->mjhn", left, from_bfloat16(tiles).astype(np.float64)).reshape(SIDE, 64)
    np.testing.assert_allclose(product, a.astype(np.float64) @ w.T.astype(np.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rows", "inner", "width"), [(32, 32, 32), (33, 64, 96), (300, 512, 512)])
def test_the_matrix_units_product_is_within_its_error_bound(rows: int, inner: int, width: int) -> None:
    if not use_fast(True):
        pytest.skip("this processor has no matrix unit (AMX)")
    use_fast(False)
    a, w = operands(rows, inner, width)
    tiles, guarded = np.empty(tile_grid(w), np.uint16), np.full((rows + 2, width), np.nan, np.float32)
    pack_pairs(w, tiles)
    multiply_amx(a, tiles, guarded[1:-1])
    wanted, magnitudes = (x.astype(np.float64) @ y.T.astype(np.float64) for x, y in ((a, w), (abs(a), abs(w))))
    assert (abs(guarded[1:-1] - wanted) <= 5e-7 * magnitudes).all()
    assert np.isnan(guarded[[0, -1]]).all(), "nothing is written beside the result"


@pytest.mark.parametrize(
    ("rows", "shape", "whether"), [(32, (32, 64), True), (31, (32, 64), False), (300, (512, 10), False)]
)
def test_the_matrix_unit_is_for_products_of_at_least_32_rows_and_whole_blocks_of_weights(
    rows: int, shape: tuple[int, int], whether: bool
) -> None:
    assert fits(rows, np.zeros(shape, np.float32)) is whether
