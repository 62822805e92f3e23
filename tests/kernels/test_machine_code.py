"""Machine code is generated for the kernels that Python calls, and only for these."""

from typing import Any

import pytest

from neurobench.kernels.jit import njit


@njit(inner=True)
def checked_half(x: Any) -> Any:
    if x < 0:
        raise ValueError("negative", x)
    return x / 2


@njit()
def quarter(x: Any) -> Any:
    return checked_half(checked_half(x))


def test_no_machine_code_is_generated_for_a_kernel_that_only_kernels_call() -> None:
    assert quarter(2.0) == 0.5
    (inner,), (outer,) = checked_half.overloads.values(), quarter.overloads.values()
    assert (inner.library._generated, outer.library._generated) == (False, True)
    assert inner.library.serialize_using_object_code()[1] == "bitcode"


def test_an_error_in_an_inner_kernel_reaches_python_with_its_values() -> None:
    with pytest.raises(ValueError, match="negative") as error:
        quarter(-1.5)
    assert error.value.args == ("negative", -1.5)
