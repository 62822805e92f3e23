"""An emulated BrainScaleS-2 chip for matrix multiplication: its fixed pattern, and its arithmetic."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.mac.calibration import compat, fit, fit_patterns
from neurobench.devices.mac.protocol import COLUMNS, ROWS, Products, as_matrices, half_away, read_out
from neurobench.devices.mac.sim_linear import LinearModel, add_noise
from neurobench.devices.mac.specs import BSS2, LinearMac
from neurobench.kernels.random import derive

ARRAYS = 2


class Pattern(NamedTuple):
    """Fixed pattern of a chip with A arrays, R rows and C columns. Under a matrix, A counts its chunks p of rows."""

    gain: Tensor  # (A, R, C) LSB for x * w = 1 sent once
    offset: Tensor  # (A, 1, C) LSB
    low: Tensor  # (A, 1, C) LSB, the rail below which the membrane cannot fall
    high: Tensor  # (A, 1, C) LSB


class Chip:
    """Emulated chip, see `neurobench.devices.mac.protocol.AnalogMac`. Calibration measures `gain` and `noise_std`; the
    true `pattern` is used only by tests and the report on the calibration."""

    def __init__(self, spec: BSS2, seed: int, device: torch.device):
        """Draw and calibrate the chip whose identity is `spec.chip_seed`, not the run's `seed`."""
        self.spec, self.device = spec, device
        self.pattern = Pattern(*(part.to(device) for part in draw_pattern(spec)))
        self._generator = torch.Generator(device)
        self._laid_out = lru_cache(maxsize=8)(lambda chunks, outputs: laid_out(self.pattern, chunks, outputs))
        self.identity: Mapping[str, Any] = asdict(spec)
        self.calibration: Mapping[str, float] = self._calibrate()
        self.gain, self.noise_std = self.calibration["gain"], self.calibration["noise_std"]

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        """Multiply x by w, rows in chunks p of 128, each on one of two arrays with its own gains G, offsets and rails:

            v_p = num_sends (X_p (W_p * G)) + offset + noise_std N,   X = round(x), W = round(w), half away from 0
            y   = clamp(sum_p clamp(floor(clip(v_p, low, high))))

        A nonzero input acts as X + x_offset.
        """
        X, W = as_matrices(x, w, num_sends, half_away)
        on = self._laid_out(len(W), W.shape[2])
        if self.spec.x_offset:
            X = X + self.spec.x_offset * (X > 0)
        v = (X @ (W * on.gain[:, : W.shape[1]])).mul_(num_sends).add_(on.offset)
        add_noise(v, self.spec.noise_std, self._generator, seed)
        return read_out(torch.minimum(torch.maximum(v, on.low), on.high), x, num_sends)

    def host(self) -> LinearModel:
        """Return the linear model with the measured gain and noise."""
        return LinearModel(LinearMac(gain=self.gain, noise_std=self.noise_std), 0, self.device)

    def _calibrate(self) -> dict[str, float]:
        """Measure the first array and return the figures and their errors; column spread and offset only by `fit`."""
        seed = derive(self.spec.chip_seed, 1)  # by chip, not by run: two runs on a chip share its calibration
        by_fit = self.spec.calibration == "fit"
        estimate = fit(fit_patterns(self, seed, self.device)) if by_fit else compat(self, seed, self.device)
        if estimate.gain <= 0:
            raise UserError(
                f"calibration: a gain of {estimate.gain:.3g} was measured: rounding, noise or offsets hide the chip's "
                "signal. Raise backend.mac.gain, or lower noise_std or mismatch."
            )
        column, offset = self.pattern.gain[0].double().mean(0), self.pattern.offset[0].double()
        truth = {
            "gain": float(column.mean()),
            "noise_std": self.spec.noise_std,
            "gain_spread": float(column.std() / column.mean()),
            "offset_spread": float(offset.std()),
        }
        measured = {name: value for name, value in estimate._asdict().items() if isinstance(value, float)}
        errors = {f"{name}_error": value / truth[name] - 1 for name, value in measured.items() if truth[name]}
        return measured | errors


def draw_pattern(spec: BSS2) -> Pattern:
    """Draw G = gain (1 + s_col N_col)(1 + s_row N_row)(1 + s_syn N_syn), and an offset and two rails for each column.

    The normal deviates N depend on `chip_seed` alone: they are the same for every spread and mismatch.
    """
    generator = torch.Generator().manual_seed(derive(spec.chip_seed, 0))

    def normal(rows: int, columns: int) -> Tensor:
        return torch.randn(ARRAYS, rows, columns, generator=generator)

    column = 1 + spec.mismatch * spec.column_spread * normal(1, COLUMNS)
    row = 1 + spec.mismatch * spec.row_spread * normal(ROWS, 1)
    synapse = 1 + spec.mismatch * spec.synapse_spread * normal(ROWS, COLUMNS)
    return Pattern(
        gain=spec.gain * column * row * synapse,
        offset=spec.mismatch * spec.column_offset * normal(1, COLUMNS),
        low=-110 + 6 * normal(1, COLUMNS),  # in the demos: -110 to -115, with a spread
        high=127 - 3 * normal(1, COLUMNS).abs(),
    )


def laid_out(pattern: Pattern, chunks: int, outputs: int) -> Pattern:
    """Pattern under a matrix of `chunks` times 128 rows and `outputs` columns, from row 0 and column 0. Chunks of rows
    alternate between the arrays, without a restart at each block of 256 columns."""
    column = torch.arange(outputs, device=pattern.gain.device)
    chunk = torch.arange(chunks, device=pattern.gain.device)
    array = (column // COLUMNS * chunks + chunk[:, None]) % ARRAYS  # (P, O)
    at = column % COLUMNS
    return Pattern(*(part[array, :, at].transpose(1, 2) for part in pattern))
