"""An emulated BrainScaleS-2 chip for matrix multiplication, the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from neurobench.devices.mac.analog_array import chunked, half_away, integers, read_out
from neurobench.devices.mac.analog_calibration import compat, fit, fit_patterns
from neurobench.devices.mac.analog_device import LinearMacDevice
from neurobench.devices.mac.bss2 import BSS2
from neurobench.devices.mac.bss2_pattern import Pattern, draw_pattern, laid_out
from neurobench.kernels.random import derive


class BSS2Device:
    """See `neurobench.devices.mac.protocol.AnalogMac`. `gain` and `noise_std` are what calibration measured; what the
    chip really is like, `pattern`, is for tests and for the report on the calibration alone."""

    def __init__(self, chip: BSS2, device: torch.device):
        self.chip, self.device = chip, device
        self.pattern = Pattern(*(part.to(device) for part in draw_pattern(chip)))
        self._draw = torch.Generator(device)
        self._laid_out = lru_cache(maxsize=8)(lambda chunks, outputs: laid_out(self.pattern, chunks, outputs))
        self.identity: Mapping[str, Any] = asdict(chip)
        self.calibration: Mapping[str, float] = self._calibrate()
        self.gain, self.noise_std = self.calibration["gain"], self.calibration["noise_std"]

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Tensor:
        """Rows in chunks p of 128, each on one of two arrays with its own gains G, offsets and rails:

            v_p = num_sends (X_p (W_p * G)) + offset + noise_std N,   X = round(x), W = round(w), half away from 0
            y   = clamp(sum_p clamp(floor(clip(v_p, low, high))))

        An input that is not 0 acts as X + x_offset.
        """
        if x.ndim == 1:
            return self.matmul(x[None], w, num_sends, seed)[0]
        X, W = chunked(*integers(x, w, num_sends, half_away))
        on = self._laid_out(len(W), W.shape[2])
        if self.chip.x_offset:
            X = X + self.chip.x_offset * (X > 0)
        v = (X @ (W * on.gain[:, : W.shape[1]])).mul_(num_sends).add_(on.offset)
        if self.chip.noise_std:
            self._draw.manual_seed(seed)
            v.add_(torch.randn(v.shape, generator=self._draw, device=v.device), alpha=self.chip.noise_std)
        return read_out(torch.minimum(torch.maximum(v, on.low), on.high))

    def host(self) -> LinearMacDevice:
        """The linear model with the measured gain and noise."""
        return LinearMacDevice(self.gain, self.noise_std, self.device)

    def _calibrate(self) -> dict[str, float]:
        """What the routine measures, and how far it is off: an emulator can tell, and its report does.

        Column spread and offset are measured by `fit` alone.
        """
        seed = derive(self.chip.chip_seed, 1)  # the chip, not the run: two runs on a chip share its calibration
        if self.chip.calibration == "fit":
            found = fit(fit_patterns(self, seed, self.device))._asdict()
        else:
            found = compat(self, seed, self.device)._asdict()
        truth = self.truth()
        measured = {name: value for name, value in found.items() if isinstance(value, float)}
        errors = {f"{name}_error": value / truth[name] - 1 for name, value in measured.items() if truth[name]}
        return measured | errors

    def truth(self) -> dict[str, float]:
        """What `fit` ought to find on the first array, which it measures."""
        column = self.pattern.gain[0].double().mean(0)
        return {
            "gain": float(column.mean()),
            "noise_std": self.chip.noise_std,
            "gain_spread": float(column.std() / column.mean()),
            "offset_spread": float(self.pattern.offset[0].double().std()),
        }
