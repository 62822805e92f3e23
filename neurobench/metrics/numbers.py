"""Figures that a model, a device or a plugin hands over, as numbers that a record can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neurobench.config.errors import UserError


def plain(value: Any) -> float:
    """An int or a float as it is; a number of numpy or torch as Python's. Raises ValueError for anything else."""
    if type(value) in (int, float):
        return value
    try:
        if isinstance(value, (str, bytes)):
            raise ValueError("is text")
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{_shown(value)} is no number") from error


def numbers_of(handed: Any, by: str) -> tuple[dict[str, float], dict[str, str]]:
    """What `by` (a function of the model) returned: its finite numbers, and of every other name the reason why it has
    none, so that one slip does not cost a whole training. Raises UserError where it is no mapping."""
    if not isinstance(handed, Mapping):
        raise UserError(f"{by} returned {_shown(handed)}, not a mapping of names to numbers. Return {{}} for none.")
    found, undefined = {}, {}
    for name, value in handed.items():
        try:
            number = plain(value)
        except ValueError as error:
            undefined[str(name)] = f"{by} returned {error}"
            continue
        if math.isfinite(number):
            found[str(name)] = number
        else:
            undefined[str(name)] = f"{by} returned {number}"
    return found, undefined


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
