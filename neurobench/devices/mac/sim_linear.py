"""The linear model of analog matrix multiplication on BrainScaleS-2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.devices.mac.protocol import Products, as_matrices, read_out
from neurobench.devices.mac.specs import LinearMac


class LinearModel:
    """Ideal device, see `neurobench.devices.mac.protocol.AnalogMac`: `seed`, the identity of a chip, has no effect."""

    identity: Mapping[str, Any] = {}
    calibration: Mapping[str, float] = {}

    def __init__(self, spec: LinearMac, seed: int, device: torch.device):
        self.gain, self.noise_std = spec.gain, spec.noise_std
        self._generator = torch.Generator(device)

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        """Multiply x by w, rows in chunks p of 128, n_p ~ N(0, noise_std) per sample, column, chunk for any num_sends:

        v_p = gain num_sends (X_p W_p) + n_p,   X = round(x), W = round(w), half to even
        y   = clamp(sum_p clamp(floor(v_p)))
        """
        X, W = as_matrices(x, w, num_sends, torch.round)
        v = (X @ W).mul_(num_sends * self.gain)
        add_noise(v, self.noise_std, self._generator, seed)
        return read_out(v, x, num_sends)

    def host(self) -> LinearModel:
        return self


def add_noise(v: Tensor, std: float, generator: torch.Generator, seed: int) -> None:
    """Add normal noise in place, drawn from the seed of this call alone."""
    if std:
        generator.manual_seed(seed)
        v.add_(torch.randn(v.shape, generator=generator, device=v.device), alpha=std)
