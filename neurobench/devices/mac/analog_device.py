"""The linear model of analog matrix multiplication on BrainScaleS-2, the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.devices.mac.analog_array import chunked, integers, read_out


class LinearMacDevice:
    """See `neurobench.devices.mac.protocol.AnalogMac`."""

    def __init__(self, gain: float, noise_std: float, device: torch.device):
        self.gain, self.noise_std, self.device = gain, noise_std, device
        self.identity: Mapping[str, Any] = {}
        self.calibration: Mapping[str, float] = {}
        self._draw = torch.Generator(device)

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Tensor:
        """Rows in chunks p of 128, n_p ~ N(0, noise_std) for each sample, column and chunk:

            v_p = gain num_sends (X_p W_p) + n_p,   X = round(x), W = round(w), half to even
            y   = clamp(sum_p clamp(floor(v_p)))

        Noise is not scaled by num_sends, which so buys signal over noise until the read-out saturates.
        """
        if x.ndim == 1:
            return self.matmul(x[None], w, num_sends, seed)[0]
        X, W = chunked(*integers(x, w, num_sends, torch.round))
        v = (X @ W).mul_(num_sends * self.gain)
        if self.noise_std:
            self._draw.manual_seed(seed)
            v.add_(torch.randn(v.shape, generator=self._draw, device=v.device), alpha=self.noise_std)
        return read_out(v)

    def host(self) -> LinearMacDevice:
        return self
