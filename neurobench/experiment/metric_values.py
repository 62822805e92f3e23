"""Check of the figures that functions of a model return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurobench.config.errors import UserError
from neurobench.metrics.catalog import metric
from neurobench.metrics.numbers import is_finite, plain, shown

ROUNDING = 1e-6  # by which a mean of float32 numbers may leave [0, 1]


def numbers_of(handed: Any, by: str) -> tuple[dict[str, float], dict[str, str]]:
    """Split what `by` (a function of the model) returned into finite numbers and, for every other name, the reason why
    it has none, so that one slip does not cost a whole training. Raises UserError if it is not a mapping."""
    if not isinstance(handed, Mapping):
        raise UserError(f"{by} returned {shown(handed)}, not a mapping of names to numbers. Return {{}} for none.")
    defined, undefined = {}, {}
    for name, value in handed.items():
        try:
            number = plain(value)
        except ValueError as error:
            undefined[str(name)] = f"{by} returned {error}"
            continue
        if not is_finite(number):
            undefined[str(name)] = f"{by} returned {number}"
        elif metric(str(name)).unit == "proportion" and not -ROUNDING <= number <= 1 + ROUNDING:
            undefined[str(name)] = f"{by} returned {number:g}, not a proportion, as an accuracy is. Return 97 % as 0.97"
        else:
            defined[str(name)] = number
    return defined, undefined
