"""Emulated quantum processors for tests, with the values of the shipped YAML."""

from typing import Any

import torch

from neurobench.devices.circuit.specs import QPU
from tests.specs import spec


def processor(**fields: Any) -> QPU:
    made = spec("backend/mock", "circuit", **fields)
    assert isinstance(made, QPU)
    return made


def qpu(**fields: Any) -> Any:
    """Opened device of the processor with these fields."""
    return processor(**fields).open(0, torch.device("cpu"))
