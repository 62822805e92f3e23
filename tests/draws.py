"""Random tensors that are the same in every run of the tests, whatever ran before."""

from typing import Any

import torch
from torch import Tensor


def normal(*shape: int, seed: int = 0, **options: Any) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def uniform(*shape: int, seed: int = 0, **options: Any) -> Tensor:
    """Uniform draws in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **options)
