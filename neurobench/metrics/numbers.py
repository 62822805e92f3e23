"""Figures that a model, a device or a plugin hands over, as numbers that a record can hold."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> float:
    """An int or a float as it is; a number of numpy or torch as Python's. Raises ValueError for anything else."""
    if type(value) in (int, float):
        return value
    try:
        if isinstance(value, (str, bytes)):
            raise ValueError("is text")
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{shown(value)} is no number") from error


def shown(value: Any) -> str:
    """In a sentence, with its type."""
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
