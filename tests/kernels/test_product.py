"""The product inside compiled kernels equals numpy's, at every edge of its tiles of 6 rows and panels of 16 columns."""

import numpy as np
import pytest

from neurobench.kernels.cuba.product import COLUMNS, multiply, pack_transposed


@pytest.mark.parametrize("inner", [1, 10, 65])
@pytest.mark.parametrize("width", [1, 10, 16, 17, 40])
@pytest.mark.parametrize("steps", [1, 5, 6, 7, 97, 103])
def test_the_tiled_product_equals_numpys_and_writes_nothing_outside_its_result(
    steps: int, width: int, inner: int
) -> None:
    random = np.random.default_rng(steps * width * inner)
    a = random.standard_normal((steps, inner)).astype(np.float32)
    w = random.standard_normal((width, inner)).astype(np.float32)
    panels = np.full((-(-width // COLUMNS), inner, COLUMNS), np.nan, np.float32)
    pack_transposed(w, panels)
    guarded = np.full((steps + 2, width), np.nan, np.float32)
    multiply(a, panels, guarded[1:-1])
    wanted = a.astype(np.float64) @ w.T.astype(np.float64)
    np.testing.assert_allclose(guarded[1:-1], wanted, atol=1e-5)
    assert np.isnan(guarded[[0, -1]]).all(), "nothing is written beside the result"
