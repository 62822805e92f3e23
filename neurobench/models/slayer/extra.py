"""Packages that only files of other programs need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neurobench.config.errors import UserError


def extra(name: str) -> Any:
    """The module. Raises UserError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as fault:
        raise UserError(f"this needs the package {name}: pip install 'neurobench-runner[spiking]'") from fault
