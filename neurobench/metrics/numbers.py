"""Conversion of figures from a model, a device or a plugin into numbers that a record can store."""

from __future__ import annotations

import sys
from typing import Any


def is_finite(value: object) -> bool:
    """Whether a value is an int or a float that is finite as a float: not NaN, not a bool, not 1 and 400 zeros."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def plain(value: Any) -> float:
    """Return an int or a float unchanged, a NumPy or torch number as a float. Raises ValueError for anything else."""
    if type(value) in (int, float):
        return value
    try:
        if isinstance(value, (str, bytes)):
            raise ValueError("is text")
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{shown(value)} is not a number") from error


def shown(value: Any) -> str:
    """Text of a value for a message, with its type."""
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
